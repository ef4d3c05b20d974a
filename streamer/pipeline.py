"""The way of a frame, read top to bottom.

    capture thread     source ──► route                              reads frames; waits for room in a file, never live
    detector threads   route ──► detector ──► route                  one frame each at a time
    main thread        route ──► pacing (tracker) ──► drawing ──► outlets
    sink threads       outlet ──► sink                               one for each sink that is not bound to main

What a file gives is never dropped: every hand-off is bounded and blocks the faster side. What a live source gives is
never waited for: at most one frame waits for a detector and the newest wins, every outlet drops what its sink is too
slow for (a recording only once much waits), and each loss is counted (`streamer.flow.newest`,
`streamer.flow.sink_worker`). Every wait ends when `stop` is called or any thread fails; the first error is the one that
is raised. A detector that fails on a frame loses that frame only, until it fails three times in a row.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial

from streamer.errors import DetectorError, Interrupted
from streamer.flow.cadence import Cadence
from streamer.flow.failures import DetectorFailures
from streamer.flow.observers import RunObserver, RunSetup
from streamer.flow.playout import Playout
from streamer.flow.queues import Closed
from streamer.flow.simulated_clock import Latency
from streamer.flow.sink_worker import SinkWorker
from streamer.flow.stats import RateMeter, RunStats
from streamer.flow.threads import ThreadGroup
from streamer.interfaces import Annotator, Detector, Scene, Sink, Source
from streamer.presentation.frame_path import FramePath, build_frame_path
from streamer.presentation.presentation import Presented
from streamer.render.canvas import Canvas
from streamer.values.delivery import Detected
from streamer.values.frame import Frame
from streamer.values.states import DropCause, FrameState, Overlay
from tracking.types import Detections, Tracker

log = logging.getLogger(__name__)

# A detector cannot be woken in the middle of a frame. When a run ends early, that frame is not needed any more.
DETECTOR_PATIENCE_S = 0.5
# Together with leaving the sinks this keeps the end of a live run below 3 s whatever hangs.
LIVE_DEADLINE_S = 1.0


class Pipeline:
    """Takes frames from a source through detector, tracker and drawing to sinks; iterating it yields the scenes.

    The source and the sinks have been entered by the caller, who also leaves them; the detectors are used, not closed.

    Args:
        source: entered; iterated once, by the capture thread.
        detectors: one thread each. With several, frames are detected side by side and put back in order.
        tracker: used by the main thread.
        annotators: draw in this order.
        sinks: entered; each is written by a thread of its own, or by the main thread if it asks for that.
        cadence: which frames the detector looks at; the boxes between come from both sides (live: carried on).
        select: what to keep of a frame's detections; called by the detector threads.
        draw: draw even when no sink wants a picture (for those who iterate).
        overlay: of a live source: `now` shows every frame as it comes, `detected` those that the detector saw,
            `delayed` every frame a fixed time after it came.
        delay_s: that time; measured if None.
        latency: treat the source as a live one on a virtual clock, on which detections take so long.
        optional: those of the sinks whose failure does not end the run of a live source.
        keep_all: those that get every frame of a live source, if a little late; the others get the newest.
        playout: when the frames of a live source are shown; as they come if None.
        stats: where the figures go; new ones if None.
        observers: entered; notified of what happens in the run.
        path: replaces the frame path that `cadence`, `overlay` and the source give (a replayed run).

    Raises:
        ValueError: no detector, or no such overlay.
    """

    def __init__(
        self,
        source: Source,
        detectors: Sequence[Detector],
        tracker: Tracker,
        *,
        annotators: Sequence[Annotator] = (),
        sinks: Sequence[Sink] = (),
        cadence: Cadence | None = None,
        select: Callable[[Detections], Detections] | None = None,
        draw: bool = False,
        overlay: Overlay | str = Overlay.NOW,
        delay_s: float | None = None,
        latency: Latency | None = None,
        optional: Sequence[Sink] = (),
        keep_all: Sequence[Sink] = (),
        playout: Playout | None = None,
        stats: RunStats | None = None,
        observers: Sequence[RunObserver] = (),
        path: FramePath | None = None,
    ) -> None:
        if not detectors:
            raise ValueError("a pipeline needs a detector")
        self._source = source
        self._detectors = tuple(detectors)
        self._live = source.info.live and latency is None
        self._failures = DetectorFailures()
        self._rate = RateMeter()
        self._annotators = tuple(annotators)
        self._draws = draw or any(sink.wants_picture for sink in sinks)
        self._select = select
        self._stop = threading.Event()
        self.stats = stats or RunStats()
        """The figures of this run; complete once the iteration has ended."""
        self._observers = tuple(observers)
        self.stats.ledger.observe(self._observers)
        cadence, overlay = cadence or Cadence(), Overlay(overlay)
        self._keeps_all = self._live and bool(keep_all)
        path = path or build_frame_path(
            tracker,
            self.stats.ledger,
            live=self._live,
            cadence=cadence,
            overlay=overlay,
            delay_s=delay_s,
            latency=latency,
            keep_all=self._keeps_all,
            playout=playout,
        )
        self._route, self._presentation = path.route, path.presentation
        info = source.info
        self._setup = RunSetup(
            info=info,
            labels=self._detectors[0].labels,
            overlay=overlay,
            delay_s=delay_s,
            detect_every=cadence.every_of(info.average_fps),
            detection_interval_s=cadence.interval_s(info.average_fps),
            simulated=latency is not None,
        )
        self._sink_workers = tuple(
            SinkWorker(
                sink, name, self.stats, live=self._live, required=sink not in optional, keep_all=sink in keep_all
            )
            for sink, name in zip(sinks, _names(sinks), strict=True)
        )

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
        self._source.stop()
        self._route.close()
        for sink_worker in self._sink_workers:
            sink_worker.release()

    def __iter__(self) -> Iterator[Scene]:
        for observer in self._observers:
            observer.run_started(self._setup)
        began_s, cause = time.monotonic(), DropCause.ERROR
        ended: BaseException | None = None
        try:
            with ThreadGroup(self._abort, deadline_s=LIVE_DEADLINE_S if self._live else None) as thread_group:
                self._start(thread_group)
                try:
                    with closing(self._scenes(began_s)) as scenes:
                        yield from scenes
                except (GeneratorExit, Interrupted) as asked:  # whoever iterates, or a window, has had enough
                    ended = asked
                    self.stop()
                except Closed:
                    if not self._stop.is_set():
                        raise
                cause = DropCause.INTERRUPTED
                self._finish()
        finally:
            self.stats.ledger.settle_rest(FrameState.DROPPED, cause)
            self.stats.threads["detect"] = len(self._detectors)
            self.stats.wall_s = time.monotonic() - began_s
        if self._stop.is_set():
            raise ended or Interrupted

    def _start(self, thread_group: ThreadGroup) -> None:
        thread_group.start("capture", self._capture)
        for detector in self._detectors:
            thread_group.start("detector", partial(self._detect, detector), patience_s=DETECTOR_PATIENCE_S)
        for sink_worker in self._sink_workers:
            if not sink_worker.sink.main_thread:
                thread_group.start("sink", partial(self._drain, sink_worker))

    def _finish(self) -> None:
        until_s = time.monotonic() + LIVE_DEADLINE_S
        for sink_worker in self._sink_workers:
            if sink_worker.keeps_all:
                sink_worker.finish(LIVE_DEADLINE_S)
            else:
                sink_worker.finish(max(until_s - time.monotonic(), 0.0) if self._live else None)

    def _abort(self) -> None:
        self._source.stop()
        self._route.close()
        for sink_worker in self._sink_workers:
            sink_worker.close()

    # capture thread

    def _capture(self) -> None:
        started_s = time.perf_counter()
        for frame in self._source:
            # A live source waits for its frames; what it takes to decode them it measures itself.
            if not self._live:
                self.stats.add_time("decode", time.perf_counter() - started_s)
            self._note_damage()
            if frame.corrupt:
                self.stats.count("flagged corrupt", "")
            for observer in self._observers:
                observer.frame_captured(frame)
            self._route.put(frame)
            self.stats.gauge("queue_depth", "detector", self._route.waiting)
            started_s = time.perf_counter()
        self._note_damage()
        self._route.end()

    def _note_damage(self) -> None:
        for damage in self._source.take_damage():
            self.stats.ledger.enter(damage.frames)
            self.stats.ledger.settle(damage.state, damage.cause, damage.frames)
            if not self._live:  # a camera may lose frames for weeks; the status line and the metrics have the counts
                detail = damage.detail and f" ({damage.detail})"
                log.warning("%d frame(s) lost: %s%s", damage.frames, damage.cause, detail)

    # detector threads

    def _detect(self, detector: Detector) -> None:
        for frame in self._route.frames():
            if self._live:
                self.stats.add_age("detector", time.monotonic() - frame.captured_s)
            self._route.done(self._look(detector, frame))

    def _look(self, detector: Detector, frame: Frame) -> Detected:
        started_s = time.perf_counter()
        try:
            detections = detector.detect(frame)
        except DetectorError as error:
            return Detected(frame, None, error, time.perf_counter() - started_s, time.monotonic())
        if self._select is not None:
            detections = self._select(detections)
        return Detected(frame, detections, None, time.perf_counter() - started_s, time.monotonic())

    # main thread

    def _scenes(self, began_s: float) -> Generator[Scene, None, None]:
        try:
            yield from self._shown_scenes(began_s)
        except Closed:
            if self._keeps_all and self._stop.is_set():  # what came until then is recorded
                yield from self._show(self._presentation.flush(), began_s)
            raise

    def _shown_scenes(self, began_s: float) -> Generator[Scene, None, None]:
        for delivery in self._route:
            for observer in self._observers:
                observer.delivered(delivery)
            if isinstance(delivery, Detected):
                self.stats.add_time("detect", delivery.detect_s)
                self._failures.take(delivery.frame, delivery.error)
            yield from self._show(self._presentation.take(delivery), began_s)
            if self._failures.fatal is not None:
                yield from self._show(self._presentation.flush(), began_s)
                raise self._failures.fatal
        yield from self._show(self._presentation.flush(), began_s)

    def _show(self, ready: Iterable[Presented], began_s: float) -> Generator[Scene, None, None]:
        started_s = time.perf_counter()
        for presented in ready:
            self.stats.add_time("track", time.perf_counter() - started_s)
            scene = self._draw(presented, began_s)
            self._route.shown(presented.frame, presented.state, presented.cause)
            self.stats.shown += 1
            self.stats.tracks.take(scene.tracks, scene.labels)
            for sink_worker in self._sink_workers:
                sink_worker.put(scene)
            for observer in self._observers:
                observer.scene_shown(scene)
            if self._live:
                self.stats.add_age("shown", time.monotonic() - presented.frame.captured_s)
            yield scene
            started_s = time.perf_counter()

    def _draw(self, presented: Presented, began_s: float) -> Scene:
        now_s = time.monotonic()
        fps = self._rate.tick(now_s) if self._live else self.stats.shown / max(now_s - began_s, 1e-3)
        confirmed = presented.tracks.confirmed
        tracks = presented.tracks if confirmed.all() else presented.tracks.select(confirmed)
        labels = self._detectors[0].labels
        found_pts = self._presentation.objects.found_pts(tracks.ids, presented.frame.pts)
        scene = Scene(presented.frame, tracks, labels, presented.state, presented.detections, found_pts, fps=fps)
        if not self._draws:
            return scene
        started_s = time.perf_counter()
        canvas = Canvas(presented.frame.picture)
        for annotator in self._annotators:
            annotator.draw(canvas, scene)
        self.stats.add_time("draw", time.perf_counter() - started_s)
        return replace(scene, picture=canvas.picture)

    # sink threads

    def _drain(self, sink_worker: SinkWorker) -> None:
        try:
            sink_worker.drain()
        except Interrupted:  # a window was closed: the run ends, and the other outputs are completed
            self.stop()
            sink_worker.close()


def _names(sinks: Sequence[Sink]) -> list[str]:
    """Their stages; a second one of a kind gets a number."""
    stages = [sink.stage for sink in sinks]
    return [
        stage if stages[:at].count(stage) == 0 else f"{stage} {stages[:at].count(stage) + 1}"
        for at, stage in enumerate(stages)
    ]
