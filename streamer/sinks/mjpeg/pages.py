"""The pages of the MJPEG sink: page, stream, snapshot and health. They run on the web server's thread."""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Awaitable, Callable
from pathlib import Path

from aiohttp import BasicAuth, hdrs, web

from streamer.sinks.mjpeg.viewers import Broadcaster
from streamer.web.headers import POLICY, policy_of

_PAGE = Path(__file__).with_name("mjpeg.html")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Pages:
    """Responses to the requests of one output.

    Args:
        broadcaster: the frames and their viewers.
        path: of the page, without a slash at its end; empty for the root.
        health_timeout_s: largest age of the newest frame for `healthz` to report 200.
        credentials: user and password for everything but `healthz`; None if none are needed.
        this_machine_only: the server listens on loopback.
    """

    def __init__(
        self,
        broadcaster: Broadcaster,
        path: str,
        *,
        health_timeout_s: float,
        credentials: tuple[str, str] | None,
        this_machine_only: bool,
    ) -> None:
        self._broadcaster = broadcaster
        self._path = path
        self._health_timeout_s = health_timeout_s
        self._credentials = credentials
        self._this_machine_only = this_machine_only

    def routes(self) -> list[web.RouteDef]:
        """Every page with its path."""
        path = self._path
        routes = [
            web.get(f"{path}/", self._guarded(self._page)),
            web.get(f"{path}/stream.mjpg", self._guarded(self._broadcaster.stream), allow_head=False),
            web.get(f"{path}/snapshot.jpg", self._guarded(self._snapshot)),
            web.get(f"{path}/healthz", self._health),  # shows no image, and probes have no password
        ]
        return [*routes, web.get(path, self._redirect)] if path else routes

    async def _redirect(self, _: web.Request) -> web.StreamResponse:
        raise web.HTTPPermanentRedirect(f"{self._path}/")  # the page's own links are relative

    async def _page(self, _: web.Request) -> web.StreamResponse:
        page = _PAGE.read_text(encoding="utf-8")
        return web.Response(text=page, content_type="text/html", headers={POLICY: policy_of(page)})

    async def _snapshot(self, _: web.Request) -> web.StreamResponse:
        jpeg = await self._broadcaster.newest()
        if jpeg is None:
            return web.Response(status=503, text="no frame yet\n", headers={"Retry-After": "1"})
        headers = {"X-Timestamp": f"{jpeg.time_s:.6f}", "X-Captured": f"{jpeg.captured_s:.6f}"}
        return web.Response(body=jpeg.data, content_type="image/jpeg", headers=headers)

    async def _health(self, _: web.Request) -> web.StreamResponse:
        age_s, limit_s, reason = self._broadcaster.age_s, self._health_timeout_s, ""
        if age_s is None:
            reason = "no frame yet"
        elif age_s > limit_s:
            reason = f"no frame for {age_s:.1f} s (limit {limit_s:g} s)"
        state: dict[str, object] = {
            "status": "unhealthy" if reason else "ok",
            "age_s": None if age_s is None else round(age_s, 3),
            "pictures": self._broadcaster.frames,
            "viewers": self._broadcaster.viewers,
        }
        return web.json_response(state | ({"reason": reason} if reason else {}), status=503 if reason else 200)

    def _guarded(self, handler: Handler) -> Handler:
        """A handler that first checks whether the client may see the images."""

        async def answer(request: web.Request) -> web.StreamResponse:
            credentials, header = self._credentials, request.headers.get(hdrs.AUTHORIZATION, "")
            if credentials is not None and not _is_allowed(header, credentials):
                challenge = {hdrs.WWW_AUTHENTICATE: 'Basic realm="Streamer", charset="UTF-8"'}
                return web.Response(status=401, text="user and password required\n", headers=challenge)
            # Otherwise a foreign page could resolve its own host name to loopback and read the images of anyone who
            # visits it (DNS rebinding).
            if credentials is None and self._this_machine_only and not _is_local(request.url.host or ""):
                text = "unknown host name; use the address, or give a user and password in the address of the output\n"
                return web.Response(status=421, text=text)
            return await handler(request)

        return answer


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


def _is_local(host: str) -> bool:
    """Whether a host in a request is an address or `localhost`, which no foreign page can have."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True
