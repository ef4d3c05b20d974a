"""One operation of the API: a request, who may send it, and what answers it.

The table of operations is all that decides: the router, the access checks and the OpenAPI document are made from it.
Handlers run on the thread of the web server; what waits for a disk, a camera or a detector goes to another thread.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from aiohttp import web
from pydantic import BaseModel, ConfigDict

from streamer.accounts.roles import Access, User

WEBSOCKET = "websocket"
"""`Operation.media` of an operation that is a WebSocket."""


class Values(BaseModel):
    """The base class of all that a client sends. Unknown names and numbers that are not finite are refused.

    The docstrings of a model and of its fields are in the document.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, use_attribute_docstrings=True)


class Answer(BaseModel):
    """The base class of all that the API answers. The docstrings of a model and of its fields are in the document."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)


@dataclass(frozen=True, slots=True)
class Call:
    """A request that may be answered: its user is allowed, its values are valid.

    Attributes:
        request: as it came.
        user: who sent it; None if nobody is logged in.
        path: the variable parts of its path by name, decoded.
        query: an instance of `Operation.query`; None without one.
        body: an instance of `Operation.body`; None without one.
    """

    request: web.Request
    user: User | None
    path: Mapping[str, str] = field(default_factory=dict)
    query: Any = None
    body: Any = None


Handler = Callable[[Call], Awaitable[BaseModel | web.StreamResponse | None]]


class Problem(Exception):
    """A request that is refused; the answer is `application/problem+json` (RFC 9457).

    Args:
        status: of the answer.
        detail: what is wrong and what to do, one line.
        lines: more lines, one for each invalid value.
        headers: of the answer, such as `Retry-After`.
    """

    def __init__(
        self,
        status: HTTPStatus,
        detail: str,
        lines: tuple[str, ...] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.lines = lines
        self.headers = dict(headers or {})


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation of the API.

    Attributes:
        method: `GET`, `POST`, `PUT`, `PATCH` or `DELETE`.
        path: below `/api/v1`, such as `/cameras/{name}`.
        summary: one line for the document.
        access: who may use it.
        handle: returns an instance of `answer`, or a response of its own; None for 204. A StreamerError becomes 422.
        query: the model of the query, a subclass of `Values`. A field that is a tuple takes a name several times.
        body: the model of the JSON body, a subclass of `Values`.
        answer: the model of the JSON answer, such as a subclass of `Answer`.
        media: of an answer that is no JSON: `image/jpeg`, `video/mp4`, or `WEBSOCKET`.
        takes: media type of a body that is no JSON, such as `application/sdp`; `handle` reads the request.
        status: of the answer.
        others: further statuses of its answers; from 400 on with a `Problem`.
        messages: the models of the text messages of a WebSocket.
    """

    method: str
    path: str
    summary: str
    access: Access
    handle: Handler
    query: type[BaseModel] | None = None
    body: type[BaseModel] | None = None
    answer: type[BaseModel] | None = None
    media: str = ""
    takes: str = ""
    status: HTTPStatus = HTTPStatus.OK
    others: tuple[HTTPStatus, ...] = ()
    messages: tuple[type[BaseModel], ...] = ()
