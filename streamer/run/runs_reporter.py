"""What several runs report: each run to its own reporter, and all of them, one after the other, to a common one."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from streamer.observe.report import Progress, Report, Reporter
from streamer.run.outcome import Outcome, RunFigures


class RunsReporter(Protocol):
    """Receives what happens in several runs. One thread at a time calls it."""

    def message(self, text: str) -> None:
        """One line about what happens."""
        ...

    def started(self, destinations: Sequence[str]) -> None:
        """As of `Reporter`, for each run."""
        ...

    def progress(self, total: int | None, *, live: bool, title: str) -> AbstractContextManager[Progress]:
        """As of `Reporter`; `title` is the number and the name of the input. The display is entered, updated and left
        by the thread of the run."""
        ...

    def ended(self, number: int, total: int, outcome: Outcome) -> None:
        """A run has ended; `number` counts from 1 in the order of the inputs."""
        ...

    def summary(self, outcomes: Sequence[Outcome], total: int, wall_s: float) -> None:
        """All runs have ended, or some were interrupted or not begun. `outcomes` in the order in which they ended."""
        ...


class RunReporter(Reporter):
    """The reporter of one of several runs: it keeps the figures of the report.

    Args:
        reporter: of all runs.
        title: number and name of the input.
        turn: held while `reporter` is called.
    """

    def __init__(self, reporter: RunsReporter, title: str, turn: AbstractContextManager[object]) -> None:
        self.figures: RunFigures | None = None
        self._reporter = reporter
        self._title = title
        self._turn = turn

    def message(self, text: str) -> None:
        with self._turn:
            self._reporter.message(text)

    def started(self, destinations: Sequence[str]) -> None:
        with self._turn:
            self._reporter.started(destinations)

    def progress(self, total: int | None, *, live: bool) -> AbstractContextManager[Progress]:
        with self._turn:
            return self._reporter.progress(total, live=live, title=self._title)

    def report(self, report: Report) -> None:
        self.figures = RunFigures.of(report)
