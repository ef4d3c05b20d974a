"""What waits to be written to a recording: bounded in bytes. Any thread adds, one takes."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Generic, TypeVar

from streamer.flow.queues import ClosableQueue

T = TypeVar("T")


class Backlog(ClosableQueue, Generic[T]):
    """Items in the order in which they were added. Full, it takes no more for ever, or makes the adding thread wait.

    Args:
        most_bytes: what items may hold together.
    """

    def __init__(self, most_bytes: int) -> None:
        super().__init__(most_bytes)
        self._items: deque[tuple[T, int]] = deque()
        self._bytes = 0
        self._waits = self._overrun = self._finished = False

    def wait_for_room(self) -> None:
        """From now on adding waits: nothing is lost by it where frames do not come by themselves."""
        with self._changed:
            self._waits = True

    def put(self, item: T, held_bytes: int) -> None:
        """Add an item, or leave it out if the backlog is closed, finished or was full."""
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
        """No more items come; those that are there can still be taken."""
        with self._changed:
            self._finished = True
            self._changed.notify_all()

    @property
    def overrun(self) -> bool:
        """Whether an item was left out because there was no room."""
        with self._changed:
            return self._overrun

    def __iter__(self) -> Iterator[T]:
        """Items, until `finish` or `close`, or up to the one that found no room."""
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
