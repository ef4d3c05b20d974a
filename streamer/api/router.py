"""The routes of the operations: each request is checked, answered, and turned into JSON. Web server's thread."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web
from pydantic import BaseModel

from streamer.accounts.errors import Refused
from streamer.accounts.guard import Guard
from streamer.api.operation import Call, Operation, Problem
from streamer.errors import StreamerError

BASE = "/api/v1"


def routes(operations: Sequence[Operation], guard: Guard) -> list[web.RouteDef]:
    """One route for each operation, for users that the guard admits."""
    return [_route(operation, guard) for operation in operations]


def _route(operation: Operation, guard: Guard) -> web.RouteDef:
    async def answer(request: web.Request) -> web.StreamResponse:
        try:
            user = await guard.admit(request, operation.access)
            found = await operation.handle(Call(request, user, dict(request.match_info)))
        except Refused as refused:
            return web.json_response({"status": refused.status, "detail": refused.detail}, status=refused.status)
        except Problem as problem:
            return web.json_response({"status": problem.status, "detail": problem.detail}, status=problem.status)
        except StreamerError as error:
            return web.json_response({"status": 422, "detail": str(error)}, status=422)
        if isinstance(found, BaseModel):
            return web.json_response(text=found.model_dump_json(), status=operation.status)
        return web.Response(status=204) if found is None else found

    return web.route(operation.method, f"{BASE}{operation.path}", answer)
