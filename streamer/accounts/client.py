"""What a request says of who sends it: session cookie, token, address. On the thread of the web server; pure.

A reverse proxy on this machine adds the address of the client (`X-Forwarded-For`) and whether it uses HTTPS
(`X-Forwarded-Proto`). From other machines these headers mean nothing, because anybody can send them.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
from dataclasses import dataclass

from aiohttp import hdrs, web

from streamer.accounts.account_store import SESSION_S

_FORWARDED = ("X-Forwarded-For", "Forwarded", "X-Real-IP", "Via")
LONGEST_SECRET = 200


@dataclass(frozen=True, slots=True)
class Credential:
    """By what a request is known.

    Attributes:
        secret: of the session or token; "" for a request without one.
        is_token: whether it is a token.
        is_forwarded: it came through a reverse proxy.
    """

    secret: str = ""
    is_token: bool = False
    is_forwarded: bool = False


def credential_of(request: web.Request) -> Credential:
    """The token of a request, or else its session."""
    given = request.headers.get(hdrs.AUTHORIZATION)
    if given is not None:
        return Credential(_token(given)[:LONGEST_SECRET] or "-", is_token=True)
    secret = request.cookies.get(cookie_name(request), "")[:LONGEST_SECRET]
    return Credential(secret, is_forwarded=any(name in request.headers for name in _FORWARDED))


def _token(authorization: str) -> str:
    """The token of `Bearer TOKEN`, or the password of Basic authentication, for programs that know nothing else."""
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(value.strip(), validate=True).decode().partition(":")[2]
    except (binascii.Error, ValueError):
        return ""


def address_of(request: web.Request) -> str:
    """The address of the client; behind a reverse proxy on this machine, the one that the proxy gives."""
    forwarded = request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip()
    return forwarded[:64] if forwarded and _is_from_this_machine(request) else request.remote or ""


def host_of(request: web.Request) -> str:
    """The header `Host`; "" without one, where aiohttp would ask the name service for the name of this machine."""
    return request.headers.get(hdrs.HOST, "")


def uses_tls(request: web.Request) -> bool:
    """Whether the browser uses HTTPS."""
    proxied = request.headers.get("X-Forwarded-Proto", "").lower() == "https" and _is_from_this_machine(request)
    return request.secure or proxied


def cookie_name(request: web.Request) -> str:
    """The name of the session's cookie: with the port, because cookies of one host are sent to all of its ports."""
    port = host_of(request).rpartition(":")[2]
    return f"streamer-{port if port.isascii() and port.isdecimal() else 'session'}"


def set_cookie(request: web.Request, response: web.StreamResponse, secret: str) -> None:
    """Give the browser a session. Scripts cannot read it, and other sites' pages do not send it with changes."""
    response.set_cookie(
        cookie_name(request),
        secret,
        max_age=int(SESSION_S),
        path="/",
        httponly=True,
        samesite="Lax",
        secure=uses_tls(request),
    )


def delete_cookie(request: web.Request, response: web.StreamResponse) -> None:
    """Take the session from the browser."""
    name = cookie_name(request)
    response.del_cookie(name, path="/", httponly=True, samesite="Lax", secure=uses_tls(request))


def _is_from_this_machine(request: web.Request) -> bool:
    try:
        return ipaddress.ip_address((request.remote or "").partition("%")[0]).is_loopback
    except ValueError:
        return False
