"""The way of a frame, read top to bottom.

    capture thread     source ──► captured (mailbox)                     reads frames, waits only for room
    detector threads   captured ──► detector ──► finished (sequencer)    one frame each at a time, put back in order
    main thread        finished ──► pacing (tracker) ──► drawing ──► sinks
    sink threads       mailbox ──► sink                                  one for each sink that is not bound to main

Nothing is dropped: every hand-off is bounded and blocks the faster side, so the number of frames in flight is fixed.
Every wait ends when `stop` is called or any thread fails; the first error is the one that is raised. A detector that
fails on a frame loses that frame only, until it fails three times in a row.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial

from streamer.canvas import Canvas
from streamer.crew import Crew
from streamer.errors import DetectorError, Interrupted
from streamer.failures import DetectorFailures
from streamer.frame import Frame
from streamer.mailbox import Closed, Mailbox, Sequencer
from streamer.outlet import Outlet
from streamer.pacing import Lockstep, Paced
from streamer.protocols import Annotator, Damage, Detector, Scene, Sink, Source
from streamer.stats import RunStats, StageTimes
from tracking.types import Detections, Tracker

log = logging.getLogger(__name__)

CAPTURED_CAPACITY = 4
FINISHED_CAPACITY = 4
# A detector cannot be woken in the middle of a frame. When a run ends early, that frame is not needed any more.
DETECTOR_PATIENCE_S = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Captured:
    """What the capture thread hands on: a frame, or at the end only what was lost."""

    number: int
    frame: Frame | None
    damage: list[Damage]
    decode_s: float


@dataclass(frozen=True, slots=True, eq=False)
class Finished:
    """A captured item behind the detector: neither `detections` nor an `error` where it was not to look."""

    captured: Captured
    detections: Detections | None = None
    error: DetectorError | None = None
    detect_s: float = 0.0


class Pipeline:
    """Takes frames from a source through detector, tracker and drawing to sinks; iterating it yields the scenes.

    The source and the sinks have been entered by the caller, who also leaves them; the detectors are used, not closed.

    Args:
        source: entered; iterated once, by the capture thread.
        detectors: one thread each. With several, frames are detected side by side and put back in order.
        tracker: used by the main thread.
        annotators: draw in this order.
        sinks: entered; each is written by a thread of its own, or by the main thread if it asks for that.
        detect_every: the detector looks at every N-th frame, the boxes between are interpolated.
        select: what to keep of a frame's detections; called by the detector threads.
        draw: draw even when no sink wants a picture (for those who iterate).

    Raises:
        ValueError: no detector.
    """

    def __init__(
        self,
        source: Source,
        detectors: Sequence[Detector],
        tracker: Tracker,
        *,
        annotators: Sequence[Annotator] = (),
        sinks: Sequence[Sink] = (),
        detect_every: int = 1,
        select: Callable[[Detections], Detections] | None = None,
        draw: bool = False,
    ) -> None:
        if not detectors:
            raise ValueError("a pipeline needs a detector")
        self._source = source
        self._detectors = tuple(detectors)
        self._pacing = Lockstep(tracker, detect_every)
        self._failures = DetectorFailures()
        self._annotators = tuple(annotators)
        self._draws = draw or any(sink.wants_picture for sink in sinks)
        self._select = select
        self._captured: Mailbox[Captured] = Mailbox(CAPTURED_CAPACITY)
        self._finished: Sequencer[Finished] = Sequencer(FINISHED_CAPACITY)
        self._outlets = tuple(Outlet(sink) for sink in sinks)
        self._stop = threading.Event()
        self._seen = 0  # frames that reached the main thread
        self.stats = RunStats()
        """The figures of this run; complete once the iteration has ended."""

    def run(self) -> None:
        """Run to the end of the source.

        Raises:
            Interrupted: `stop` was called, or a window closed; every sink has what was shown until then.
            StreamerError: the first thing that failed. A DetectorError ends the run only as the first of three in a
                row: on three frames that follow one another among those that were to be detected.
        """
        for _ in self:
            pass

    def stop(self) -> None:
        """End the run after the scene in hand; from any thread but not from inside a signal handler."""
        self._stop.set()
        self._captured.close()
        self._finished.close()

    def __iter__(self) -> Iterator[Scene]:
        began_s, cause = time.monotonic(), "error"
        ended: BaseException | None = None
        try:
            with Crew(self._abort) as crew:
                self._start(crew)
                try:
                    with closing(self._scenes(began_s)) as scenes:
                        yield from scenes
                except (GeneratorExit, Interrupted) as asked:  # whoever iterates, or a window, has had enough
                    ended = asked
                    self.stop()
                except Closed:
                    if not self._stop.is_set():
                        raise
                cause = "interrupted"
                for outlet in self._outlets:
                    outlet.finish()
        finally:
            self._account(began_s, cause)
        if self._stop.is_set():
            raise ended or Interrupted

    def _start(self, crew: Crew) -> None:
        crew.start("capture", self._capture)
        for detector in self._detectors:
            crew.start("detector", partial(self._detect, detector), patience_s=DETECTOR_PATIENCE_S)
        for outlet in self._outlets:
            if not outlet.sink.main_thread:
                crew.start("sink", outlet.drain)

    def _abort(self) -> None:
        self._captured.close()
        self._finished.close()
        for outlet in self._outlets:
            outlet.mailbox.close()

    # capture thread

    def _capture(self) -> None:
        number, started_s = 0, time.perf_counter()
        for frame in self._source:
            decode_s = time.perf_counter() - started_s
            self._captured.put(Captured(number, frame, self._source.take_damage(), decode_s))
            number, started_s = number + 1, time.perf_counter()
        self._captured.finish()
        # What was lost at the very end belongs to no frame and needs no detector.
        self._finished.put(number, Finished(Captured(number, None, self._source.take_damage(), 0.0)))
        self._finished.finish(number + 1)

    # detector threads

    def _detect(self, detector: Detector) -> None:
        for captured in self._captured:
            self._finished.put(captured.number, self._look(detector, captured))

    def _look(self, detector: Detector, captured: Captured) -> Finished:
        if captured.frame is None or not self._pacing.wants_detection(captured.frame.index):
            return Finished(captured)
        started_s = time.perf_counter()
        try:
            detections = detector.detect(captured.frame)
        except DetectorError as error:
            return Finished(captured, error=error, detect_s=time.perf_counter() - started_s)
        if self._select is not None:
            detections = self._select(detections)
        return Finished(captured, detections, detect_s=time.perf_counter() - started_s)

    # main thread

    def _scenes(self, began_s: float) -> Generator[Scene, None, None]:
        for finished in self._finished:
            self._enter(finished)
            frame, error = finished.captured.frame, finished.error
            if frame is None:
                ready = self._pacing.flush()
            else:
                ready = self._pacing.take(frame, finished.detections, lost=error.cause if error else "")
            yield from self._show(ready, began_s)
            if self._failures.fatal is not None:
                yield from self._show(self._pacing.flush(), began_s)
                raise self._failures.fatal

    def _show(self, ready: Iterable[Paced], began_s: float) -> Generator[Scene, None, None]:
        started_s = time.perf_counter()
        for paced in ready:
            self.stats.add_time("track", time.perf_counter() - started_s)
            scene = self._draw(paced, began_s)
            self.stats.ledger.settle(paced.state, paced.cause)
            self.stats.tracks.take(scene.tracks, scene.labels)
            for outlet in self._outlets:
                outlet.put(scene)
            yield scene
            started_s = time.perf_counter()

    def _draw(self, paced: Paced, began_s: float) -> Scene:
        fps = self.stats.ledger.shown / max(time.monotonic() - began_s, 1e-3)
        confirmed = paced.tracks.confirmed
        tracks = paced.tracks if confirmed.all() else paced.tracks.select(confirmed)
        labels = self._detectors[0].labels
        scene = Scene(paced.frame, tracks, labels, paced.state, paced.detections, fps=fps)
        if not self._draws:
            return scene
        started_s = time.perf_counter()
        canvas = Canvas(paced.frame.picture)
        for annotator in self._annotators:
            annotator.draw(canvas, scene)
        self.stats.add_time("draw", time.perf_counter() - started_s)
        return replace(scene, picture=canvas.picture)

    # the figures

    def _enter(self, finished: Finished) -> None:
        captured, ledger = finished.captured, self.stats.ledger
        for damage in captured.damage:
            ledger.enter(damage.frames)
            ledger.settle("corrupt", damage.cause, damage.frames)
            log.warning("%d frame(s) lost: %s%s", damage.frames, damage.cause, damage.detail and f" ({damage.detail})")
        if captured.frame is not None:
            self._seen += 1
            ledger.enter()
            self.stats.flagged_corrupt += captured.frame.corrupt
            self.stats.add_time("decode", captured.decode_s)
            if finished.detections is not None or finished.error is not None:
                self.stats.add_time("detect", finished.detect_s)
                self._failures.take(captured.frame, finished.error)

    def _account(self, began_s: float, cause: str) -> None:
        """Give every frame that was decoded its final state, and gather what the sink threads measured."""
        ledger = self.stats.ledger
        ledger.enter(self._captured.taken_in - self._seen)
        if ledger.in_flight:
            ledger.settle("dropped", cause, ledger.in_flight)
        for outlet in self._outlets:
            self.stats.stages.setdefault(outlet.sink.stage, StageTimes()).merge(outlet.times)
        self.stats.threads["detect"] = len(self._detectors)
        self.stats.wall_s = time.monotonic() - began_s
