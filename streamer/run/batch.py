"""Runs several inputs one after the other, with the detector loaded once. The main thread calls it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from streamer.config.settings import Settings
from streamer.detectors.shared import SharedDetectors
from streamer.errors import ConfigError, DetectorHung, Interrupted, ModelError, StreamerError
from streamer.observe.report import Progress, Report, Reporter
from streamer.observe.run_name import input_name
from streamer.run.inputs import PlannedRun
from streamer.run.own_parts import OwnParts
from streamer.run.session import Session, StopHook
from streamer.system.secrets import redacted


class RunsFailed(StreamerError):
    """Some of several runs failed; the others are complete."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of one of several runs.

    Attributes:
        source: readable name of the input.
        report: None if the run failed before its first frame.
        error: that ended the run; None if it is complete.
    """

    source: str
    report: Report | None
    error: BaseException | None = None

    @property
    def interrupted(self) -> bool:
        """Whether the user ended the run."""
        return isinstance(self.error, Interrupted | KeyboardInterrupt)


class BatchReporter(Protocol):
    """Receives what happens in several runs. The thread that runs them calls it."""

    def message(self, text: str) -> None:
        """One line about what happens."""
        ...

    def started(self, destinations: Sequence[str]) -> None:
        """As of `Reporter`, for each run."""
        ...

    def progress(self, total: int | None, *, live: bool, title: str) -> AbstractContextManager[Progress]:
        """As of `Reporter`; `title` is the number and the name of the input."""
        ...

    def ended(self, number: int, total: int, outcome: Outcome) -> None:
        """A run has ended; `number` counts from 1."""
        ...

    def summary(self, outcomes: Sequence[Outcome], total: int, wall_s: float) -> None:
        """All runs have ended, or the last of `outcomes` was interrupted."""
        ...


class Batch:
    """Runs inputs one after the other. A run that fails does not stop the others; an interruption does.

    Args:
        runs: from `streamer.run.inputs.plan`.
        settings: of every run.
        reporter: gets messages, progress, one outcome for each run, and the summary.
        started_s: when the program began, on the monotonic clock; now if None.
    """

    def __init__(
        self,
        runs: Sequence[PlannedRun],
        settings: Settings,
        reporter: BatchReporter,
        *,
        started_s: float | None = None,
    ) -> None:
        self._runs = tuple(runs)
        self._settings = settings
        self._reporter = reporter
        self._started_s = started_s
        self._stopped = threading.Event()
        self._stop_run: Callable[[], None] = lambda: None

    def run(self, *, on_ready: StopHook = lambda _: None) -> None:
        """Run all inputs.

        Args:
            on_ready: called before each run's first frame with the function that ends all runs.

        Raises:
            Interrupted: `stop` was called or a window was closed. Complete outputs stay, and those of the run that was
                interrupted are complete up to the last shown frame.
            ConfigError, ModelError: the settings or the model do not work, so no other run can succeed either.
            RunsFailed: some runs failed; all have been tried.
        """
        began_s, outcomes = time.monotonic(), list[Outcome]()
        try:
            with SharedDetectors() as detectors:
                for number, run in enumerate(self._runs, 1):
                    outcome = self._run_one(number, run, detectors, on_ready)
                    outcomes.append(outcome)
                    self._reporter.ended(number, len(self._runs), outcome)
                    if outcome.error is not None and outcome.interrupted:
                        raise outcome.error
                    if self._stopped.is_set() and number < len(self._runs):
                        raise Interrupted
        finally:
            if outcomes:
                self._reporter.summary(outcomes, len(self._runs), time.monotonic() - began_s)
        failed = [one.source for one in outcomes if one.error is not None]
        if failed:
            raise RunsFailed(f"{len(failed)} of {len(outcomes)} inputs failed: {', '.join(failed)}")

    def stop(self) -> None:
        """End the run in progress after its current frame, and begin no other. Any thread, but no signal handler."""
        self._stopped.set()
        self._stop_run()

    def _run_one(self, number: int, run: PlannedRun, detectors: SharedDetectors, on_ready: StopHook) -> Outcome:
        source = redacted(run.source)
        reporter = _RunReporter(self._reporter, f"{number}/{len(self._runs)} {source}")
        session = Session(
            run.source,
            run.outputs,
            self._settings,
            reporter,
            started_s=self._started_s if number == 1 else None,
            own=OwnParts(detectors=detectors),
            one_of_several=True,
        )
        try:
            with input_name(source):
                session.run(on_ready=lambda stop: self._ready(stop, on_ready))
        except (Exception, KeyboardInterrupt) as error:  # a bug ends one run, too
            if isinstance(error, ModelError) or (isinstance(error, ConfigError) and number == 1):
                raise
            if isinstance(error, DetectorHung):
                detectors.discard()
            return Outcome(source, reporter.final, error)
        return Outcome(source, reporter.final)

    def _ready(self, stop: Callable[[], None], on_ready: StopHook) -> None:
        self._stop_run = stop
        on_ready(self.stop)
        if self._stopped.is_set():  # while this run was opened
            stop()


class _RunReporter(Reporter):
    """The reporter of one of several runs: it keeps the report.

    Args:
        reporter: of all runs.
        title: number and name of the input.
    """

    def __init__(self, reporter: BatchReporter, title: str) -> None:
        self.final: Report | None = None
        self._reporter = reporter
        self._title = title

    def message(self, text: str) -> None:
        self._reporter.message(text)

    def started(self, destinations: Sequence[str]) -> None:
        self._reporter.started(destinations)

    def progress(self, total: int | None, *, live: bool) -> AbstractContextManager[Progress]:
        return self._reporter.progress(total, live=live, title=self._title)

    def report(self, report: Report) -> None:
        self.final = report
