"""Web servers with a thread and an event loop of their own; all pages of one address share a server.

Any thread may enter and leave `WebPages`. Request handlers run on the thread of the server.
"""

from __future__ import annotations

import asyncio
import errno
import html
import logging
import socket
import ssl
import threading
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, Self

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from streamer.errors import ConfigError, SinkUnavailable
from streamer.system.threads import Thread
from streamer.web.connections import HANDSHAKE_S, IDLE_S, entrance
from streamer.web.headers import HEADERS

log = logging.getLogger(__name__)

LOOPBACK = "127.0.0.1"
_START_S = 10.0
_END_S = 2.0
# Time for a running response when the server ends.
_GRACE_S = 0.25
# A request that was refused may go on sending its body for this time, so that the client reads why.
_LINGERS_S = 0.5

_REMEDIES = {
    errno.EADDRINUSE: "the port is taken; choose another one, or end the program that has it",
    errno.EACCES: "not allowed; choose a port from 1024 up",
    errno.EADDRNOTAVAIL: "this machine does not have that address; use 0.0.0.0 for all its addresses",
}


class _WithoutClientErrors(logging.Filter):
    """Drops aiohttp's tracebacks of invalid requests and of clients that disconnect."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError | ConnectionError))


_PAGE_HEADERS: web.RequestKey[Mapping[str, str]] = web.RequestKey("page_headers", Mapping[str, str])
_requests = logging.getLogger(f"{__name__}.requests")
_requests.addFilter(_WithoutClientErrors())


class WebPages:
    """Serves pages at an address, from entering to leaving.

    Pages with the same host and port are served by one server, which ends when the last of them is left.

    Args:
        shown: the address as the user wrote it, without credentials, for error messages.
        host: address or name to listen on; loopback if empty or `localhost`.
        port: 0 lets the system choose a free one, which other pages do not share.
        routes: the pages, with absolute paths.
        end: awaited on the server's thread when the pages are left, to end long responses.
        listener: a listening socket, such as a Unix socket, in place of host and port; the server closes it.
        headers: of their responses, besides those of every response.
        tls: for HTTPS; other pages of the same server need the same.

    Raises:
        ConfigError: on entering, when other pages of the server have one of the paths, or do not use HTTPS alike.
        SinkUnavailable: on entering, when the port is taken or the address is not of this machine.
    """

    def __init__(
        self,
        shown: str,
        host: str,
        port: int,
        routes: Sequence[web.RouteDef],
        end: Callable[[], Coroutine[Any, Any, None]] | None = None,
        *,
        listener: socket.socket | None = None,
        headers: Mapping[str, str] | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.shown = shown
        self.routes = routes
        self.headers = headers or {}
        self.tls = tls
        self._host = LOOPBACK if host.lower() in ("", "localhost") else host
        self._port = port
        self._end = end
        self._listener = listener
        self._server: _Server | None = None

    @property
    def address(self) -> tuple[str, int]:
        """Host and port that the server listens on, once it is entered."""
        if self._server is None:
            raise RuntimeError(f"{self.shown} is not served: enter it first")
        return self._server.address

    @property
    def url(self) -> str:
        """The first page for a browser on this machine, once it is entered; without credentials."""
        host, port = self.address
        host = {"0.0.0.0": LOOPBACK, "::": "::1"}.get(host, host)
        scheme = "http" if self.tls is None else "https"
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}{self.routes[0].path}"

    def __enter__(self) -> Self:
        with _lock:
            key = (self._host, self._port)
            server = _servers.get(key)
            if server is None or not server.runs:
                server = _Server(self._host, self._port, self._listener, self.tls)
                server.add(self)
                server.start(self.shown)
                if self._port:
                    _servers[key] = server
            else:
                server.add(self)
            self._server = server
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: object) -> None:
        server, self._server = self._server, None
        if server is None:
            return
        with _lock:
            if server.remove(self, self._end):
                if _servers.get((self._host, self._port)) is server:
                    del _servers[self._host, self._port]
                server.stop()

    def call(self, function: Callable[..., object], *arguments: object) -> bool:
        """Schedule a call on the server's thread, from any thread; False if the server does not run."""
        return self._server is not None and self._server.call(function, *arguments)


