"""The route of the API: each request is matched with an operation, checked, answered, and turned into JSON.

One route has all paths below `/api/v1`, so that unknown paths and wrong methods get a problem as their answer, too.
Web server's thread.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from http import HTTPStatus

from aiohttp import web
from pydantic import BaseModel

from streamer.accounts.errors import Refused
from streamer.accounts.guard import Guard
from streamer.accounts.roles import User
from streamer.api import answers
from streamer.api.openapi import BASE, DOCUMENT
from streamer.api.operation import WEBSOCKET, Call, Operation, Problem
from streamer.api.requests import JSON, body_of, path_values, query_values
from streamer.errors import StreamerError
from streamer.system.secrets import SECRETS

log = logging.getLogger(__name__)

_ANY = r"{path:[\s\S]*}"
"""Any path, also one with a line break."""


def routes(operations: Sequence[Operation], guard: Guard) -> list[web.RouteDef]:
    """The route of all operations, for users that the guard admits.

    Raises:
        ValueError: a model of an operation accepts unknown names.
    """
    router = _Router(operations, guard)
    return [web.route("*", BASE, router.answer), web.route("*", f"{BASE}/{_ANY}", router.answer)]


class _Router:
    def __init__(self, operations: Sequence[Operation], guard: Guard) -> None:
        self._guard = guard
        self._dispatcher = web.UrlDispatcher()
        self._operations: dict[web.AbstractRoute, Operation] = {}
        for operation in operations:
            _require_strict(operation)
            for method in (operation.method, *(["HEAD"] if _has_head(operation) else [])):
                route = self._dispatcher.add_route(method, f"{BASE}{operation.path}", self.answer)
                self._operations[route] = operation

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """The answer to any request below `BASE`."""
        try:
            operation, path = await self._match(request)
            return await self._admitted(request, operation, path)
        except Problem as problem:
            return answers.response(problem)
        except Refused as refused:
            return answers.response(Problem(refused.status, refused.detail, headers=refused.headers))
        except StreamerError as error:
            return answers.response(answers.of_error(error))
        except web.HTTPException as error:
            if error.status < HTTPStatus.BAD_REQUEST:
                raise
            return answers.response(answers.of_exception(error))
        except Exception as error:
            if isinstance(error, ConnectionError) and (request.transport is None or request.transport.is_closing()):
                raise  # the client is gone
            log.exception("%s %s failed", request.method, SECRETS.hide(request.path))
            if request.writer.output_size:  # the answer has begun: nothing but its end can tell the client
                raise ConnectionResetError("an answer failed") from None
            return answers.response(Problem(HTTPStatus.INTERNAL_SERVER_ERROR, "the program failed; its log says why"))

    async def _match(self, request: web.Request) -> tuple[Operation, dict[str, str]]:
        found = await self._dispatcher.resolve(request)
        error = found.http_exception
        if isinstance(error, web.HTTPMethodNotAllowed):
            allowed = ", ".join(sorted(error.allowed_methods))
            detail = f"{request.method} is not possible here; use {allowed}"
            raise Problem(HTTPStatus.METHOD_NOT_ALLOWED, detail, headers={"Allow": allowed})
        if error is not None:
            raise Problem(HTTPStatus.NOT_FOUND, f"there is no such path; see {BASE}{DOCUMENT}")
        return self._operations[found.route], path_values(found)

    async def _admitted(self, request: web.Request, operation: Operation, path: dict[str, str]) -> web.StreamResponse:
        user = await self._guard.admit(request, operation.access)
        task = asyncio.current_task()
        if task is None or not _lasts(operation):
            return await _answer(request, operation, path, user)
        with self._guard.watch(request, operation.access, task.cancel):
            return await _answer(request, operation, path, user)


async def _answer(
    request: web.Request, operation: Operation, path: dict[str, str], user: User | None
) -> web.StreamResponse:
    if operation.media == WEBSOCKET and not web.WebSocketResponse().can_prepare(request):
        detail = "this is a WebSocket; open it with a client of WebSockets"
        raise Problem(HTTPStatus.UPGRADE_REQUIRED, detail, headers={"Upgrade": "websocket"})
    query = query_values(request, operation.query)
    body = await body_of(request, operation)
    found = await operation.handle(Call(request, user, path, query, body))
    if isinstance(found, BaseModel):
        return web.Response(text=answers.text_of(found), status=operation.status, content_type=JSON)
    return web.Response(status=HTTPStatus.NO_CONTENT) if found is None else found


def _has_head(operation: Operation) -> bool:
    """Whether the headers of its answer may be asked for alone. Those of an endless answer may not."""
    return operation.method == "GET" and not _lasts(operation)


def _lasts(operation: Operation) -> bool:
    """Whether its answer has no end. It is ended with the login of its user."""
    return operation.media == WEBSOCKET or operation.media.startswith("multipart/")


def _require_strict(operation: Operation) -> None:
    for model in (operation.query, operation.body):
        if model is not None and model.model_config.get("extra") != "forbid":
            raise ValueError(f"{operation.method} {operation.path}: {model.__name__} accepts unknown names")
