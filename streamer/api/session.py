"""Who is logged in, logging in and logging out. Web server's thread."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from http import HTTPStatus

from aiohttp import web
from pydantic import BaseModel, Field, SecretStr

from streamer.accounts.client import delete_cookie, set_cookie
from streamer.accounts.passwords import LONGEST
from streamer.accounts.roles import Access, Role, User
from streamer.api.context import ApiContext
from streamer.api.operation import Call, Operation, Values

PATH = "/session"
LONGEST_NAME = 64
_REFUSED = (HTTPStatus.UNAUTHORIZED, HTTPStatus.TOO_MANY_REQUESTS)


class SessionUser(BaseModel):
    """The user of a session. The name is empty on a site without users."""

    name: str
    role: Role


class SessionAnswer(BaseModel):
    """Who is logged in. Without a user and with `login_required`, log in first."""

    user: SessionUser | None
    login_required: bool
    version: str


class Login(Values):
    """Name and password of a user."""

    name: str = Field(max_length=LONGEST_NAME)
    password: SecretStr = Field(max_length=LONGEST)


def operations(context: ApiContext) -> Sequence[Operation]:
    """The operations on the session of the client."""
    guard = context.guard

    async def show(call: Call) -> SessionAnswer:
        return _answer(call.user, login_required=await guard.login_required())

    async def begin(call: Call) -> web.StreamResponse:
        user, secret = await guard.log_in(call.request, call.body.name, call.body.password.get_secret_value())
        answer = _answer(user, login_required=True)
        response = web.Response(text=answer.model_dump_json(), content_type="application/json")
        set_cookie(call.request, response, secret)
        return response

    async def end(call: Call) -> web.StreamResponse:
        await guard.log_out(call.request)
        response = web.Response(status=204)
        delete_cookie(call.request, response)
        return response

    return [
        Operation("GET", PATH, "Who is logged in", Access.ANYONE, show, answer=SessionAnswer),
        Operation("POST", PATH, "Log in", Access.ANYONE, begin, body=Login, answer=SessionAnswer, others=_REFUSED),
        Operation("DELETE", PATH, "Log out", Access.ANYONE, end),
    ]


def _answer(user: User | None, *, login_required: bool) -> SessionAnswer:
    shown = None if user is None else SessionUser(name=user.name, role=user.role)
    version = sys.modules["streamer"].__version__  # imported before this module, which must not import what is above it
    return SessionAnswer(user=shown, login_required=login_required, version=version)
