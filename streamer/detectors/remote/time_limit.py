"""Sockets with one time limit for a whole request, and a way for another thread to end it.

The time limits of HTTP libraries are for single reads: a server that sends a byte now and then would hold its caller.
These sockets wait, in each of their calls, no longer than what is left of the limit. They also notice a server that has
disappeared.
"""

from __future__ import annotations

import socket
import ssl
import time
from contextlib import suppress
from threading import Lock
from typing import Any

CONNECT_S = 5.0
"""Longest wait for a connection, however long the answer may take: a host that comes back answers the next attempt."""
_LIMIT = "time_limit"
"""The attribute of the sockets below that has their `TimeLimit`."""
_PROBE_AFTER_S, _PROBE_EVERY_S, _PROBES = 5, 2, 3
"""A host that was switched off sends nothing. The system then asks for an answer: after so long, so often, so many
times."""
_UNACKNOWLEDGED_MS = 11_000
"""A host that was switched off while it got a frame does not acknowledge it; the connection then ends after so long."""


class TimeLimit:
    """The limit of the requests of one connection, one at a time.

    The names of hosts are looked up by the system, with its own limit.
    """

    def __init__(self) -> None:
        self._ends_s = self._connect_s = 0.0  # of the request; used by its thread only
        self._lock = Lock()  # guards the two below
        self._socket: socket.socket | None = None
        self._closed = False

    def begin(self, limit_s: float, connect_s: float = CONNECT_S) -> None:
        """A request begins, and takes no longer than this; a connection that it needs, no longer than `connect_s`."""
        self._ends_s, self._connect_s = time.monotonic() + limit_s, connect_s

    def left_s(self) -> float:
        """What is left for the request.

        Raises:
            TimeoutError: nothing.
        """
        left_s = self._ends_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError("timed out")
        return left_s

    def connect(self, host: str, port: int) -> LimitedSocket:
        """A connection to the first address of the host that answers. All of them share the time for it.

        Raises:
            OSError: none of them answers, or the host is not known.
        """
        found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
        ends_s = time.monotonic() + min(self._connect_s, self.left_s())
        failure: OSError = OSError("the host has no address")
        for number, (family, kind, protocol, _, address) in enumerate(found):
            made = LimitedSocket(family, kind, protocol)
            made.time_limit = self
            try:
                made.settimeout(max(ends_s - time.monotonic(), 1e-3) / (len(found) - number))
                for option in _socket_options():
                    made.setsockopt(*option)
                self.attach(made)
                made.connect(address)
                self.attach(made)  # `close` may have come between
                return made
            except OSError as error:
                made.close()
                failure = error
        raise failure

    def limit(self, context: ssl.SSLContext) -> None:
        """From now on the TLS sockets of a context have this limit."""
        context.sslsocket_class = type("LimitedTlsSocket", (LimitedTlsSocket,), {_LIMIT: self})

    def attach(self, used: socket.socket) -> None:
        """The socket that `close` ends.

        Raises:
            ConnectionAbortedError: after `close`.
        """
        with self._lock:
            self._socket = used
            if self._closed:
                _shut_down(used)
                raise ConnectionAbortedError("closed")

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

    def do_handshake(self, block: bool = False) -> None:
        self.time_limit.attach(self)
        self.settimeout(self.time_limit.left_s())
        super().do_handshake(block)

    def recv_into(self, *arguments: Any) -> int:
        self.settimeout(self.time_limit.left_s())
        return super().recv_into(*arguments)

    def send(self, *arguments: Any) -> int:
        self.settimeout(self.time_limit.left_s())
        return super().send(*arguments)


def _shut_down(used: socket.socket) -> None:
    with suppress(OSError, ValueError):  # it is closed already
        # That of TLS sockets would also forget the state that their own thread uses.
        socket.socket.shutdown(used, socket.SHUT_RDWR)


def _socket_options() -> list[tuple[int, int, int]]:
    named = {
        "TCP_NODELAY": 1,
        "TCP_KEEPIDLE": _PROBE_AFTER_S,
        "TCP_KEEPINTVL": _PROBE_EVERY_S,
        "TCP_KEEPCNT": _PROBES,
        "TCP_USER_TIMEOUT": _UNACKNOWLEDGED_MS,
    }
    return [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)] + [
        (socket.IPPROTO_TCP, getattr(socket, name), value) for name, value in named.items() if hasattr(socket, name)
    ]
