"""Runs a recorded run again."""

from __future__ import annotations

from contextlib import ExitStack

from streamer.analytics.build import build_rules
from streamer.config.settings import Settings
from streamer.interfaces import WaitingSink
from streamer.observe.report import Reporter
from streamer.pipeline import Pipeline
from streamer.presentation.frame_path import FramePath, live_presentation
from streamer.render.annotators import build_annotators
from streamer.replay.recording import Recording
from streamer.replay.replay_parts import ReplayedDetector, ReplayedRoute, ReplayedSource
from streamer.run import build
from streamer.run.outputs import Outputs
from streamer.run.session import Session, StopHook
from streamer.run.trackers import build_tracker


class ReplaySession(Session):
    """A `Session` with a recording in place of source and detector.

    Args:
        recording: the recorded run.
        outputs: where the results go.
        settings: settings of the tracker, drawing and outputs.
        reporter: gets messages, progress and the report.
        started_s: when the program began, on the monotonic clock; now if None.
    """

    def __init__(
        self,
        recording: Recording,
        outputs: Outputs,
        settings: Settings,
        reporter: Reporter,
        *,
        started_s: float | None = None,
    ) -> None:
        super().__init__(str(recording.folder), outputs, settings, reporter, started_s=started_s)
        self._recording = recording
        self.stats.recorded = ("detect",)

    def _run_pipeline(self, on_ready: StopHook) -> None:
        super()._run_pipeline(on_ready)
        ended = self._recording.ended
        if ended is not None and ended.state == "failed":
            self._reporter.message(f"the recorded run failed here: {ended.message}")
        elif ended is not None and ended.state == "interrupted":
            self._reporter.message("the recorded run was interrupted here")

    def _build(self, stack: ExitStack) -> build.BuiltRun:
        settings, header = self._settings, self._recording.header
        source = stack.enter_context(ReplayedSource(self._recording))
        tracker = build_tracker(settings.tracker, detection_interval_s=header.detection_interval_s)
        sinks = self._outputs.open_sinks(source.info, settings, self.stop)
        for sink in sinks.all:
            stack.enter_context(sink)
        has_window = any(isinstance(sink, WaitingSink) for sink in sinks.all)
        route = ReplayedRoute(self._recording, self.stats.ledger, in_real_time=has_window)
        pipeline = Pipeline(
            source,
            [ReplayedDetector(header.labels)],
            tracker,
            annotators=build_annotators(settings.draw, settings.extensions),
            sinks=sinks.all,
            optional=sinks.optional,
            stats=self.stats,
            path=FramePath(route, live_presentation(tracker, header.overlay, header.delay_s)),
            rules=build_rules(settings.analytics, header.labels, header.info, self.stats.count),
        )
        detector = f"using recorded detections of {header.source}"
        return build.BuiltRun(pipeline, source.info, detector, sinks.all)
