"""The items that wait to be written to a recording, bounded in bytes. Any thread adds, one thread takes."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Generic, TypeVar

from streamer.flow.queues import ClosableQueue

T = TypeVar("T")


class WriteQueue(ClosableQueue, Generic[T]):
    """Items in the order in which they were added. When it is full, it overruns for good or blocks the adding thread.

    Args:
        most_bytes: memory limit.
    """

    def __init__(self, most_bytes: int) -> None:
        super().__init__(most_bytes)
        self._items: deque[tuple[T, int]] = deque()
        self._bytes = 0
        self._waits = self._overrun = self._finished = False

    def wait_for_room(self) -> None:
        """From now on, block the adding thread: on a simulated clock, no frame is lost by waiting."""
        with self._changed:
            self._waits = True

    def put(self, item: T, held_bytes: int) -> None:
        """Add an item; ignored if the queue is closed, finished or has overrun."""
        with self._changed:
            if self._waits:
                self._changed.wait_for(lambda: self._closed or self._finished or self._has_room(held_bytes))
            if self._closed or self._finished or self._overrun:
                return
            if not self._has_room(held_bytes):
                self._overrun = True
            else:
                self._items.append((item, held_bytes))
                self._bytes += held_bytes
            self._changed.notify_all()

    def finish(self) -> None:
        """No more items are added; the waiting ones can still be taken."""
        with self._changed:
            self._finished = True
            self._changed.notify_all()

    @property
    def overrun(self) -> bool:
        """Whether an item was ignored because there was no room."""
        with self._changed:
            return self._overrun

    def __iter__(self) -> Iterator[T]:
        """The items until `finish`, `close`, or the first item without room."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._finished or self._overrun or bool(self._items))
                if self._closed or not self._items:
                    return
                item, held_bytes = self._items.popleft()
                self._bytes -= held_bytes
                self._changed.notify_all()
            yield item

    def _has_room(self, held_bytes: int) -> bool:
        return not self._items or self._bytes + held_bytes <= self._capacity
