"""Revisions of the settings file in requests and answers: ETag and If-Match (RFC 9110, 8.8.3 and 13.1.1).

So of two people who change the same file, the second one is told. Web server's thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import Protocol

from aiohttp import web

from streamer.api.operation import Call, Problem
from streamer.serve.settings_file.settings_file import FileChanged

REFUSALS = (HTTPStatus.PRECONDITION_FAILED, HTTPStatus.PRECONDITION_REQUIRED)
"""How `require_revision` and `saved` refuse a change."""


class Revised(Protocol):
    """An answer about a part of the settings file."""

    @property
    def revision(self) -> str:
        """Of the file."""
        ...

    def model_dump_json(self, *, exclude_unset: bool = ...) -> str:
        """See `pydantic.BaseModel`."""
        ...


def with_etag(answer: Revised, status: HTTPStatus = HTTPStatus.OK) -> web.Response:
    """An answer with the revision of the settings file as its ETag."""
    response = web.json_response(text=answer.model_dump_json(exclude_unset=True), status=status)
    response.etag = answer.revision
    return response


def require_revision(call: Call) -> str | None:
    """The revision that the settings file must have; None for any (`If-Match: *`).

    Raises:
        Problem: the request has none.
    """
    given = call.request.headers.get("If-Match", "").strip()
    if not given:
        raise Problem(
            HTTPStatus.PRECONDITION_REQUIRED,
            "give the revision of the settings that you have read in the header If-Match, or * for any",
        )
    # A proxy that compresses an answer makes its ETag a weak one: W/"...".
    return None if given == "*" else given.removeprefix("W/").strip('"')


async def saved(change: Callable[..., None], *arguments: object) -> None:
    """Change the settings file on another thread.

    Raises:
        Problem: somebody else has changed the file.
        StreamerError: as of `change`.
    """
    try:
        await asyncio.to_thread(change, *arguments)
    except FileChanged as error:
        raise Problem(HTTPStatus.PRECONDITION_FAILED, str(error)) from error