class _Server:
    """One listening socket with its thread. The methods are called under `_lock`, except `call`."""

    def __init__(self, host: str, port: int, listener: socket.socket | None, tls: ssl.SSLContext | None) -> None:
        self._host, self._port, self._listener, self._tls = host, port, listener, tls
        self._pages: list[WebPages] = []
        self._routing = _Routing([])  # replaced, never changed, because the server's thread reads it
        self._started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event, tuple[str, int]]] = Future()
        self._thread = Thread("web", self._run, shared=True)

    @property
    def runs(self) -> bool:
        return self._thread.is_alive()

    @property
    def address(self) -> tuple[str, int]:
        return self._started.result()[2]

    def start(self, shown: str) -> None:
        self._thread.start()
        try:
            self._started.result(_START_S)
        except OSError as error:
            self._thread.join(_END_S)
            remedy = _REMEDIES.get(error.errno or 0, error.strerror or str(error))
            if isinstance(error, socket.gaierror):
                remedy = f"the host {self._host!r} is unknown; leave the host out for this machine only"
            own = [host for host, port in _servers if port == self._port]
            if own and error.errno == errno.EADDRINUSE:
                remedy = f"this run serves the same port of {own[0]} already; give both the same host"
            raise SinkUnavailable(f"{shown} cannot be served: {remedy}") from error

    def add(self, pages: WebPages) -> None:
        if pages.tls is not self._tls:
            kinds = ("HTTP", "HTTPS") if self._tls is None else ("HTTPS", "HTTP")
            raise ConfigError(
                f"{pages.shown}: that port serves {kinds[0]} already, and not {kinds[1]}; choose another port"
            )
        taken = [route.path for other in self._pages for route in other.routes]
        both = sorted(route.path for route in pages.routes if any(_overlap(route.path, path) for path in taken))
        if both:
            raise ConfigError(
                f"{pages.shown}: {both[0]} of that address is served already; give each output a path of its own, "
                f"such as http://HOST:PORT/NAME"
            )
        self._pages.append(pages)
        self._route()

    def remove(self, pages: WebPages, end: Callable[[], Coroutine[Any, Any, None]] | None) -> bool:
        """Whether there are no more pages."""
        self._pages.remove(pages)
        self._route()
        if end is not None and self.runs:
            with suppress(TimeoutError, RuntimeError):
                asyncio.run_coroutine_threadsafe(end(), self._started.result()[0]).result(_END_S)
        return not self._pages

    def stop(self) -> None:
        if self.call(self._started.result()[1].set):
            self._thread.join(_END_S)
            if self._thread.is_alive():
                log.warning("%s did not end within %.1f s and was abandoned", self._thread.name, _END_S)

    def call(self, function: Callable[..., object], *arguments: object) -> bool:
        try:
            self._started.result()[0].call_soon_threadsafe(function, *arguments)
        except RuntimeError:  # the event loop has ended
            return False
        return True

    def _route(self) -> None:
        self._routing = _Routing(self._pages)

    # the server's thread

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except Exception as error:
            if self._started.done():
                log.exception("the web server at %s:%d failed", *self.address)
            else:
                self._started.set_exception(error)

    async def _serve(self) -> None:
        app = web.Application()
        app.router.add_route("*", r"/{path:[\s\S]*}", self._answer)  # also a path with a line break
        app.on_response_prepare.append(_add_headers)
        # Cancelling: a client that disconnects ends its handler, which may otherwise wait indefinitely.
        runner = web.AppRunner(
            app,
            access_log=None,
            logger=_requests,
            shutdown_timeout=_GRACE_S,
            handler_cancellation=True,
            keepalive_timeout=IDLE_S,
            lingering_time=_LINGERS_S,
        )
        await runner.setup()
        assert runner.server is not None
        loop, end, server = asyncio.get_running_loop(), asyncio.Event(), None
        try:
            place: dict[str, Any] = {"sock": self._listener} if self._listener is not None else {}
            place = place or {"host": self._host, "port": self._port}
            handshake_s = None if self._tls is None else HANDSHAKE_S
            server = await loop.create_server(
                entrance(runner.server), **place, ssl=self._tls, ssl_handshake_timeout=handshake_s
            )
            address = (self._host, self._port) if self._listener else server.sockets[0].getsockname()[:2]
            self._started.set_result((loop, end, address))
            await end.wait()
        finally:
            if server is not None:
                server.close()
            await runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        match = await self._routing.router.resolve(request)
        request[_PAGE_HEADERS] = self._routing.headers.get(match.route, {})
        if request.path == "/" and match.http_exception is not None and request.method == "GET":
            return web.Response(text=self._contents(), content_type="text/html")
        return await match.handler(request)

    def _contents(self) -> str:
        """A page with a link to the first page of each, where none has the path /."""
        paths = sorted(pages.routes[0].path for pages in list(self._pages))
        links = "".join(f'<li><a href="{html.escape(path)}">{html.escape(path)}</a></li>' for path in paths)
        return f"<!doctype html><title>Streamer</title><ul>{links}</ul>"


class _Routing:
    """All routes of a server, and the headers of their responses."""

    def __init__(self, pages: Iterable[WebPages]) -> None:
        self.router = web.UrlDispatcher()
        self.headers: dict[web.AbstractRoute, Mapping[str, str]] = {}
        for one in pages:
            for route in one.routes:
                self.headers.update(dict.fromkeys(route.register(self.router), one.headers))


def _overlap(one: str, other: str) -> bool:
    """Whether two paths are equal, or one is below the other, which ends with a variable part: `/healthz/{name}`."""
    beginnings = [path.partition("{")[0] for path in (one, other) if "{" in path]
    return one == other or any(one.startswith(begin) and other.startswith(begin) for begin in beginnings)


_servers: dict[tuple[str, int], _Server] = {}
_lock = threading.Lock()


async def _add_headers(request: web.Request, response: web.StreamResponse) -> None:
    for name, value in {**HEADERS, **request.get(_PAGE_HEADERS, {})}.items():
        response.headers.setdefault(name, value)
    response.headers["Server"] = "Streamer"  # without the versions of Python and aiohttp
