"""The connections of one live source, one after the other. Only the items of the newest one are used.

Created and released by the main thread, used by the capture thread in between.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from streamer.errors import SourceLost
from streamer.flow.queues import BoundedQueue
from streamer.sources.live.audio import LiveAudio
from streamer.sources.live.connection import Connector, LiveFrame
from streamer.sources.live.connection_thread import ConnectionThread, Ended, Item, ItemQueue
from streamer.values.frame import held_bytes

log = logging.getLogger(__name__)

HUNG = "hung"
"""The cause of the error when too many connections hang and no new one is made."""
_MAX_ABANDONED = 8
_JOIN_S = 0.7
_QUEUE_CAPACITY = 64
"""Frames that wait for the capture thread, which takes them at once: more than one burst."""
_QUEUE_BYTES = 128 << 20


class Connections:
    """Makes connections, reads the newest, and counts what arrives from older ones as lost.

    Args:
        connector: opens the connections.
        lost: gets the items of connections that are no longer in use.
        audio: gets the audio packets.
    """

    def __init__(self, connector: Connector, lost: Callable[[Item], None], audio: LiveAudio) -> None:
        self._connector = connector
        self._lost = lost
        self._audio = audio
        self._queue: ItemQueue = BoundedQueue(
            _QUEUE_CAPACITY, newest=True, bytes_of=_held_bytes, most_bytes=_QUEUE_BYTES
        )
        self._threads: list[ConnectionThread] = []  # those that may still run; the last one is in use
        self._made = 0

    def connect(self) -> None:
        """Start a new connection."""
        self._made += 1
        self._threads.append(ConnectionThread(self._made, self._connector, self._queue, self._audio))

    def next(self, since_s: float, limit_s: float) -> Item:
        """The next item of the connection in use.

        Args:
            since_s: monotonic clock of the last progress.
            limit_s: time limit without progress.

        Raises:
            SourceLost: the limit has passed.
            Closed: `stop` was called.
            BaseException: the error with which the connection ended.
        """
        while True:
            left_s = since_s + limit_s - time.monotonic()
            try:
                number, item = self._queue.get(max(left_s, 0.0))
            except TimeoutError:
                number, item, left_s = self._made, None, 0.0
            if number != self._made:
                self._lost(item)
            elif item is None and left_s <= 0:
                raise SourceLost(f"{self._connector.name}: stalled, no data for {limit_s:.3g} s", "stalled")
            elif isinstance(item, Ended) and item.error is not None:
                raise item.error
            else:
                return item

    def sleep(self, duration_s: float) -> None:
        """Wait while no connection is in use. Raises Closed when `stop` is called."""
        until_s = time.monotonic() + duration_s
        while (left_s := until_s - time.monotonic()) > 0:
            try:
                self._lost(self._queue.get(left_s)[1])
            except TimeoutError:
                return

    def drop(self) -> None:
        """Cancel the connection in use.

        Raises:
            SourceLost: too many connections hang and cannot be ended; the cause is `HUNG`.
        """
        self._threads[-1].cancel()
        self._threads = [thread for thread in self._threads if thread.alive]
        if len(self._threads) > _MAX_ABANDONED:
            hang = f"{len(self._threads)} connections hang and cannot be ended; restart the program"
            raise SourceLost(f"{self._connector.name}: {hang}", HUNG)

    def stop(self) -> None:
        """Any thread: wake every wait; the connections close themselves."""
        self._queue.close()

    def release(self) -> None:
        """Stop, and wait for the threads; a thread that hangs in a read is abandoned."""
        self.stop()
        until_s = time.monotonic() + _JOIN_S
        for thread in self._threads:
            thread.join(max(until_s - time.monotonic(), 0.0))
            if thread.alive:
                log.info("%s: a read did not end in time; its thread is abandoned", self._connector.name)


def _held_bytes(entry: tuple[int, Item]) -> int:
    return held_bytes(entry[1].picture) if isinstance(entry[1], LiveFrame) else 0
