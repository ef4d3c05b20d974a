"""One run from start to end: open everything, let the frames flow, make the report. Main thread."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace

from streamer.cli.terminal import Terminal
from streamer.config.settings import Settings
from streamer.detectors import selection
from streamer.errors import Interrupted
from streamer.features import DetectorContext
from streamer.flow.observers import RunObserver, packet_tap
from streamer.flow.simulated_clock import Latency
from streamer.flow.stats import RunStats
from streamer.interfaces import PassthroughSource, Sink, Source
from streamer.observe.metrics import MetricsServer
from streamer.observe.report import Report
from streamer.pipeline import Pipeline
from streamer.run import wiring
from streamer.run.outputs import Outputs
from streamer.sources.selection import open_source
from streamer.system import paths
from streamer.system.interrupts import Interrupts
from streamer.system.partial_file import PartialFile
from streamer.system.secrets import redacted
from tracking import assignment


class Session:
    """A run with everything it needs at hand.

    Args:
        source: as the user gave it.
        outputs: where the results go.
        settings: validated.
        terminal: for messages, progress and the report.
        interrupts: entered; told how to stop the pipeline.
        started_s: monotonic clock when the program began.
        observers: entered before the source is opened, left after the run.
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
        observers: Sequence[RunObserver] = (),
    ) -> None:
        self._observers = tuple(observers)
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
            for observer in self._observers:
                stack.enter_context(observer)
            options = replace(options, tap=packet_tap(self._observers))
            source = stack.enter_context(open_source(self._source, options, stats=stats))
            for observer in self._observers:
                observer.source_opened(source.info, live=wiring.is_live(settings, source.info))
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
            selection.check_classes(settings.detector)
            sinks = self._outputs.open_sinks(
                source.info,
                settings,
                self._interrupts.stop,
                passthrough=source.passthrough if isinstance(source, PassthroughSource) else None,
            )
            self._noting = [source, *sinks.all] if isinstance(source, PassthroughSource) else [*sinks.all]
            for sink in sinks.all:
                stack.enter_context(sink)
            context = DetectorContext(info=source.info, say=self._terminal.say, extensions=settings.extensions)
            built = selection.build_detector(settings.detector, context)
            self._detector_line = built.reason
            for detector in built.detectors:
                stack.callback(detector.close)
            pipeline = Pipeline(
                source,
                built.detectors,
                tracker,
                annotators=wiring.build_annotators(settings.draw),
                sinks=sinks.all,
                cadence=cadence,
                select=built.keep,
                overlay=overlay,
                delay_s=settings.delay_s,
                latency=latency,
                optional=sinks.optional,
                keep_all=sinks.keep_all,
                playout=wiring.playout(settings.source),
                stats=stats,
                observers=self._observers,
            )
            self._interrupts.on_stop = pipeline.stop
            began_s = time.monotonic()
            self._watch(pipeline, source)
        # Encoders hold frames back until they are closed: only now is the work done.
        self._stats.wall_s = time.monotonic() - began_s

    def _watch(self, pipeline: Pipeline, source: Source) -> None:
        with self._terminal.progress(source.info.frame_count, live=source.info.live) as progress:
            for _ in pipeline:
                if self._first_frame_s is None:
                    self._first_frame_s = time.monotonic() - self._started_s
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
