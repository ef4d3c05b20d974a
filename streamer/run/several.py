"""Runs several inputs, one after the other or some at the same time, with the detector loaded once.

The thread that calls `SeveralRuns.run` does the first run, and more threads do others once the detector is loaded. They
take turns at the detector; decoding, drawing and encoding go on at the same time.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from streamer.config.settings import Settings
from streamer.detectors.shared import SharedDetectors
from streamer.errors import ConfigError, DetectorHung, Interrupted, StreamerError
from streamer.flow.threads import ThreadGroup
from streamer.observe.run_name import input_name
from streamer.run.inputs import PlannedRun, listed
from streamer.run.outcome import Outcome, is_disk_full
from streamer.run.own_parts import OwnParts
from streamer.run.runs_reporter import RunReporter, RunsReporter
from streamer.run.session import Session, StopHook
from streamer.system.secrets import redacted

_END_S = 3.0
"""How long an interrupted program waits for the other runs after its own."""


class RunsFailed(StreamerError):
    """Some of several runs failed; the others are complete."""


class RunLog(Protocol):
    """Records which runs are complete. The thread of the run calls it."""

    def begin(self, run: PlannedRun) -> None:
        """Before the run. An exception ends all runs."""
        ...

    def end(self, run: PlannedRun, outcome: Outcome) -> Outcome:
        """After the run; returns the outcome to report. An exception ends all runs."""
        ...


class RunParts(Protocol):
    """Has the detectors of several runs. Any thread."""

    def of(self, source: str) -> AbstractContextManager[tuple[Settings, OwnParts]]:
        """The settings of a run and its detectors. Its thread enters and leaves it, which raises what a run raises."""
        ...

    def stop(self) -> None:
        """End all waits in `of` and in the detectors."""
        ...

    def discard(self) -> None:
        """A detector hung, and no other run is in progress."""
        ...


class _OwnDetectors:
    """The detectors of this process, loaded by the first run."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._shared = SharedDetectors()
        self.discard = self._shared.discard

    def of(self, source: str) -> AbstractContextManager[tuple[Settings, OwnParts]]:  # noqa: ARG002
        return nullcontext((self._settings, OwnParts(detectors=self._shared)))

    def stop(self) -> None:
        pass


