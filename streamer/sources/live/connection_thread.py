"""One connection to a live input with the thread that opens, reads and closes it."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from streamer.flow.queues import BoundedQueue, Closed
from streamer.interfaces import Damage, StreamInfo
from streamer.sources.live.audio import LiveAudio
from streamer.sources.live.connection import AudioConnection, Connector, LiveFrame, LivePacket
from streamer.sources.live.interrupt import interruptible
from streamer.values.states import DropCause, FrameState


@dataclass(frozen=True, slots=True)
class Ended:
    """A connection has ended, by itself or with an error."""

    error: BaseException | None


Item = StreamInfo | LiveFrame | Damage | Ended | None
"""What a line says: what the pictures are (before the first), pictures, losses, nothing yet, the end."""
LATE = DropCause.NOT_TAKEN
"""What the ledger calls pictures that came while nobody took any (a model that loads)."""
Inbox = BoundedQueue[tuple[int, Item]]
"""Where lines say it, each with its number."""


class ConnectionThread:
    """Connects, reads until the end or until it is given up, and closes; all on a thread of its own.

    Args:
        number: what it signs with.
        connector: makes the connection.
        inbox: where it tells what comes; closing it ends the line, too.
        sound: where the packets of other streams go.
    """

    def __init__(self, number: int, connector: Connector, inbox: Inbox, sound: LiveAudio) -> None:
        self._number = number
        self._connector = connector
        self._inbox = inbox
        self._sound = sound
        self._cancelled = threading.Event()
        self._late = 0  # pictures that nobody took in time
        self._thread = threading.Thread(target=self._run, name=f"streamer-connection-{number}", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def give_up(self) -> None:
        """Any thread: what it reads is not wanted any more; it closes the connection as soon as it can."""
        self._cancelled.set()

    def join(self, timeout_s: float) -> None:
        """Wait for the thread's end."""
        self._thread.join(timeout_s)

    def _is_active(self) -> bool:
        return not self._cancelled.is_set() and not self._inbox.closed

    def _run(self) -> None:
        try:
            with interruptible(self._is_active):
                ended = Ended(self._read())
            # Nothing newer will come, so that nothing older has to go.
            self._tell_late(waits=True)
            self._say(ended, waits=True)
        except Closed:
            return

    def _read(self) -> BaseException | None:
        try:
            connection = self._connector.connect(self._is_active)
            try:
                told = False
                streams = connection.streams if isinstance(connection, AudioConnection) else ()
                self._sound.begin(self._number, streams)
                self._say(None)  # it is open
                for item in connection.frames():
                    if isinstance(item, LivePacket):
                        if not self._is_active():
                            raise Closed
                        if item.stream not in streams and isinstance(connection, AudioConnection):
                            streams = connection.streams
                            self._sound.change(self._number, streams)
                        self._sound.put(self._number, item)
                        continue
                    if not told and isinstance(item, LiveFrame):
                        self._say(connection.info)
                        told = True
                    self._say(item)
            finally:
                connection.close()
        except Closed:
            raise
        except BaseException as error:
            return error
        return None

    def _say(self, item: Item, *, waits: bool = False) -> None:
        if not self._is_active():
            raise Closed
        dropped = self._inbox.put((self._number, item), waits=waits)
        if dropped is None:
            self._tell_late(waits=waits)  # where that costs no other picture its place
            return
        number, lost = dropped
        if isinstance(lost, LiveFrame):
            self._late += 1
        elif isinstance(lost, Damage):
            self._late += lost.frames
        elif isinstance(lost, StreamInfo) and number == self._number:
            self._say(lost)  # nobody can do without it

    def _tell_late(self, *, waits: bool) -> None:
        if self._late:
            late, self._late = self._late, 0
            self._say(Damage(LATE, late, state=FrameState.DROPPED), waits=waits)
