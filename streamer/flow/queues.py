"""Bounded queues between threads, in which every wait can be woken.

`BoundedQueue` is first in, first out; when it is full it blocks the writer or drops its oldest item. `ReorderBuffer`
returns results in the order of their numbers although several workers finish them in any order. Both end in one of two
ways: `finish` lets the reader drain the rest, `close` wakes all threads at once. Thread-safe.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Closed(Exception):
    """The queue was closed: the calling thread ends."""


class ClosableQueue:
    """The base of both queues: waiting and waking."""

    def __init__(self, capacity: int) -> None:
        if capacity < 1:
            raise ValueError("a hand-off holds at least one item")
        self._capacity = capacity
        self._changed = threading.Condition()
        self._closed = False

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        with self._changed:
            return self._closed

    def close(self) -> None:
        """Wake all waiting threads with Closed; the remaining items are not delivered."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()


class BoundedQueue(ClosableQueue, Generic[T]):
    """A bounded queue.

    Args:
        capacity: the most items it holds.
        newest: when it is full, `put` drops the oldest item instead of waiting for room.
        bytes_of: memory of an item.
        most_bytes: memory limit: the queue is also full when several items together exceed it.
    """

    def __init__(
        self,
        capacity: int,
        *,
        newest: bool = False,
        bytes_of: Callable[[T], int] = lambda _: 0,
        most_bytes: int = 0,
    ) -> None:
        super().__init__(capacity)
        self._newest = newest
        self._bytes_of = bytes_of
        self._most_bytes = most_bytes
        self._bytes = 0
        self._items: deque[T] = deque()
        self._finished = False

    def __len__(self) -> int:
        """The items that wait at this moment."""
        with self._changed:
            return len(self._items)

    def put(self, item: T, *, waits: bool = False) -> T | None:
        """Add an item, waiting for room; with `newest`, returns the item that was dropped for it.

        Args:
            item: what is added.
            waits: wait for room even with `newest`.

        Raises:
            Closed: the queue was closed or finished.
        """
        with self._changed:
            if waits or not self._newest:
                self._changed.wait_for(lambda: self._closed or self._finished or not self._full())
            if self._closed or self._finished:
                raise Closed
            dropped = self._pop() if self._full() else None
            self._items.append(item)
            self._bytes += self._bytes_of(item)
            self._changed.notify_all()
            return dropped

    def _full(self) -> bool:
        return len(self._items) >= self._capacity or (len(self._items) > 1 and self._bytes > self._most_bytes)

    def _pop(self) -> T:
        item = self._items.popleft()
        self._bytes -= self._bytes_of(item)
        return item

    def get(self, timeout_s: float | None = None) -> T:
        """Take the oldest item, waiting for one.

        Raises:
            Closed: the queue was closed, or finished and is empty.
            TimeoutError: no item came within `timeout_s`.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self._closed or self._finished or bool(self._items), timeout_s):
                raise TimeoutError
            if self._closed or not self._items:
                raise Closed
            item = self._pop()
            self._changed.notify_all()
            return item

    def __iter__(self) -> Iterator[T]:
        """The items until `finish`, including those that wait then. Raises Closed after `close`."""
        while True:
            try:
                item = self.get()
            except Closed:
                if self._closed:
                    raise
                return
            yield item

    def finish(self) -> None:
        """No more items are added; the waiting ones can still be taken."""
        with self._changed:
            self._finished = True
            self._changed.notify_all()

    def take_rest(self) -> list[T]:
        """The items that waited when the queue was closed, oldest first."""
        with self._changed:
            rest = list(self._items)
            self._items.clear()
            self._bytes = 0
            return rest


class ReorderBuffer(ClosableQueue, Generic[T]):
    """Items with consecutive numbers from 0, taken in that order.

    A worker that is ahead waits in `put`, so at most `capacity` items are held; the worker with the next number never
    waits.
    """

    def __init__(self, capacity: int) -> None:
        super().__init__(capacity)
        self._items: dict[int, T] = {}
        self._next = 0
        self._end: int | None = None

    def put(self, number: int, item: T) -> None:
        """Add item `number`, waiting while it is too far ahead. Raises Closed after `close`."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or number - self._next < self._capacity)
            if self._closed:
                raise Closed
            self._items[number] = item
            self._changed.notify_all()

    def __iter__(self) -> Iterator[T]:
        """The items in order, `finish` of them. Raises Closed after `close`."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._next == self._end or self._next in self._items)
                if self._closed:
                    raise Closed
                if self._next == self._end:
                    return
                item = self._items.pop(self._next)
                self._next += 1
                self._changed.notify_all()
            yield item

    def finish(self, count: int) -> None:
        """There are `count` items altogether."""
        with self._changed:
            self._end = count
            self._changed.notify_all()
