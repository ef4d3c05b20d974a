"""The parts that workers have finished and the join has not taken yet. Any thread.

The pool puts parts in, in any order, and the join takes them in order. How many there can be is bounded by the pool,
which gives no part out that lies too far ahead of what the join needs.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from streamer.errors import Interrupted, StreamerError
from streamer.parts.values import PartDetections


@dataclass(frozen=True, slots=True)
class PoolStatus:
    """What a pool is doing.

    Attributes:
        parts: all.
        done: parts that are detected.
        again: how often a part was given to another worker, because its worker ended.
        started: workers that Ray has started.
        workers: those that have loaded the detector.
        wanted: workers that Ray was asked for.
    """

    parts: int
    done: int = 0
    again: int = 0
    started: int = 0
    workers: int = 0
    wanted: int = 0

    def __str__(self) -> str:
        workers = str(self.workers) if self.workers == self.wanted else f"{self.workers} of {self.wanted}"
        return f"{self.done}/{self.parts} parts, {workers} worker{'s' * (self.wanted != 1)}"


class Deliveries:
    """Parts on their way to the join.

    Args:
        parts: how many there are.
        needed: called when the join needs a part, with its number; must return quickly.
    """

    def __init__(self, parts: int, needed: Callable[[int], None]) -> None:
        self._changed = threading.Condition()  # guards all below
        self._parts: dict[int, PartDetections | None] = {}
        self._error: StreamerError | None = None
        self._closed = False
        self._status = PoolStatus(parts)
        self._needed = needed

    @property
    def status(self) -> PoolStatus:
        """What the pool is doing now."""
        with self._changed:
            return self._status

    def show(self, status: PoolStatus) -> None:
        """Pool: the status has changed."""
        with self._changed:
            self._status = status
            self._changed.notify_all()

    def put(self, number: int, part: PartDetections | None) -> None:
        """Pool: a part is complete, or will not come (None)."""
        with self._changed:
            self._parts.setdefault(number, part)
            self._changed.notify_all()

    def fail(self, error: StreamerError) -> None:
        """Pool: no more parts come."""
        with self._changed:
            self._error = self._error or error
            self._changed.notify_all()

    def close(self) -> None:
        """No more parts are needed; wakes every wait."""
        with self._changed:
            self._closed = True
            self._parts.clear()
            self._changed.notify_all()

    def take(self, number: int) -> PartDetections | None:
        """Wait for a part. Those before it are dropped.

        Raises:
            Interrupted: `close` was called.
            StreamerError: the pool has failed.
        """
        self._needed(number)
        with self._changed:
            for earlier in [one for one in self._parts if one < number]:
                del self._parts[earlier]
            self._changed.wait_for(lambda: number in self._parts or self._closed or self._error is not None)
            if self._closed:
                raise Interrupted
            if number not in self._parts:
                assert self._error is not None
                raise self._error
            return self._parts[number]

    def wait_for_worker(self, timeout_s: float) -> bool:
        """Wait until a worker has loaded the detector; False if the time is over.

        Raises:
            Interrupted: `close` was called.
            StreamerError: the pool has failed.
        """

        def is_known() -> bool:
            return bool(self._status.workers or self._status.done) or self._closed or self._error is not None

        with self._changed:
            known = self._changed.wait_for(is_known, timeout_s)
            if self._error is not None:
                raise self._error
            if self._closed:
                raise Interrupted
            return known
