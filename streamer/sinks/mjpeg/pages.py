"""What the MJPEG sink answers: the page, the stream, the still, the state of health. Runs on the server's thread."""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Awaitable, Callable
from pathlib import Path

from aiohttp import BasicAuth, hdrs, web

from streamer.sinks.mjpeg.viewers import Gallery

_PAGE = Path(__file__).with_name("mjpeg.html")
_GALLERY = web.AppKey("gallery", Gallery)
_HEALTH_TIMEOUT_S = web.AppKey("health_timeout_s", float)
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; img-src 'self'; connect-src 'self'; "
    "style-src 'unsafe-inline'; script-src 'unsafe-inline'",
    "X-Content-Type-Options": "nosniff",
}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def application(
    gallery: Gallery, *, health_timeout_s: float, credentials: tuple[str, str] | None, this_machine_only: bool
) -> web.Application:
    """The application with all pages.

    Args:
        gallery: what is shown.
        health_timeout_s: how old the newest picture may be for `/healthz` to be fine.
        credentials: user and password that everything but `/healthz` asks for; None for none.
        this_machine_only: it listens on loopback.
    """
    app = web.Application()
    app[_GALLERY], app[_HEALTH_TIMEOUT_S] = gallery, health_timeout_s
    # Not a middleware: aiohttp would remember the last thousand applications, with their pictures.
    guarded = _guard(credentials, this_machine_only)
    app.router.add_get("/", guarded(_page))
    app.router.add_get("/stream.mjpg", guarded(gallery.show), allow_head=False)
    app.router.add_get("/snapshot.jpg", guarded(_snapshot))
    app.router.add_get("/healthz", _health)  # says nothing of what is seen, and those who probe have no password
    app.on_response_prepare.append(_add_headers)

    async def end(_: web.Application) -> None:
        await gallery.end()

    app.on_shutdown.append(end)
    return app


async def _page(_: web.Request) -> web.StreamResponse:
    return web.Response(text=_PAGE.read_text(encoding="utf-8"), content_type="text/html")


async def _snapshot(request: web.Request) -> web.StreamResponse:
    jpeg = await request.app[_GALLERY].newest()
    if jpeg is None:
        return web.Response(status=503, text="no picture yet\n", headers={"Retry-After": "1"})
    headers = {"X-Timestamp": f"{jpeg.time_s:.6f}", "X-Captured": f"{jpeg.captured_s:.6f}"}
    return web.Response(body=jpeg.data, content_type="image/jpeg", headers=headers)


async def _health(request: web.Request) -> web.StreamResponse:
    gallery, limit_s = request.app[_GALLERY], request.app[_HEALTH_TIMEOUT_S]
    age_s, reason = gallery.age_s, ""
    if age_s is None:
        reason = "no picture yet"
    elif age_s > limit_s:
        reason = f"no picture for {age_s:.1f} s (limit {limit_s:g} s)"
    state: dict[str, object] = {
        "status": "unhealthy" if reason else "ok",
        "age_s": None if age_s is None else round(age_s, 3),
        "pictures": gallery.pictures,
        "viewers": gallery.viewers,
    }
    return web.json_response(state | ({"reason": reason} if reason else {}), status=503 if reason else 200)


async def _add_headers(_: web.Request, response: web.StreamResponse) -> None:
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)


def _guard(credentials: tuple[str, str] | None, this_machine_only: bool) -> Callable[[Handler], Handler]:
    """What answers in place of a handler those who may not see its pictures."""

    def guarded(handler: Handler) -> Handler:
        async def answer(request: web.Request) -> web.StreamResponse:
            if credentials is not None and not _is_allowed(request.headers.get(hdrs.AUTHORIZATION, ""), credentials):
                challenge = {hdrs.WWW_AUTHENTICATE: 'Basic realm="Streamer", charset="UTF-8"'}
                return web.Response(status=401, text="user and password, please\n", headers=challenge)
            # A page from anywhere could otherwise have its own name resolve to loopback and read the pictures of
            # whoever visits it (DNS rebinding).
            if credentials is None and this_machine_only and not _names_an_address(request.url.host or ""):
                text = "unknown host name; use the address, or give a user and password in the address of the output\n"
                return web.Response(status=421, text=text)
            return await handler(request)

        return answer

    return guarded


def _is_allowed(header: str, credentials: tuple[str, str]) -> bool:
    try:
        given = BasicAuth.decode(header, encoding="utf-8")
    except ValueError:
        return False
    user, password = credentials
    return hmac.compare_digest(
        f"{given.login}:{given.password}".encode("utf-8", "surrogatepass"),
        f"{user}:{password}".encode("utf-8", "surrogatepass"),
    )


def _names_an_address(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True
