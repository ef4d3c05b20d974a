"""One run from start to end: open everything, let the frames flow, make the report. Main thread."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

from streamer.classes import label_maps
from streamer.classes.class_filter import ClassFilter
from streamer.cli.terminal import Terminal
from streamer.config.detector import DetectorSettings
from streamer.config.settings import Settings
from streamer.detectors import recordings, selection
from streamer.detectors.starter import DEFAULT_MIN_SCORE as STARTER_MIN_SCORE
from streamer.detectors.tfhub.hub import DEFAULT_MIN_SCORE as HUB_MIN_SCORE
from streamer.errors import ConfigError, Interrupted
from streamer.flow.simulated_clock import Latency
from streamer.flow.stats import RunStats
from streamer.interfaces import Detector, PassthroughSource, Scene, Sink, Source, StreamInfo
from streamer.models import store
from streamer.observe.metrics import MetricsServer
from streamer.observe.report import Report
from streamer.pipeline import Pipeline
from streamer.replay.log import Header
from streamer.replay.recorder import Recorder
from streamer.replay.recording_route import RecordingLedger, RecordingRoute
from streamer.run import wiring
from streamer.run.wiring import Outputs
from streamer.sources.selection import open_source
from streamer.system import paths
from streamer.system.interrupts import Interrupts
from streamer.system.partial_file import PartialFile
from streamer.system.secrets import redacted
from streamer.values.labels import LabelTable
from streamer.values.states import Overlay
from tracking import assignment

_NOT_LIVE = (
    "--record keeps live runs: a file gives the same result each time; add --live, or --latency for a virtual clock"
)


class Session:
    """A run with everything it needs at hand.

    Args:
        source: as the user gave it.
        outputs: where the results go.
        settings: validated.
        terminal: for messages, progress and the report.
        interrupts: entered; told how to stop the pipeline.
        started_s: monotonic clock when the program began.
        on_scene: called with every scene, once it went to the outputs.
        record: a folder in which to keep what is needed to run a live run again; None = nothing is kept.
    """

    def __init__(
        self,
        source: str,
        outputs: Outputs,
        settings: Settings,
        terminal: Terminal,
        interrupts: Interrupts,
        *,
        started_s: float,
        on_scene: Callable[[Scene], None] | None = None,
        record: Path | None = None,
    ) -> None:
        self._on_scene = on_scene
        self._record = record
        self._source = source
        self._outputs = outputs
        self._settings = settings
        self._terminal = terminal
        self._interrupts = interrupts
        self._started_s = started_s
        self._first_frame_s: float | None = None
        self._detector_line = ""
        self._stats = RunStats()
        self._noting: list[PassthroughSource | Sink] = []

    def run(self) -> None:
        """Run to the end.

        The report is shown and written whatever ended the run, once a frame came in.

        Raises:
            Interrupted: a signal ended it; the outputs are complete up to the last frame shown.
            StreamerError: what ended it; no unfinished output is left.
        """
        self._outputs.check(self._source)
        # Claimed first: a report that cannot be written is refused before the work is done.
        path = self._outputs.report
        report_file = None if path is None else PartialFile(path, overwrite=self._outputs.overwrite)
        state = "failed"
        try:
            self._flow()
            state = "complete"
        except (Interrupted, KeyboardInterrupt):
            state = "interrupted"
            raise
        finally:
            if state == "complete" or self._stats.ledger.entered:
                self._finish(state, report_file)
            elif report_file is not None:
                report_file.discard()

    def _flow(self) -> None:
        settings, began_s = self._settings, time.monotonic()
        with ExitStack() as stack:
            stats, options = self._stats, wiring.source_options(settings.source)
            recorder = None if self._record is None else stack.enter_context(Recorder(self._record))
            if recorder is not None:
                stats.ledger = RecordingLedger(recorder)
                options = replace(options, tap=recorder)
            source = stack.enter_context(open_source(self._source, options, stats=stats))
            if recorder is not None and not wiring.is_live(settings, source.info):
                raise ConfigError(_NOT_LIVE)
            if settings.metrics.address is not None:
                stack.enter_context(MetricsServer(settings.metrics.address, source.info.name, stats))
            overlay = wiring.overlay(settings, source.info)
            latency = Latency.parse(settings.detector.latency) if settings.detector.latency is not None else None
            cadence = wiring.cadence(settings.detector, source.info)
            interval_s = cadence.interval_s(source.info.average_fps)
            tracker = wiring.build_tracker(settings.tracker, detection_interval_s=interval_s)
            if source.info.live:
                assignment.prepare()
            # Before the choice of a detector, which may download it or wait for TensorFlow.
            if not recordings.is_recording(settings.detector.name):
                self._class_filter(starter=settings.detector.name == store.STARTER)
            sinks = wiring.build_sinks(
                self._outputs,
                source.info,
                settings,
                self._interrupts.stop,
                passthrough=source.passthrough if isinstance(source, PassthroughSource) else None,
            )
            self._noting = [source, *sinks.all] if isinstance(source, PassthroughSource) else [*sinks.all]
            for sink in sinks.all:
                stack.enter_context(sink)
            detectors, keep = self._detectors(source.info)
            for detector in detectors:
                stack.callback(detector.close)
            pipeline = Pipeline(
                source,
                detectors,
                tracker,
                annotators=wiring.build_annotators(settings.draw),
                sinks=sinks.all,
                cadence=cadence,
                select=keep,
                overlay=overlay,
                delay_s=settings.delay_s,
                latency=latency,
                optional=sinks.optional,
                keep_all=sinks.keep_all,
                playout=wiring.playout(settings.source),
                stats=stats,
                reroute=None if recorder is None else partial(RecordingRoute, recorder=recorder),
            )
            if recorder is not None:
                every = cadence.every_of(source.info.average_fps)
                header = self._header(source.info, overlay, every, interval_s, detectors[0].labels)
                recorder.describe(header, waits=latency is not None)
            self._interrupts.on_stop = pipeline.stop
            began_s = time.monotonic()
            self._watch(pipeline, source)
        # Encoders hold frames back until they are closed: only now is the work done.
        self._stats.wall_s = time.monotonic() - began_s

    def _header(self, info: StreamInfo, overlay: Overlay, every: int, interval_s: float, labels: LabelTable) -> Header:
        """What a recording of this run tells of how it was run."""
        return Header(
            source=paths.readable(redacted(self._source)),
            overlay=overlay,
            delay_s=self._settings.delay_s,
            every=every,
            detection_interval_s=interval_s,
            tracker=self._settings.tracker.name,
            tracker_options=self._settings.tracker.options,
            names=labels.names,
            mids=labels.mids,
            info=replace(info, name=paths.readable(info.name), path=info.path and paths.readable(info.path)),
        )

    def _detectors(self, info: StreamInfo) -> tuple[list[Detector], ClassFilter]:
        wanted = self._settings.detector
        if recordings.is_recording(wanted.name):
            return self._recorded_detector(wanted)
        choice = selection.choose(wanted.name, sha256=wanted.sha256, offline=wanted.offline)
        self._detector_line = choice.reason
        self._terminal.say(choice.reason)
        keep = self._class_filter(starter=choice.module_dir is None)
        options = selection.Options(
            min_score=keep.lowest_score,
            # One frame at a time where the newest wins: cores then shorten its way instead of adding to it.
            threads=os.cpu_count() or 1 if info.live and wanted.threads == 1 else wanted.threads,
            workers=1 if info.live and not wanted.workers else wanted.workers,
            labels=label_maps.for_detector(starter=False, label_map=wanted.label_map) if wanted.label_map else None,
            device=wanted.device,
            precision=wanted.precision,
            gpu_memory_mb=wanted.gpu_memory_mb,
            optimize_graph=wanted.optimize_graph,
            reference=wanted.reference,
            timeout_s=wanted.timeout_s,
            on_hang=wanted.on_hang,
            frame_size=(info.width, info.height),
        )
        return selection.build(choice, options, say=self._terminal.say), keep

    def _recorded_detector(self, wanted: DetectorSettings) -> tuple[list[Detector], ClassFilter]:
        recorded = recordings.read(Path(wanted.name))
        self._detector_line = f"detector: detections of {wanted.name}, as asked"
        self._terminal.say(self._detector_line)
        keep = ClassFilter(
            recorded.labels,
            classes=wanted.classes,
            min_score=wanted.min_score,
            min_scores=wanted.min_scores,
            merge_twins=wanted.merge_twins,
        )
        return [recorded], keep

    def _class_filter(self, *, starter: bool) -> ClassFilter:
        wanted = self._settings.detector
        return ClassFilter(
            label_maps.for_detector(starter=starter, label_map=wanted.label_map, offline=wanted.offline),
            classes=wanted.classes,
            min_score=wanted.min_score,
            min_scores=wanted.min_scores,
            merge_twins=wanted.merge_twins,
            default_min_score=STARTER_MIN_SCORE if starter else HUB_MIN_SCORE,
        )

    def _watch(self, pipeline: Pipeline, source: Source) -> None:
        with self._terminal.progress(source.info.frame_count, live=source.info.live) as progress:
            for scene in pipeline:
                if self._first_frame_s is None:
                    self._first_frame_s = time.monotonic() - self._started_s
                if self._on_scene is not None:
                    self._on_scene(scene)
                progress.update(pipeline.stats)

    def _finish(self, state: str, report_file: PartialFile | None) -> None:
        kept = state != "failed"
        written = [str(path) for path in self._outputs.files if path != self._outputs.report and paths.exists(path)]
        report = Report(
            source=redacted(self._source),
            detector=self._detector_line,
            state=state,
            stats=self._stats,
            outputs=written if kept else [],
            notes=[note for part in self._noting for note in part.notes],
            first_frame_s=self._first_frame_s,
        )
        if report_file is not None:
            report_file.complete(json.dumps(paths.encodable(report.to_dict()), indent=2) + "\n")
        self._terminal.report(report)
