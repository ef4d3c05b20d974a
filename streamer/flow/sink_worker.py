"""A sink with the mailbox in front of it: filled by the main thread, emptied by a thread of its own."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from streamer.errors import SinkError
from streamer.flow.queues import BoundedQueue, Closed
from streamer.flow.stats import RunStats
from streamer.interfaces import ConnectedSink, Scene, Sink, WaitingSink
from streamer.values.frame import held_bytes

log = logging.getLogger(__name__)

SINK_CAPACITY = 4
LIVE_CAPACITY = 2
KEPT_CAPACITY = 10_000
KEPT_BYTES = 256 << 20
"""What scenes that wait for an output of a live run which keeps all may hold."""


class SinkWorker:
    """A sink with its mailbox.

    Args:
        sink: entered and left by others.
        name: what the figures call it.
        stats: told how long writing took, how old pictures were then, and how many scenes were skipped.
        live: a sink that is slow loses the oldest scene instead of holding the run, and one that fails is only said,
            unless it is `required`.
        required: its failure ends the run.
        keep_all: of a live run, scenes wait for a sink that is slow for a while, until they hold `KEPT_BYTES`;
            otherwise the two newest.
    """

    def __init__(
        self,
        sink: Sink,
        name: str,
        stats: RunStats,
        *,
        live: bool = False,
        required: bool = True,
        keep_all: bool = False,
    ) -> None:
        self.sink = sink
        self.name = name
        self._stats = stats
        self._live = live
        self._required = required or not live
        self._keep_all = keep_all and live
        self._mailbox: BoundedQueue[Scene] = (
            BoundedQueue(KEPT_CAPACITY, newest=True, bytes_of=_held_bytes, most_bytes=KEPT_BYTES)
            if self._keep_all
            else BoundedQueue(LIVE_CAPACITY if live else SINK_CAPACITY, newest=live)
        )
        self._behind = False  # main thread only
        self._drained = threading.Event()
        self._skipped = 0  # by the sink itself; sink thread only

    @property
    def keeps_all(self) -> bool:
        """Whether scenes of a live run wait for it."""
        return self._keep_all

    def put(self, scene: Scene) -> None:
        """Main thread: hand over a scene, or write it here if the sink asks for that. Waits for room only in a file."""
        if self.sink.main_thread and not self._mailbox.closed:
            with self._survived():
                self._write(scene)
            return
        try:
            skipped = self._mailbox.put(scene)
        except Closed:
            if self._required:
                raise
            skipped = scene  # it failed for good, which was said
        if skipped is not None:
            self._stats.count("skipped", self.name)
        waiting = len(self._mailbox)
        self._stats.gauge("queue_depth", self.name, waiting)
        if self._keep_all and not self._mailbox.closed:
            self._tell_behind(lost=skipped is not None, waiting=waiting)

    def _tell_behind(self, *, lost: bool, waiting: int) -> None:
        """Say once that pictures are left out, and again after it had caught up."""
        if lost and not self._behind:
            self._behind = True
            log.warning(
                "%s does not keep up: pictures are left out of it (the memory for waiting ones is full)", self.name
            )
        elif waiting <= 1:
            self._behind = False

    def drain(self) -> None:
        """Sink thread: write what comes."""
        try:
            with self._survived():
                for scene in self._mailbox:
                    self._write(scene)
        finally:
            self._drained.set()

    def finish(self, deadline_s: float | None = None) -> None:
        """Main thread: no more scenes; returns when the last one is written, the writing failed, or it takes too long.

        Args:
            deadline_s: the longest wait, and where all are kept the longest without one being written; for ever if
                None.
        """
        self._mailbox.finish()
        if self.sink.main_thread:
            return
        waiting = len(self._mailbox)
        while not self._drained.wait(deadline_s):
            left = len(self._mailbox)
            if not self._keep_all or left == waiting:
                log.warning("%s did not take the last pictures within %.1f s", self.name, deadline_s)
                return
            waiting = left

    def release(self) -> None:
        """Any thread: the run ends, so nothing waits for a person any more."""
        if isinstance(self.sink, WaitingSink):
            self.sink.release()

    def close(self) -> None:
        """Any thread: whatever waits here is not written any more."""
        self._mailbox.close()

    @contextmanager
    def _survived(self) -> Iterator[None]:
        """Say a failure of the sink that the run survives, and take nothing more for it."""
        try:
            yield
        except SinkError as error:
            if self._required:
                raise
            self._mailbox.close()
            log.warning("%s; the run goes on without it", error)

    def _write(self, scene: Scene) -> None:
        started_s = time.perf_counter()
        self.sink.write(scene)
        self._stats.add_time(self.name, time.perf_counter() - started_s)
        if isinstance(self.sink, ConnectedSink):
            self._stats.gauge("sink_connected", self.name, self.sink.connected)
            self._stats.count("skipped", self.name, self.sink.skipped - self._skipped)
            self._skipped = self.sink.skipped
        if self._live:
            self._stats.count("written", self.name)
            self._stats.add_age(self.name, time.monotonic() - scene.frame.captured_s)


def _held_bytes(scene: Scene) -> int:
    drawn = 0 if scene.picture is None or scene.picture is scene.frame.picture else held_bytes(scene.picture)
    return held_bytes(scene.frame.picture) + drawn
