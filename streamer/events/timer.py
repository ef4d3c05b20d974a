"""Calls functions at a later time, on one thread for the whole program."""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from streamer.system.threads import Thread

log = logging.getLogger(__name__)

JOIN_S = 2.0
"""How long leaving waits for a call in progress."""


class Timer:
    """Calls functions at times of the monotonic clock. Calls are short; leaving drops those that are not due.

    Any thread may call `at` and `cancel`.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()  # guards all below
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count(1)
        self._waiting: set[int] = set()
        self._ended = False
        self._thread = Thread("timer", self._run, shared=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self._changed:
            self._ended = True
            self._changed.notify()
        self._thread.join(JOIN_S)

    def at(self, time_s: float, call: Callable[[], None]) -> int:
        """Call a function at a time of the monotonic clock; returns a number for `cancel`."""
        with self._changed:
            number = next(self._numbers)
            self._waiting.add(number)
            heapq.heappush(self._due, (time_s, number, call))
            self._changed.notify()
        return number

    def cancel(self, number: int) -> None:
        """Do not make a call, unless it is in progress or was made."""
        with self._changed:
            self._waiting.discard(number)

    def _run(self) -> None:
        while (call := self._next()) is not None:
            try:
                call()
            except Exception:  # a bug in one call does not lose the others
                log.exception("an error of the program")

    def _next(self) -> Callable[[], None] | None:
        """Wait for the next call that is due; None at the end."""
        with self._changed:
            while not self._ended:
                left_s = self._due[0][0] - time.monotonic() if self._due else None
                if left_s is None or left_s > 0:
                    self._changed.wait(left_s)
                    continue
                _, number, call = heapq.heappop(self._due)
                if number in self._waiting:
                    self._waiting.remove(number)
                    return call
        return None
