"""A recorded run, run again. Main thread."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack

from streamer.config.settings import Settings
from streamer.observe.report import Reporter
from streamer.pipeline import Pipeline
from streamer.replay.recording import Recording
from streamer.replay.replayed import ReplayedDetector, ReplayedRoute, ReplayedSource
from streamer.run import wiring
from streamer.run.session import Session
from streamer.run.wiring import Outputs


class ReplaySession(Session):
    """As `Session`, with a recording in place of source and detector.

    Args:
        recording: of the run.
        outputs: where the results go.
        settings: of the tracker, drawing and outputs.
        reporter: gets messages, progress and the report.
        on_ready, started_s: as of `Session`.
    """

    def __init__(
        self,
        recording: Recording,
        outputs: Outputs,
        settings: Settings,
        reporter: Reporter,
        *,
        on_ready: Callable[[Callable[[], None]], None] = lambda _: None,
        started_s: float | None = None,
    ) -> None:
        super().__init__(str(recording.folder), outputs, settings, reporter, on_ready=on_ready, started_s=started_s)
        self._recording = recording
        self._detector_line = f"detector: what it found in the run of {recording.header.source}"

    def _flow(self) -> None:
        settings, header, stats, began_s = self._settings, self._recording.header, self._stats, time.monotonic()
        with ExitStack() as stack:
            source = stack.enter_context(ReplayedSource(self._recording))
            tracker = wiring.build_tracker(settings.tracker, detection_interval_s=header.detection_interval_s)
            sinks = wiring.build_sinks(self._outputs, source.info, settings, self.stop)
            for sink in sinks.all:
                stack.enter_context(sink)
            route = ReplayedRoute(self._recording, stats.ledger, in_real_time=self._outputs.show)
            pipeline = Pipeline(
                source,
                [ReplayedDetector(header.labels)],
                tracker,
                annotators=wiring.build_annotators(settings.draw),
                sinks=sinks.all,
                overlay=header.overlay,
                delay_s=header.delay_s,
                optional=sinks.optional,
                stats=stats,
                reroute=lambda _: route,
            )
            began_s = time.monotonic()
            self._watch(pipeline, source)
        stats.wall_s = time.monotonic() - began_s
        ended = self._recording.ended
        if ended is not None and ended.state == "failed":
            self._reporter.message(f"here the run failed: {ended.message}")
        elif ended is not None and ended.state == "interrupted":
            self._reporter.message("here the run was interrupted")