class SeveralRuns:
    """Runs inputs. A run that fails does not stop the others; an interruption and a full disk do.

    Args:
        runs: from `streamer.run.inputs.plan`.
        settings: of every run.
        reporter: gets messages, progress, one outcome for each run, and the summary.
        started_s: when the program began, on the monotonic clock; now if None.
        jobs: how many run at the same time. More than one: no window, and nothing that only one run may have, such as
            the address of metrics.
        log: records the runs.
        parts: has their detectors; this process loads them if None.
        keep_interrupted: see `Session`.
    """

    def __init__(
        self,
        runs: Sequence[PlannedRun],
        settings: Settings,
        reporter: RunsReporter,
        *,
        started_s: float | None = None,
        jobs: int = 1,
        log: RunLog | None = None,
        parts: RunParts | None = None,
        keep_interrupted: bool = True,
    ) -> None:
        self._runs = tuple(runs)
        self._settings = settings
        self._reporter = reporter
        self._started_s = started_s
        self._jobs = jobs
        self._log = log
        self._keep_interrupted = keep_interrupted
        self._on_ready: StopHook = lambda _: None
        self._own = _OwnDetectors(settings)
        self._parts = parts or self._own
        self._threads = ThreadGroup(self.stop, deadline_s=_END_S)
        self._changed = threading.Condition()  # guards all below
        self._next = 0
        self._sessions: dict[int, Session | None] = {}
        """Of the runs in progress; None until a run has its detectors."""
        self._outcomes: list[Outcome] = []
        self._is_ready = self._ends = False
        self._ended_by: BaseException | None = None

    def run(self, *, on_ready: StopHook = lambda _: None) -> None:
        """Run all inputs. Called once.

        Args:
            on_ready: called before the first frame of the first run with the function that ends all runs.

        Raises:
            Interrupted: `stop` was called or a window was closed. Complete outputs stay.
            StreamerError: the settings, the model or the cluster do not work, so no run can succeed.
            RunsFailed: some runs failed; all have been tried, unless the disk is full.
        """
        self._on_ready, began_s = on_ready, time.monotonic()
        try:
            with self._threads:
                self._work()
                with self._changed:
                    self._changed.wait_for(lambda: not self._sessions or self._ends_at_once)
                if self._ended_by is not None and not self._is_complete:
                    raise self._ended_by
        finally:
            self._own.discard()
            if self._outcomes or not self._runs:
                self._reporter.summary(self._outcomes, len(self._runs), time.monotonic() - began_s)
        self._raise_failures()

    @property
    def _ends_at_once(self) -> bool:
        """Whether the user asked twice."""
        return isinstance(self._ended_by, KeyboardInterrupt)

    @property
    def _is_complete(self) -> bool:
        """Whether all runs have ended, and none was interrupted: the user asked too late."""
        ended = sum(not one.interrupted for one in self._outcomes)
        return isinstance(self._ended_by, Interrupted) and ended == len(self._runs)

    @property
    def _ends_by_request(self) -> bool:
        """Whether the runs in progress end, too; after a full disk they go on."""
        return self._ended_by is not None

    def _raise_failures(self) -> None:
        failed = [one for one in self._outcomes if one.error is not None]
        if not failed:
            return
        line = f"{len(failed)} of {len(self._runs)} inputs failed: {listed([one.source for one in failed])}"
        if missing := len(self._runs) - len(self._outcomes):
            line += f"; the disk is full, so {missing} were not begun: free some space and run the command again"
        raise RunsFailed(line)

    def stop(self) -> None:
        """End the runs in progress after their current frames, and begin no other. Any thread, no signal handler."""
        self._end(Interrupted())

    def _end(self, cause: BaseException) -> None:
        with self._changed:
            self._ended_by = self._ended_by or cause
            self._ends = True
            running = [session for session in self._sessions.values() if session is not None]
        self._parts.stop()
        for session in running:
            session.stop()

    def _work(self) -> None:
        """Do runs until none is left. Several threads."""
        while (begun := self._begun()) is not None:
            number, reporter = begun
            try:
                self._do(number, self._runs[number], reporter)
            except BaseException as error:
                self._end(error)
            finally:
                with self._changed:
                    del self._sessions[number]
                    self._changed.notify_all()

    def _begun(self) -> tuple[int, RunReporter] | None:
        """The number of the next run, which counts as in progress now, and its reporter; None if there is none."""
        with self._changed:
            number = self._next
            if self._ends or number == len(self._runs):
                return None
            self._next += 1
            run = self._runs[number]
            title = f"{number + 1}/{len(self._runs)} {redacted(run.source)}"
            reporter = RunReporter(self._reporter, title, self._changed)
            self._sessions[number] = None
            return number, reporter

    def _do(self, number: int, run: PlannedRun, reporter: RunReporter) -> None:
        if self._log is not None:
            self._log.begin(run)
        outcome = self._outcome(number, run, reporter)
        if self._log is not None:
            outcome = self._log.end(run, outcome)
        with self._changed:
            if isinstance(outcome.error, DetectorHung) and len(self._sessions) == 1:
                self._parts.discard()  # other runs go on with it: it is loaded again for their next frame
            self._reporter.ended(number + 1, len(self._runs), outcome)
            self._outcomes.append(outcome.without_traceback())
            self._ends |= is_disk_full(outcome.error)
        if outcome.interrupted:
            assert outcome.error is not None
            self._end(outcome.error)

    def _outcome(self, number: int, run: PlannedRun, reporter: RunReporter) -> Outcome:
        source = redacted(run.source)
        try:
            with input_name(source), self._parts.of(run.source) as (settings, own):
                self._session(number, run, settings, own, reporter).run(on_ready=self._ready)
        except (Exception, KeyboardInterrupt) as error:  # a bug ends one run, too
            if getattr(error, "ends_all_runs", False) or (isinstance(error, ConfigError) and not self._is_ready):
                raise
            return Outcome(source, reporter.figures, error)
        return Outcome(source, reporter.figures)

    def _session(
        self, number: int, run: PlannedRun, settings: Settings, own: OwnParts, reporter: RunReporter
    ) -> Session:
        session = Session(
            run.source,
            run.outputs,
            settings,
            reporter,
            started_s=self._started_s if number == 0 else None,
            own=own,
            one_of_several=True,
            keep_interrupted=self._keep_interrupted,
        )
        with self._changed:
            self._sessions[number] = session
            if self._ends_by_request:
                raise Interrupted
        return session

    def _ready(self, _stop: Callable[[], None]) -> None:
        """A run has its detector. The first one is on the thread of `run`."""
        with self._changed:
            is_first, self._is_ready = not self._is_ready, True
            more = min(self._jobs, len(self._runs) - self._next + 1) - 1
        if is_first:
            self._on_ready(self.stop)
            for _ in range(more):
                self._threads.start("run", self._work)
