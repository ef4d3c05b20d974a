"""The frame path of one stream, read from top to bottom.

    capture thread     source ──► route                                  reads frames
    detector threads   route ──► detector ──► route                      one frame each at a time
    display thread     route ──► presentation ──► drawing ──► sinks      the thread that iterates the pipeline
    sink threads       queue ──► sink                                    one for each sink, except windows

Files lose no frame: every queue is bounded and blocks the faster side. Live sources are never blocked: at most one
frame waits for a detector and the newest wins, slow sinks lose scenes, and every loss is counted
(`streamer.flow.newest`, `streamer.flow.sink_worker`). `stop` and the failure of a thread end every wait; the first
error is raised. A failed detection loses its frame only, three in a row end the run (`streamer.flow.failures`). Each
stream has its own pipeline; those that share a detector take turns (`streamer.inference.pool`).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial

from streamer.analytics.rules import Rules
from streamer.errors import DetectorError, Interrupted
from streamer.flow.cadence import Cadence
from streamer.flow.failures import DetectorFailures
from streamer.flow.observers import RunObserver, RunSetup
from streamer.flow.playout import Playout, RateMeter
from streamer.flow.queues import Closed
from streamer.flow.simulated_clock import Latency
from streamer.flow.sink_worker import SinkWorker, build_sink_workers, finish_sink_workers
from streamer.flow.stats import RunStats
from streamer.flow.threads import ThreadGroup
from streamer.interfaces import Annotator, Detector, Scene, Sink, Source
from streamer.presentation.frame_path import FramePath, build_frame_path
from streamer.presentation.presentation import Presented
from streamer.render.annotators import Renderer
from streamer.values.delivery import Detected
from streamer.values.states import DropCause, FrameState, Overlay
from tracking.types import Detections, Tracker

DETECTOR_DEADLINE_S = 0.5  # a detection cannot be interrupted, and a run that ends early does not need its result
LIVE_DEADLINE_S = 1.0  # together with leaving the sinks, this ends a live run within 3 s, whatever hangs


class Pipeline:
    """Takes the frames of one source through detector, tracker and drawing to sinks; iterating it yields the scenes.

    The caller enters and leaves the source, the sinks and the observers, and closes the detectors.

    Args:
        source: iterated once, by the capture thread.
        detectors: one thread each. Several detect frames in parallel; results are put back in order. A
            `SharedDetector` is the only one.
        tracker: used by the display thread.
        annotators: draw in this order.
        sinks: each is written by a thread of its own, windows by the display thread.
        cadence: selects the frames to detect; all if None. Boxes are interpolated between them (live: carried forward).
        select: filters the detections of a frame; called by the detector threads.
        draw: draw even if no sink needs pictures.
        overlay, delay_s: of a live source: `now` shows every frame on arrival, `detected` only detected frames,
            `delayed` every frame `delay_s` after arrival (measured if None).
        latency: run on a simulated clock, as a live source whose detections take this long.
        optional: sinks whose failure does not end a live run.
        keep_all: sinks that get every frame of a live source, if late; the others get the newest.
        playout: decides when frames of a live source are shown; on arrival if None.
        stats: the figures of the run, complete when it has ended; `stats.stream` names this stream.
        observers: notified of what happens in the run.
        path: replaces the frame path that source, cadence and overlay lead to (a replay).
        rules: add `Scene.watched` to each scene before it is drawn, and end the events that last at the end of the run.

    Raises:
        ValueError: no detector, an unknown overlay, or `Cadence.max_gap_s` for a live source.
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
        rules: Rules | None = None,
    ) -> None:
        if not detectors:
            raise ValueError("a pipeline needs a detector")
        self._source, self._detectors = source, tuple(detectors)
        self._live = source.info.live and latency is None
        self._failures, self._rate = DetectorFailures(live=self._live), RateMeter()
        self._renderer = Renderer(annotators, source.info.sample_aspect_ratio)
        self._draws = draw or any(sink.wants_picture for sink in sinks)
        self._select, self._rules, self._stop = select, rules or Rules(), threading.Event()
        self._observers, self.stats = tuple(observers), stats or RunStats()
        self.stats.observe(self._observers)
        self._setup = RunSetup(
            source.info, detectors[0].labels, cadence or Cadence(), Overlay(overlay), delay_s, latency is not None
        )
        self._keeps_all = self._live and bool(keep_all)
        path = path or build_frame_path(
            tracker,
            self.stats,
            live=self._live,
            cadence=self._setup.cadence,
            overlay=self._setup.overlay,
            delay_s=delay_s,
            latency=latency,
            keep_all=self._keeps_all,
            playout=playout,
            detector=detectors[0],
        )
        self._route, self._presentation = path.route, path.presentation
        self._sink_workers = build_sink_workers(
            sinks, self.stats, live=self._live, optional=optional, keep_all=keep_all
        )

    def run(self) -> None:
        """Run to the end of the source.

        Raises:
            Interrupted: `stop` was called or a window was closed; the sinks have everything shown until then.
            StreamerError: the first failure.
        """
        for _ in self:
            pass

    def stop(self) -> None:
        """Any thread, but no signal handler: end the run after the current scene."""
        self._stop.set()
        self._source.stop()
        self._route.close()
        for sink_worker in self._sink_workers:
            sink_worker.release()
        for observer in self._observers:
            observer.stopping()

    def __iter__(self) -> Iterator[Scene]:
        for observer in self._observers:
            observer.run_started(self._setup)
        began_s, cause = time.monotonic(), DropCause.ERROR
        ended: BaseException | None = None
        try:
            with ThreadGroup(self._abort, deadline_s=LIVE_DEADLINE_S if self._live else None) as thread_group:
                self._start(thread_group)
                try:
                    with closing(self._scenes()) as scenes:
                        yield from scenes
                except (GeneratorExit, Interrupted) as request:  # the caller stopped iterating, or closed a window
                    ended = request
                    self.stop()
                except Closed:
                    if not self._stop.is_set():
                        raise
                cause = DropCause.INTERRUPTED
                finish_sink_workers(self._sink_workers, LIVE_DEADLINE_S if self._live else None)
        finally:
            self.stats.ledger.settle_rest(FrameState.DROPPED, cause)
            self.stats.threads["detect"] = len(self._detectors)
            self.stats.wall_s = time.monotonic() - began_s
            self._end_events()
        if self._stop.is_set():
            raise ended or Interrupted

    def _start(self, thread_group: ThreadGroup) -> None:
        thread_group.start("capture", self._capture)
        for detector in self._detectors:
            thread_group.start("detector", partial(self._detect, detector), deadline_s=DETECTOR_DEADLINE_S)
        for sink_worker in self._sink_workers:
            if not sink_worker.sink.main_thread:
                thread_group.start("sink", partial(self._drain, sink_worker))

    def _abort(self) -> None:
        self._source.stop()
        self._route.close()
        for sink_worker in self._sink_workers:
            sink_worker.close()

    # capture thread

    def _capture(self) -> None:
        started_s = time.perf_counter()
        for frame in self._source:
            # A live source measures its decoding itself: here it would include the wait for the next frame.
            if not self._live:
                self.stats.add_time("decode", time.perf_counter() - started_s)
            self._count_damage()
            if frame.corrupt:
                self.stats.count("flagged corrupt", "")
            named = replace(frame, stream=self.stats.stream) if self.stats.stream else frame
            for observer in self._observers:
                observer.frame_captured(named)
            self._route.put(named)
            self.stats.gauge("queue_depth", "detector", self._route.waiting)
            started_s = time.perf_counter()
        self._count_damage()
        self._route.end()

    def _count_damage(self) -> None:
        for damage in self._source.take_damage():
            # A camera may lose frames for weeks; status line and metrics have the counts.
            self.stats.ledger.add_damage(damage, warns=not self._live)

    # detector threads

    def _detect(self, detector: Detector) -> None:
        for frame in self._route.frames():
            if self._live:
                self.stats.add_age("detector", time.monotonic() - frame.captured_s)
            started_s = time.perf_counter()
            detections, failure = None, None
            try:
                detections = detector.detect(frame)
            except DetectorError as error:
                failure = error
            if detections is not None and self._select is not None:
                detections = self._select(detections)
            self._route.done(Detected(frame, detections, failure, time.perf_counter() - started_s, time.monotonic()))

    # display thread

    def _scenes(self) -> Generator[Scene, None, None]:
        try:
            yield from self._shown_scenes()
        except Closed:
            if self._keeps_all and self._stop.is_set():  # record the frames that arrived before `stop`
                yield from self._show(self._presentation.flush())
            raise

    def _shown_scenes(self) -> Generator[Scene, None, None]:
        for delivery in self._route:
            for observer in self._observers:
                observer.delivered(delivery)
            if isinstance(delivery, Detected):
                self.stats.add_time("detect", delivery.detect_s)
                self._failures.add(delivery)
            yield from self._show(self._presentation.take(delivery))
            if self._failures.fatal is not None:
                yield from self._show(self._presentation.flush())
                raise self._failures.fatal
        yield from self._show(self._presentation.flush())

    def _show(self, ready: Iterable[Presented]) -> Generator[Scene, None, None]:
        started_s = time.perf_counter()
        for presented in ready:
            self.stats.add_time("track", time.perf_counter() - started_s)
            scene = self._draw(presented)
            self._route.shown(presented.frame, presented.state, presented.cause)
            self.stats.add_shown()
            self.stats.tracks.add(scene.tracks, scene.labels, scene.frame)
            for sink_worker in self._sink_workers:
                sink_worker.put(scene)
            for observer in self._observers:
                observer.scene_shown(scene)
            if self._live:
                self.stats.add_age("shown", time.monotonic() - presented.frame.captured_s)
            yield scene
            started_s = time.perf_counter()

    def _end_events(self) -> None:
        if (scene := self._rules.finish()) is not None:
            for observer in self._observers:
                observer.events_ended(scene)
        for sink_worker in self._sink_workers:
            sink_worker.write_end(scene)

    def _draw(self, presented: Presented) -> Scene:
        fps = round(self._rate.tick(time.monotonic()), 1) if self._live else float(self._source.info.average_fps or 0)
        frame, labels, confirmed = presented.frame, self._detectors[0].labels, presented.tracks.confirmed
        tracks = presented.tracks if confirmed.all() else presented.tracks.select(confirmed)
        found_pts = self._presentation.objects.found_pts(tracks.ids, frame.pts)
        scene = self._rules(Scene(frame, tracks, labels, presented.state, presented.detections, found_pts, fps=fps))
        if not self._draws:
            return scene
        started_s = time.perf_counter()
        picture = self._renderer.render(scene)
        self.stats.add_time("draw", time.perf_counter() - started_s)
        return replace(scene, picture=picture)

    # sink threads

    def _drain(self, sink_worker: SinkWorker) -> None:
        try:
            sink_worker.drain()
        except Interrupted:  # a window was closed: the run ends, and the other outputs are completed
            self.stop()
            sink_worker.close()
