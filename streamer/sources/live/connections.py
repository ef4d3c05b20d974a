"""The connections of one live source, one after the other, and what the one in use says.

Made and left by the main thread, used by the capture thread in between.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from streamer.errors import SourceLost
from streamer.flow.queues import BoundedQueue
from streamer.sources.live.audio import LiveAudio
from streamer.sources.live.connection import Connector, LiveFrame
from streamer.sources.live.connection_thread import ConnectionThread, Ended, Inbox, Item
from streamer.values.frame import held_bytes

log = logging.getLogger(__name__)

HUNG = "hung"
"""The cause where connections hang for good and no other is made."""
_LEFT_BEHIND_MOST = 8
_JOIN_S = 0.7
_INBOX_CAPACITY = 64
"""Pictures that wait for the capture thread, which takes them at once: more than one burst."""
_INBOX_BYTES = 128 << 20


class Connections:
    """Makes lines, reads the newest, and drops what older ones still say.

    Args:
        connector: makes the connections.
        lost: told of what a line says that is not in use any more.
        sound: where the packets of other streams go.
    """

    def __init__(self, connector: Connector, lost: Callable[[Item], None], sound: LiveAudio) -> None:
        self._connector = connector
        self._lost = lost
        self._sound = sound
        self._inbox: Inbox = BoundedQueue(_INBOX_CAPACITY, newest=True, bytes_of=_held_bytes, most_bytes=_INBOX_BYTES)
        self._connections: list[ConnectionThread] = []  # those whose threads may live; the last one is in use
        self._made = 0

    def connect(self) -> None:
        """Begin another connection."""
        self._made += 1
        self._connections.append(ConnectionThread(self._made, self._connector, self._inbox, self._sound))

    def next(self, since_s: float, limit_s: float) -> Item:
        """The next thing that the line in use says.

        Args:
            since_s: monotonic clock when something came last.
            limit_s: nothing may come for so long.

        Raises:
            SourceLost: it is too late.
            Closed: `stop` was called.
            BaseException: what the line failed with.
        """
        while True:
            left_s = since_s + limit_s - time.monotonic()
            try:
                number, item = self._inbox.get(max(left_s, 0.0))
            except TimeoutError:
                number, item, left_s = self._made, None, 0.0
            if number != self._made:
                self._lost(item)
            elif item is None and left_s <= 0:
                raise SourceLost(f"{self._connector.name}: stalled, nothing came for {limit_s:.3g} s", "stalled")
            elif isinstance(item, Ended) and item.error is not None:
                raise item.error
            else:
                return item

    def sleep(self, duration_s: float) -> None:
        """Wait, with no line in use. Raises Closed when `stop` is called."""
        until_s = time.monotonic() + duration_s
        while (left_s := until_s - time.monotonic()) > 0:
            try:
                self._lost(self._inbox.get(left_s)[1])
            except TimeoutError:
                return

    def drop(self) -> None:
        """Give up the line in use.

        Raises:
            SourceLost: too many hang and cannot be ended; the cause is `HUNG`.
        """
        self._connections[-1].give_up()
        self._connections = [line for line in self._connections if line.alive]
        if len(self._connections) > _LEFT_BEHIND_MOST:
            hang = f"{len(self._connections)} connections hang and cannot be ended; start the program again"
            raise SourceLost(f"{self._connector.name}: {hang}", HUNG)

    def stop(self) -> None:
        """Any thread: wake every wait; the connections close themselves."""
        self._inbox.close()

    def release(self) -> None:
        """Stop, and wait for the threads; one that hangs in a read is left behind."""
        self.stop()
        until_s = time.monotonic() + _JOIN_S
        for line in self._connections:
            line.join(max(until_s - time.monotonic(), 0.0))
            if line.alive:
                log.info("%s: a read did not end in time and was left behind", self._connector.name)


def _held_bytes(said: tuple[int, Item]) -> int:
    return held_bytes(said[1].picture) if isinstance(said[1], LiveFrame) else 0
