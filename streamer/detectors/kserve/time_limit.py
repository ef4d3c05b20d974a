"""Sockets with one time limit for a whole request, and a way for another thread to end it.

The time limits of `requests` are for single reads: a server that sends a byte now and then would hold its caller. These
sockets wait, in each of their calls, no longer than what is left of the limit.
"""

from __future__ import annotations

import socket
import ssl
import time
from contextlib import suppress
from threading import Lock
from typing import Any

_LIMIT = "time_limit"
"""The attribute of the sockets below that has their `TimeLimit`."""


class TimeLimit:
    """The limit of the requests of one connection, one at a time.

    The names of hosts are looked up by the system, with its own limit.
    """

    def __init__(self) -> None:
        self._ends_s = 0.0  # of the request; used by its thread only
        self._lock = Lock()  # guards the two below
        self._socket: socket.socket | None = None
        self._closed = False

    def begin(self, limit_s: float) -> None:
        """A request begins, and takes no longer than this."""
        self._ends_s = time.monotonic() + limit_s

    def left_s(self) -> float:
        """What is left for the request.

        Raises:
            TimeoutError: nothing.
        """
        left_s = self._ends_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError("timed out")
        return left_s

    def limited(self, connected: socket.socket) -> LimitedSocket:
        """A connected socket with this limit, in place of the given one."""
        made = LimitedSocket(connected.family, connected.type, connected.proto, fileno=connected.detach())
        setattr(made, _LIMIT, self)
        return made

    def limit(self, context: ssl.SSLContext) -> None:
        """From now on the TLS sockets of a context have this limit."""
        context.sslsocket_class = type("LimitedTlsSocket", (LimitedTlsSocket,), {_LIMIT: self})

    def attach(self, connected: socket.socket) -> None:
        """The socket that `close` ends."""
        with self._lock:
            self._socket = connected
            if self._closed:
                _shut_down(connected)

    def close(self) -> None:
        """End the request in progress and all to come. Any thread; may be called twice."""
        with self._lock:
            self._closed = True
            if self._socket is not None:
                _shut_down(self._socket)


class LimitedSocket(socket.socket):
    """A socket whose calls obey a `TimeLimit`."""

    time_limit: TimeLimit

    def recv_into(self, *arguments: Any) -> int:
        self.settimeout(self.time_limit.left_s())
        return super().recv_into(*arguments)

    def sendall(self, *arguments: Any) -> None:
        self.settimeout(self.time_limit.left_s())  # of the whole call, however often it sends
        super().sendall(*arguments)


class LimitedTlsSocket(ssl.SSLSocket):
    """The same for TLS."""

    time_limit: TimeLimit

    def recv_into(self, *arguments: Any) -> int:
        self.settimeout(self.time_limit.left_s())
        return super().recv_into(*arguments)

    def send(self, *arguments: Any) -> int:
        self.settimeout(self.time_limit.left_s())
        return super().send(*arguments)


def _shut_down(connected: socket.socket) -> None:
    with suppress(OSError, ValueError):  # it is closed already
        connected.shutdown(socket.SHUT_RDWR)
