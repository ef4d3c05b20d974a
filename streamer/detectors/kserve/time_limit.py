"""Ends a blocking call on a socket when its time is over, or when another thread wants it to end.

The time limits of `requests` are for single reads and writes: a server that sends a byte now and then would hold its
caller. So a thread shuts the socket down; the call then fails at once. The thread of the caller makes the call.
"""

from __future__ import annotations

import math
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Condition
from typing import Protocol

from streamer.system.threads import Thread


class Connected(Protocol):
    """A socket, also of TLS."""

    def shutdown(self, how: int, /) -> None: ...


class TimeLimit:
    """The limit of the calls of one connection, one at a time.

    The names of hosts are looked up by the system, with its own limit.
    """

    def __init__(self) -> None:
        self._changed = Condition()  # guards all below
        self._socket: Connected | None = None
        self._ends_s = math.inf  # of the call
        self._wakes_s = math.inf  # of the thread
        self._is_over = False
        self._closed = False
        self._thread: Thread | None = None

    @contextmanager
    def within(self, limit_s: float) -> Iterator[None]:
        """A call that takes no longer; what it raises is passed on."""
        with self._changed:
            self._ends_s = time.monotonic() + limit_s
            self._is_over = self._closed
            if self._thread is None and not self._closed:
                self._thread = Thread("time-limit", self._watch, shared=True)
                self._thread.start()
            elif self._ends_s < self._wakes_s:  # else it looks in time anyway: most calls wake no thread
                self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._ends_s = math.inf

    def attach(self, connected: Connected) -> None:
        """The socket that the calls use from now on."""
        with self._changed:
            self._socket = connected
            if self._is_over:
                self._shut_down()

    @property
    def is_over(self) -> bool:
        """Whether the last call was ended from here."""
        with self._changed:
            return self._is_over

    def close(self) -> None:
        """End the call in progress and all to come. Any thread; may be called twice."""
        with self._changed:
            self._closed = self._is_over = True
            self._shut_down()
            self._changed.notify_all()

    def _watch(self) -> None:
        with self._changed:
            while not self._closed:
                left_s = self._ends_s - time.monotonic()
                if left_s <= 0:
                    self._is_over, self._ends_s = True, math.inf
                    self._shut_down()
                    continue
                self._wakes_s = self._ends_s
                self._changed.wait(None if math.isinf(left_s) else left_s)

    def _shut_down(self) -> None:
        """With the lock."""
        connected, self._socket = self._socket, None
        if connected is not None:
            with suppress(OSError, ValueError):  # it is closed already
                connected.shutdown(socket.SHUT_RDWR)
