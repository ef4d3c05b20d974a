"""The program under test: the real pipeline with a real live source, in a thread.

The thread of the lab makes, starts and stops a rig; the frames that come out go into `SeenFrames`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass, field

import numpy as np

from streamer.config.source import SourceSettings
from streamer.errors import Interrupted
from streamer.flow.stats import RunStats
from streamer.interfaces import Sink, StreamInfo
from streamer.pipeline import Pipeline
from streamer.sources.live.connection import Connector
from streamer.sources.live.live import LiveSource
from streamer.values.frame import Frame
from streamer.values.labels import LabelTable
from tests.faults.lab.seen_frames import DETECTED, SHOWN, SeenFrame, SeenFrames
from tracking.iou import IouTracker
from tracking.types import Detections

STALL_S = 2.0
"""Of the lab; the program's own is 5 s. A shorter limit makes twenty repetitions faster."""
END_WITHIN_S = 20.0


class OneBox:
    """A detector that returns one box at once; `before` runs first and may wait or raise."""

    labels = LabelTable(("thing",))

    def __init__(self, seen: SeenFrames, before: Callable[[], None] = lambda: None) -> None:
        self._seen = seen
        self._before = before

    def detect(self, frame: Frame) -> Detections:
        self._before()
        self._seen.put(SeenFrame(DETECTED, time.monotonic(), frame.picture, captured_s=frame.captured_s))
        return Detections(np.array([[1, 1, 30, 30]]), np.array([0.9]), np.array([0]))

    def close(self) -> None:
        """Nothing to release."""


@dataclass(frozen=True)
class Setup:
    """The parts of a rig.

    Attributes:
        connector: the source.
        longest_wait_s: between two attempts; the program's own is 30 s.
        before_detection: runs in the detector before each frame; may wait or raise.
        sinks: make the outputs from the `StreamInfo` of the source.
    """

    connector: Connector
    longest_wait_s: float = 30.0
    before_detection: Callable[[], None] = lambda: None
    sinks: Sequence[Callable[[StreamInfo], Sink]] = field(default=())


class Rig:
    """One run of the program, from start to end.

    Args:
        setup: its parts.
        seen: takes the frames that it shows and detects.
    """

    def __init__(self, setup: Setup, seen: SeenFrames) -> None:
        self.stats = RunStats()
        self._setup = setup
        self._seen = seen
        settings = SourceSettings(stall_s=STALL_S, longest_wait_s=setup.longest_wait_s, retry_at_start=True)
        self._source = LiveSource(setup.connector, settings, self.stats)
        self._pipeline: Future[Pipeline] = Future()
        self._ended: Future[float] = Future()
        self._thread = threading.Thread(target=self._run, name="rig", daemon=True)
        self._thread.start()

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return not self._ended.done()

    def stop(self) -> float:
        """Ask it to end, as SIGTERM does, and wait for it; returns how long that took, seconds.

        Raises:
            TimeoutError: it did not end.
            Exception: the error of the run.
        """
        asked_s = time.monotonic()
        self.ask_to_end()
        return self._ended.result(END_WITHIN_S) - asked_s

    def ask_to_end(self) -> None:
        """Ask it to end, without waiting."""
        self._source.stop()
        if self._pipeline.done():
            self._pipeline.result().stop()

    def wait_for_end(self, timeout_s: float) -> float:
        """When it ended by itself, monotonic. Raises the error of the run, or TimeoutError."""
        return self._ended.result(timeout_s)

    def _run(self) -> None:
        try:
            with ExitStack() as stack:
                pipeline = self._build(stack)
                self._pipeline.set_result(pipeline)
                for scene in pipeline:
                    frame = scene.frame
                    seen = SeenFrame(
                        SHOWN,
                        time.monotonic(),
                        frame.picture,
                        time=frame.pts * frame.time_base,
                        damage=frame.damage,
                        captured_s=frame.captured_s,
                        raw_pts=frame.raw_pts,
                    )
                    self._seen.put(seen)
        except Interrupted:
            self._ended.set_result(time.monotonic())
        except BaseException as error:
            self._ended.set_exception(error)
        else:
            self._ended.set_result(time.monotonic())

    def _build(self, stack: ExitStack) -> Pipeline:
        source = stack.enter_context(self._source)
        sinks = [stack.enter_context(make(source.info)) for make in self._setup.sinks]
        detector = OneBox(self._seen, self._setup.before_detection)
        return Pipeline(source, [detector], IouTracker(), sinks=sinks, optional=sinks, stats=self.stats)
