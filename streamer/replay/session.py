"""A recorded run, run again. Main thread."""

from __future__ import annotations

import time
from contextlib import ExitStack

from streamer.cli.terminal import Terminal
from streamer.config.settings import Settings
from streamer.interfaces import WaitingSink
from streamer.pipeline import Pipeline
from streamer.presentation.frame_path import FramePath, live_presentation
from streamer.replay.recording import Recording
from streamer.replay.replayed import ReplayedDetector, ReplayedRoute, ReplayedSource
from streamer.run import wiring
from streamer.run.outputs import Outputs
from streamer.run.session import Session
from streamer.system.interrupts import Interrupts


class ReplaySession(Session):
    """As `Session`, with a recording in place of source and detector.

    Args:
        recording: of the run.
        outputs: where the results go.
        settings: of the tracker, drawing and outputs.
        terminal: for messages, progress and the report.
        interrupts: entered; told how to stop the pipeline.
        started_s: monotonic clock when the program began.
    """

    def __init__(
        self,
        recording: Recording,
        outputs: Outputs,
        settings: Settings,
        terminal: Terminal,
        interrupts: Interrupts,
        *,
        started_s: float,
    ) -> None:
        super().__init__(str(recording.folder), outputs, settings, terminal, interrupts, started_s=started_s)
        self._recording = recording
        self._detector_line = f"detector: what it found in the run of {recording.header.source}"

    def _flow(self) -> None:
        settings, header, stats, began_s = self._settings, self._recording.header, self._stats, time.monotonic()
        with ExitStack() as stack:
            source = stack.enter_context(ReplayedSource(self._recording))
            tracker = wiring.build_tracker(settings.tracker, detection_interval_s=header.detection_interval_s)
            sinks = self._outputs.open_sinks(source.info, settings, self._interrupts.stop)
            for sink in sinks.all:
                stack.enter_context(sink)
            has_window = any(isinstance(sink, WaitingSink) for sink in sinks.all)
            route = ReplayedRoute(self._recording, stats.ledger, in_real_time=has_window)
            path = FramePath(route, live_presentation(tracker, header.overlay, header.delay_s))
            pipeline = Pipeline(
                source,
                [ReplayedDetector(header.labels)],
                tracker,
                annotators=wiring.build_annotators(settings.draw),
                sinks=sinks.all,
                optional=sinks.optional,
                stats=stats,
                path=path,
            )
            self._interrupts.on_stop = pipeline.stop
            began_s = time.monotonic()
            self._watch(pipeline, source)
        stats.wall_s = time.monotonic() - began_s
        ended = self._recording.ended
        if ended is not None and ended.state == "failed":
            self._terminal.say(f"here the run failed: {ended.message}")
        elif ended is not None and ended.state == "interrupted":
            self._terminal.say("here the run was interrupted")
