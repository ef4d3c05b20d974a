"""Runs one stream from start to end and reports the result.

One thread calls `Session.run`, and nothing here is shared: a process can run several sessions at the same time.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack

from streamer.config.settings import Settings
from streamer.errors import ConfigError, Interrupted, SourceUnavailable, StreamerError
from streamer.flow.observers import RunObserver
from streamer.flow.stats import RunStats
from streamer.interfaces import DescribedSink, StreamInfo
from streamer.observe.report import Report, Reporter
from streamer.run.build import BuiltRun, build_run
from streamer.run.outputs import Outputs, live_without_output
from streamer.run.own_parts import OwnParts
from streamer.system import paths
from streamer.system.partial_file import PartialFile
from streamer.system.secrets import redacted

StopHook = Callable[[Callable[[], None]], None]
"""Gets the function that ends a run. Any thread may call that function, but a signal handler must not."""

NO_VIDEO = "no video is written; add an output such as out.mp4 for one"


class _OutputsUnwanted(Exception):
    """The run is interrupted and removes its outputs. Sinks complete theirs for an interruption, but not for this.

    Attributes:
        request: the interruption.
    """

    def __init__(self, request: BaseException) -> None:
        super().__init__(str(request))
        self.request = request


class Session:
    """One run of one stream.

    Args:
        source: the source as the user gave it.
        outputs: where the results go.
        settings: the settings of the run.
        reporter: gets messages, progress and the report.
        started_s: when the program began, on the monotonic clock; now if None.
        observers: entered before the source is opened, left after the run.
        stream: name of the stream in a program that runs several.
        own: parts that the caller has built.
        one_of_several: refuse a live source, unless it is a file that is played in real time.
        keep_interrupted: complete the outputs of a run that is interrupted; otherwise remove them.

    Attributes:
        stats: the figures of the run.
    """

    def __init__(
        self,
        source: str,
        outputs: Outputs,
        settings: Settings,
        reporter: Reporter,
        *,
        started_s: float | None = None,
        observers: Sequence[RunObserver] = (),
        stream: str = "",
        own: OwnParts | None = None,
        one_of_several: bool = False,
        keep_interrupted: bool = True,
    ) -> None:
        self._own = own
        self._keep_interrupted = keep_interrupted
        self._one_of_several = one_of_several
        self._source = source
        self._outputs = outputs
        self._settings = settings
        self._reporter = reporter
        self._started_s = time.monotonic() if started_s is None else started_s
        self._observers = tuple(observers)
        self._first_frame_s: float | None = None
        self.stats = RunStats(stream)
        self.frame_size: tuple[int, int] | None = None
        """Width and height of the last shown frame, pixels; None before the first. Display thread."""
        self._run: BuiltRun | None = None
        self._lock = threading.Lock()  # guards the two below
        self._stopped = False
        self._stop_part: Callable[[], None] = lambda: None
        self._described: list[tuple[DescribedSink, str]] = []

    def run(self, *, on_ready: StopHook = lambda _: None) -> None:
        """Run to the end.

        Once a frame was read, the report is shown and written, whatever ends the run.

        Args:
            on_ready: called before the first frame.

        Raises:
            Interrupted: `stop` was called or a window was closed. The outputs are complete up to the last shown frame.
            StreamerError: the error that ended the run. No unfinished output is left.
        """
        self._outputs.check(self._source)
        self._outputs.make_folders()
        # A report that cannot be written is refused before the work begins.
        path = self._outputs.report
        report_file = None if path is None else PartialFile(path, overwrite=self._outputs.overwrite)
        state = "failed"
        try:
            self._run_pipeline(on_ready)
            state = "complete"
        except (Interrupted, KeyboardInterrupt):
            state = "interrupted"
            raise
        except _OutputsUnwanted as error:
            state = "interrupted"
            if report_file is not None:
                report_file.discard()
            report_file = None
            raise error.request from error
        finally:
            if self._run is not None and (state == "complete" or self.stats.ledger.entered):
                self._report(self._run, state, report_file)
            elif report_file is not None:
                report_file.discard()

    @property
    def info(self) -> StreamInfo | None:
        """Properties of the source; None before it is open."""
        return None if self._run is None else self._run.info

    def stop(self) -> None:
        """End the run after the frame in progress, or while its source connects. Any thread, but no signal handler."""
        with self._lock:
            self._stopped = True
            stop = self._stop_part
        stop()

    def _stop_with(self, stop: Callable[[], None]) -> None:
        """From now on `stop` ends the run, at once if it was to end before."""
        with self._lock:
            self._stop_part = stop
            stopped = self._stopped
        if stopped:
            stop()
            raise Interrupted

    def _run_pipeline(self, on_ready: StopHook) -> None:
        with ExitStack() as stack:
            try:
                began_s = self._run_in(stack, on_ready)
            except (Interrupted, KeyboardInterrupt) as request:
                if self._keep_interrupted:
                    raise
                raise _OutputsUnwanted(request) from request
        # Encoders hold frames back until they are closed, so the work ends here.
        self.stats.wall_s = time.monotonic() - began_s

    def _run_in(self, stack: ExitStack, on_ready: StopHook) -> float:
        """Open all parts and run the pipeline; returns when the first frame was asked for, on the monotonic clock."""
        self._run = run = self._opened(stack)
        if self._one_of_several and run.info.live and not self._settings.source.live:
            raise SourceUnavailable(f"{run.info.name}: is live and never ends; run one process per camera")
        if self._outputs.by_default and run.info.live and paths.scheme_of(self._source):
            # Only the server knows whether an http address is a recording.
            raise ConfigError(live_without_output(self._source))
        self._announce(run)
        self._stop_with(run.pipeline.stop)
        on_ready(self.stop)
        began_s = time.monotonic()
        with self._reporter.progress(run.info.frame_count, live=run.info.live) as progress:
            for scene in run.pipeline:
                self.frame_size = scene.frame.width, scene.frame.height
                if self._first_frame_s is None:
                    self._first_frame_s = time.monotonic() - self._started_s
                progress.update(self.stats)
        return began_s

    def _opened(self, stack: ExitStack) -> BuiltRun:
        try:
            return self._build(stack)
        except StreamerError as error:
            if self._stopped:  # the source that was connecting says so with an error
                raise Interrupted from error
            raise

    def _build(self, stack: ExitStack) -> BuiltRun:
        return build_run(
            self._source,
            self._outputs,
            self._settings,
            stack,
            stats=self.stats,
            message=self._reporter.message,
            on_close=self.stop,
            observers=self._observers,
            own=self._own,
            opening=lambda source: self._stop_with(source.stop),
        )

    def _report(self, run: BuiltRun, state: str, report_file: PartialFile | None) -> None:
        failed = state == "failed" or (state == "interrupted" and not self._keep_interrupted)
        report = Report(
            source=redacted(self._source),
            detector=run.detector,
            state=state,
            stats=self.stats,
            outputs=self._written(failed=failed),
            notes=run.notes,
            first_frame_s=self._first_frame_s,
            remarks=self._remarks(),
            rules=self._settings.analytics,
        )
        if report_file is not None:
            report_file.complete(json.dumps(paths.encodable(report.to_dict()), indent=2) + "\n")
        self._reporter.report(report)

    def _announce(self, run: BuiltRun) -> None:
        lines = self._outputs.destinations(run.sinks)
        lines += [observer.destination for observer in run.observers if observer.destination]
        lines += [NO_VIDEO] if self._outputs.lack_video(run.sinks) else []
        self._reporter.started(lines)
        self._described = [(sink, sink.destination) for sink in self._outputs.described(run.sinks)]

    def _written(self, *, failed: bool) -> list[str]:
        """The finished files. A failed run leaves those of recordings."""
        files = [] if failed else [path for path in self._outputs.files if path != self._outputs.report]
        found = [path for path in files if paths.exists(path)]
        for sink, _ in self._described:
            found += sink.files
        return list(map(str, found))

    def _remarks(self) -> list[str]:
        return [f"ended: {destination}" for sink, destination in self._described if not sink.files]
