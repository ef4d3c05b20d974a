"""A sink with the mailbox in front of it: filled by the main thread, emptied by a thread of its own."""

from __future__ import annotations

import threading
import time

from streamer.mailbox import Mailbox
from streamer.protocols import Scene, Sink
from streamer.stats import StageTimes

SINK_CAPACITY = 4


class Outlet:
    """A sink with its mailbox. `times` belongs to the thread that writes until `finish` has returned."""

    def __init__(self, sink: Sink) -> None:
        self.sink = sink
        self.mailbox: Mailbox[Scene] = Mailbox(SINK_CAPACITY)
        self.times = StageTimes()
        self._drained = threading.Event()

    def put(self, scene: Scene) -> None:
        """Main thread: hand over a scene, waiting for room, or write it here if the sink asks for that."""
        if self.sink.main_thread:
            self._write(scene)
        else:
            self.mailbox.put(scene)

    def drain(self) -> None:
        """Sink thread: write what comes."""
        try:
            for scene in self.mailbox:
                self._write(scene)
        finally:
            self._drained.set()

    def finish(self) -> None:
        """Main thread: no more scenes; returns when the last one is written or the writing failed."""
        self.mailbox.finish()
        if not self.sink.main_thread:
            self._drained.wait()

    def _write(self, scene: Scene) -> None:
        started_s = time.perf_counter()
        self.sink.write(scene)
        self.times.add(time.perf_counter() - started_s)
