"""A sink with its queue: filled by the display thread, drained by a thread of its own."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from streamer.errors import SinkError
from streamer.flow.queues import BoundedQueue, Closed
from streamer.flow.stats import RunStats
from streamer.interfaces import ConnectedSink, EventSink, Scene, Sink, WaitingSink
from streamer.values.frame import held_bytes

log = logging.getLogger(__name__)

SINK_CAPACITY = 4
LIVE_CAPACITY = 2
KEPT_CAPACITY = 10_000
KEPT_BYTES = 256 << 20
"""Memory limit of the queue of a live output that keeps all scenes."""


class SinkWorker:
    """Writes scenes to a sink.

    Args:
        sink: entered and left by the caller.
        name: of the sink in the figures.
        stats: where write times, ages of frames and skipped scenes are counted.
        live: a slow sink loses the oldest scene instead of blocking the run, and the failure of a sink is only logged
            unless it is `required`.
        required: the failure of the sink ends the run.
        keep_all: of a live run: scenes wait for a slow sink until they hold `KEPT_BYTES`; otherwise the two newest.
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
        self._queue: BoundedQueue[Scene] = (
            BoundedQueue(KEPT_CAPACITY, newest=True, bytes_of=_held_bytes, most_bytes=KEPT_BYTES)
            if self._keep_all
            else BoundedQueue(LIVE_CAPACITY if live else SINK_CAPACITY, newest=live)
        )
        self._behind = False  # display thread only
        self._drained = threading.Event()
        self._failed = False  # set by the sink thread before `_drained`
        self._skipped = 0  # by the sink itself; sink thread only

    @property
    def keeps_all(self) -> bool:
        """Whether scenes of a live run wait for the sink."""
        return self._keep_all

    def put(self, scene: Scene) -> None:
        """Display thread: queue a scene, or write it here if the sink requires this thread. Blocks for files only."""
        if self.sink.main_thread and not self._queue.closed:
            with self._survived():
                self._write(scene)
            return
        try:
            skipped = self._queue.put(scene)
        except Closed:
            if self._required:
                raise
            skipped = scene  # the sink failed, which was logged
        if skipped is not None:
            self._stats.count("skipped", self.name)
        waiting = len(self._queue)
        self._stats.gauge("queue_depth", self.name, waiting)
        if self._keep_all and not self._queue.closed:
            self._warn_if_behind(skipped=skipped is not None, waiting=waiting)

    def _warn_if_behind(self, *, skipped: bool, waiting: int) -> None:
        """Log once that scenes are skipped, and again only after the sink has caught up."""
        if skipped and not self._behind:
            self._behind = True
            log.warning("%s does not keep up: its queue is full, and scenes are skipped", self.name)
        elif waiting <= 1:
            self._behind = False

    def drain(self) -> None:
        """Sink thread: write the scenes of the queue."""
        try:
            with self._survived():
                for scene in self._queue:
                    self._write(scene)
        finally:
            self._drained.set()

    def finish(self, deadline_s: float | None = None) -> None:
        """Display thread: no more scenes; wait until the last one is written, writing fails, or the deadline is over.

        Args:
            deadline_s: the longest wait, for a sink that keeps all scenes the longest wait for one scene; no limit if
                None.
        """
        self._queue.finish()
        if self.sink.main_thread:
            return
        waiting = len(self._queue)
        while not self._drained.wait(deadline_s):
            left = len(self._queue)
            if not self._keep_all or left == waiting:
                log.warning("%s did not write the last frames within %.1f s", self.name, deadline_s)
                return
            waiting = left

    def write_end(self, scene: Scene | None) -> None:
        """Display thread, after the threads were joined: give a sink of events those that it lacks.

        These are the events of scenes that still waited when the run failed, and the final events of the run. A sink
        that failed, or whose thread hangs, does not get them.

        Args:
            scene: the last one, with the final events; None if there are none.
        """
        if not isinstance(self.sink, EventSink) or not self._drained.is_set() or self._failed:
            return
        with self._survived():
            for waiting in self._queue.take_rest():
                if waiting.watched.events:
                    self.sink.write(waiting)
            if scene is not None:
                self.sink.write_end(scene)

    def release(self) -> None:
        """Any thread: the run ends, so the sink must not wait for a person any more."""
        if isinstance(self.sink, WaitingSink):
            self.sink.release()

    def close(self) -> None:
        """Any thread: discard the queue."""
        self._queue.close()

    @contextmanager
    def _survived(self) -> Iterator[None]:
        """Log a failure of a sink that is not required, and give it no more scenes."""
        try:
            yield
        except Closed:
            raise
        except BaseException as error:
            self._failed = True
            if self._required or not isinstance(error, SinkError):
                raise
            self._queue.close()
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


def build_sink_workers(
    sinks: Sequence[Sink], stats: RunStats, *, live: bool, optional: Sequence[Sink], keep_all: Sequence[Sink]
) -> tuple[SinkWorker, ...]:
    """A worker for each sink, named after its stage; further sinks of a stage get a number."""
    workers, stages = [], [sink.stage for sink in sinks]
    for at, sink in enumerate(sinks):
        before = stages[:at].count(sink.stage)
        name = f"{sink.stage} {before + 1}" if before else sink.stage
        required, keeps = sink not in optional, sink in keep_all
        workers.append(SinkWorker(sink, name, stats, live=live, required=required, keep_all=keeps))
    return tuple(workers)


def finish_sink_workers(sink_workers: Sequence[SinkWorker], deadline_s: float | None) -> None:
    """Display thread: no more scenes; wait until the last ones are written.

    Args:
        sink_workers: those of a run.
        deadline_s: the longest wait for all of them, and for each scene of one that keeps all; no limit if None.
    """
    until_s = time.monotonic() + (deadline_s or 0.0)
    for worker in sink_workers:
        left_s = None if deadline_s is None else max(until_s - time.monotonic(), 0.0)
        worker.finish(deadline_s if worker.keeps_all else left_s)


def _held_bytes(scene: Scene) -> int:
    drawn = 0 if scene.shown is scene.frame.picture else held_bytes(scene.shown)
    return held_bytes(scene.frame.picture) + drawn
