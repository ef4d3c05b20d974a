"""One connection to a live input, with the thread that opens, reads and closes it."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from streamer.flow.queues import BoundedQueue, Closed
from streamer.interfaces import Damage, StreamInfo
from streamer.sources.live.audio import LiveAudio
from streamer.sources.live.connection import AudioConnection, Connector, LiveFrame, LivePacket
from streamer.sources.live.interrupt import interruptible
from streamer.system.threads import Thread
from streamer.values.states import DropCause, FrameState


@dataclass(frozen=True, slots=True)
class Ended:
    """A connection has ended, with an error or without one."""

    error: BaseException | None


Item = StreamInfo | LiveFrame | Damage | Ended | None
"""What a connection thread puts: the info (before the first frame), frames, losses, None for other data, the end."""
LATE = DropCause.NOT_TAKEN
"""The drop cause of frames that arrived while the capture thread took none (while a model loads)."""
ItemQueue = BoundedQueue[tuple[int, Item]]
"""Items of connection threads, each with the number of its thread."""


class ConnectionThread:
    """Connects, reads until the end or until it is cancelled, and closes.

    Args:
        number: of this connection.
        connector: opens the connection.
        queue: gets the items; closing it cancels the connection.
        audio: gets the audio packets.
    """

    def __init__(self, number: int, connector: Connector, queue: ItemQueue, audio: LiveAudio) -> None:
        self._number = number
        self._connector = connector
        self._queue = queue
        self._audio = audio
        self._cancelled = threading.Event()
        self._late = 0  # frames that were dropped from the full queue
        self._thread = Thread(f"connection-{number}", self._run)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether the thread is running."""
        return self._thread.is_alive()

    def cancel(self) -> None:
        """Any thread: close the connection as soon as possible."""
        self._cancelled.set()

    def join(self, timeout_s: float) -> None:
        """Wait for the end of the thread."""
        self._thread.join(timeout_s)

    def _is_active(self) -> bool:
        return not self._cancelled.is_set() and not self._queue.closed

    def _run(self) -> None:
        try:
            with interruptible(self._is_active):
                ended = Ended(self._read())
            # These are the last items, so they wait for space instead of replacing older ones.
            self._put_late(waits=True)
            self._put(ended, waits=True)
        except Closed:
            return

    def _read(self) -> BaseException | None:
        try:
            connection = self._connector.connect(self._is_active)
            try:
                has_info = False
                streams = connection.streams if isinstance(connection, AudioConnection) else ()
                self._audio.begin(self._number, streams)
                self._put(None)  # the connection is open
                for item in connection.frames():
                    if isinstance(item, LivePacket):
                        if not self._is_active():
                            raise Closed
                        if item.stream not in streams and isinstance(connection, AudioConnection):
                            streams = connection.streams
                            self._audio.change(self._number, streams)
                        self._audio.put(self._number, item)
                        continue
                    if not has_info and isinstance(item, LiveFrame):
                        self._put(connection.info)
                        has_info = True
                    self._put(item)
            finally:
                connection.close()
        except Closed:
            raise
        except BaseException as error:
            return error
        return None

    def _put(self, item: Item, *, waits: bool = False) -> None:
        if not self._is_active():
            raise Closed
        dropped = self._queue.put((self._number, item), waits=waits)
        if dropped is None:
            self._put_late(waits=waits)  # the queue has space, so this replaces no frame
            return
        number, lost = dropped
        if isinstance(lost, LiveFrame):
            self._late += 1
        elif isinstance(lost, Damage):
            self._late += lost.frames
        elif isinstance(lost, StreamInfo) and number == self._number:
            self._put(lost)  # it is required

    def _put_late(self, *, waits: bool) -> None:
        if self._late:
            late, self._late = self._late, 0
            self._put(Damage(LATE, late, state=FrameState.DROPPED), waits=waits)
