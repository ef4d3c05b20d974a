"""Web servers with a thread and an event loop of their own; all pages of one address share a server.

Any thread may enter and leave `WebPages`. Request handlers run on the thread of the server.
"""

from __future__ import annotations

import asyncio
import errno
import html
import logging
import socket
import threading
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, Self

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from streamer.errors import ConfigError, SinkUnavailable
from streamer.system.threads import Thread

log = logging.getLogger(__name__)

LOOPBACK = "127.0.0.1"
_START_S = 10.0
_END_S = 2.0
# Time for a running response when the server ends.
_GRACE_S = 0.25

_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; img-src 'self'; connect-src 'self'; "
    "style-src 'unsafe-inline'; script-src 'unsafe-inline'",
    "X-Content-Type-Options": "nosniff",
}
_REMEDIES = {
    errno.EADDRINUSE: "the port is taken; choose another one, or end the program that has it",
    errno.EACCES: "not allowed; choose a port from 1024 up",
    errno.EADDRNOTAVAIL: "this machine does not have that address; use 0.0.0.0 for all its addresses",
}


class _WithoutClientErrors(logging.Filter):
    """Drops aiohttp's tracebacks of invalid requests and of clients that disconnect."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError | ConnectionError))


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

    Raises:
        ConfigError: on entering, when other pages have one of the paths.
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
    ) -> None:
        self.shown = shown
        self.routes = routes
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
        return f"http://{f'[{host}]' if ':' in host else host}:{port}{self.routes[0].path}"

    def __enter__(self) -> Self:
        with _lock:
            key = (self._host, self._port)
            server = _servers.get(key)
            if server is None or not server.runs:
                server = _Server(self._host, self._port, self._listener)
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

    def __init__(self, host: str, port: int, listener: socket.socket | None) -> None:
        self._host, self._port, self._listener = host, port, listener
        self._pages: list[WebPages] = []
        self._router = web.UrlDispatcher()  # replaced, never changed, because the server's thread reads it
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
        router = web.UrlDispatcher()
        router.add_routes([route for pages in self._pages for route in pages.routes])
        self._router = router

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
        app.router.add_route("*", "/{path:.*}", self._answer)
        app.on_response_prepare.append(_add_headers)
        # Cancelling: a client that disconnects ends its handler, which may otherwise wait indefinitely.
        runner = web.AppRunner(
            app, access_log=None, logger=_requests, shutdown_timeout=_GRACE_S, handler_cancellation=True
        )
        await runner.setup()
        try:
            end, address = asyncio.Event(), (self._host, self._port)
            if self._listener is None:
                await web.TCPSite(runner, self._host, self._port).start()
                address = runner.addresses[0][:2]
            else:
                await web.SockSite(runner, self._listener).start()
            self._started.set_result((asyncio.get_running_loop(), end, address))
            await end.wait()
        finally:
            await runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        match = await self._router.resolve(request)
        if request.path == "/" and match.http_exception is not None and request.method == "GET":
            return web.Response(text=self._contents(), content_type="text/html")
        return await match.handler(request)

    def _contents(self) -> str:
        """A page with a link to the first page of each, where none has the path /."""
        paths = sorted(pages.routes[0].path for pages in list(self._pages))
        links = "".join(f'<li><a href="{html.escape(path)}">{html.escape(path)}</a></li>' for path in paths)
        return f"<!doctype html><title>Streamer</title><ul>{links}</ul>"


def _overlap(one: str, other: str) -> bool:
    """Whether two paths are equal, or one is below the other, which ends with a variable part: `/healthz/{name}`."""
    beginnings = [path.partition("{")[0] for path in (one, other) if "{" in path]
    return one == other or any(one.startswith(begin) and other.startswith(begin) for begin in beginnings)


_servers: dict[tuple[str, int], _Server] = {}
_lock = threading.Lock()


async def _add_headers(_: web.Request, response: web.StreamResponse) -> None:
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
