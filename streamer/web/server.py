"""A small web server with a thread and an event loop of its own, for what a run shows over HTTP.

The thread that enters a `WebServer` leaves it too; handlers run on the server's thread, which owns all they touch.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from streamer.errors import SinkUnavailable

log = logging.getLogger(__name__)

LOOPBACK = "127.0.0.1"
_START_S = 10.0
_END_S = 2.0
# For an answer that is being given when the server ends.
_GRACE_S = 0.25

_REMEDIES = {
    errno.EADDRINUSE: "the port is taken; choose another one, or end the program that has it",
    errno.EACCES: "not allowed; choose a port from 1024 up",
    errno.EADDRNOTAVAIL: "this machine does not have that address; 0.0.0.0 stands for all it has",
}


class _OnlyOwnFaults(logging.Filter):
    """aiohttp logs a traceback for every request that is no HTTP and for every client that leaves in the middle."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError | ConnectionError))


_requests = logging.getLogger(f"{__name__}.requests")
_requests.addFilter(_OnlyOwnFaults())


@dataclass(frozen=True, slots=True)
class _Running:
    loop: asyncio.AbstractEventLoop
    end: asyncio.Event
    address: tuple[str, int]


class WebServer:
    """Serves an application from entering to leaving.

    Args:
        name: of the thread, after `streamer-`.
        shown: how the user named the address, without credentials, for errors.
        host: address or name to listen on, as the user wrote it; loopback if empty or `localhost`.
        port: 0 lets the system choose.
        build: makes the application; called on the server's thread.

    Raises:
        SinkUnavailable: on entering, when the port is taken or the address is not this machine's.
    """

    def __init__(self, name: str, shown: str, host: str, port: int, build: Callable[[], web.Application]) -> None:
        self._name, self._shown = name, shown
        self._host = LOOPBACK if host.lower() in ("", "localhost") else host
        self._port = port
        self._build = build
        self._running: _Running | None = None
        self._started: Future[_Running] = Future()
        self._thread = threading.Thread(target=self._run, name=f"streamer-{name}", daemon=True)

    @property
    def address(self) -> tuple[str, int]:
        """Host and port that it listens on, once it is entered."""
        if self._running is None:
            raise RuntimeError(f"{self._shown} is not served: enter it first")
        return self._running.address

    @property
    def url(self) -> str:
        """Where a browser on this machine finds it, once it is entered; without credentials."""
        host, port = self.address
        host = {"0.0.0.0": LOOPBACK, "::": "::1"}.get(host, host)
        return f"http://{f'[{host}]' if ':' in host else host}:{port}/"

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            self._running = self._started.result(_START_S)
        except OSError as error:
            self._thread.join(_END_S)
            remedy = _REMEDIES.get(error.errno or 0, error.strerror or str(error))
            if isinstance(error, socket.gaierror):
                remedy = f"no address is known for {self._host!r}; leave the host out for this machine only"
            raise SinkUnavailable(f"{self._shown} cannot be served: {remedy}") from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        running, self._running = self._running, None
        if running is None:
            return
        try:
            running.loop.call_soon_threadsafe(running.end.set)
        except RuntimeError:
            return  # it ended by itself
        self._thread.join(_END_S)
        if self._thread.is_alive():
            log.warning("%s did not end within %.1f s and was left behind", self._thread.name, _END_S)

    def call(self, function: Callable[..., object], *arguments: object) -> bool:
        """Any thread: have the server's thread call this soon; False when it no longer runs."""
        if self._running is None:
            return False
        try:
            self._running.loop.call_soon_threadsafe(function, *arguments)
        except RuntimeError:
            return False
        return True

    # the server's thread

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except Exception as error:
            if self._started.done():
                log.exception("%s is no longer served", self._shown)
            else:
                self._started.set_exception(error)

    async def _serve(self) -> None:
        # Cancelling: a client that goes away ends what it waits for, which may otherwise never come.
        runner = web.AppRunner(
            self._build(), access_log=None, logger=_requests, shutdown_timeout=_GRACE_S, handler_cancellation=True
        )
        await runner.setup()
        try:
            await web.TCPSite(runner, self._host, self._port).start()
            end = asyncio.Event()
            host, port = runner.addresses[0][:2]
            self._started.set_result(_Running(asyncio.get_running_loop(), end, (host, port)))
            await end.wait()
        finally:
            await runner.cleanup()
