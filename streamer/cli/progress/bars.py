"""Progress of the runs of files: a bar for each on a terminal, else a plain line every few seconds.

Each run has a `RunProgress`, used by its thread. Runs at the same time share `ProgressBars`, because a terminal has one
place for them; any thread may call those.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Column
from rich.text import Text

from streamer.flow.stats import RunStats
from streamer.observe.report import STATES_WITH_CAUSE

PLAIN_EVERY_S = 5.0


class ProgressBars:
    """The bars of the runs in progress.

    Args:
        console: where they are shown; nothing is shown on one that is no terminal.
        has_titles: each begins with a title.
        beside: more to show, such as the state of workers; read whenever a line is drawn.
    """

    def __init__(self, console: Console, *, has_titles: bool, beside: Callable[[], str] = str) -> None:
        title = TextColumn(
            "{task.description}",
            markup=False,
            table_column=Column(no_wrap=True, max_width=20, overflow="ellipsis"),
        )
        self.is_shown, self.beside = console.is_terminal, beside
        self._lock = threading.RLock()  # guards the two below
        self._running = 0
        self._progress = Progress(
            *([title] if has_titles else []),
            BarColumn(bar_width=8 if beside() else 20),  # the whole line fits 80 columns
            TaskProgressColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[fps]:.1f} fps"),
            TimeRemainingColumn(),
            _Beside(beside) if beside() else TextColumn("{task.fields[lost]} lost"),
            console=console,
            refresh_per_second=4,
            transient=True,
        )

    def add(self, title: str, total: int | None) -> TaskID:
        """Show a bar; `total` is None if it is unknown."""
        with self._lock:
            if not self._running:
                self._progress.start()
            self._running += 1
            return self._progress.add_task(title, total=total, fps=0.0, lost=0)

    def update(self, bar: TaskID, shown: int, fps: float, lost: int) -> None:
        """Change a bar."""
        self._progress.update(bar, completed=shown, fps=fps, lost=lost)

    def remove(self, bar: TaskID) -> None:
        """Remove a bar."""
        with self._lock:
            self._progress.remove_task(bar)
            self._running -= 1
            if not self._running:
                self._progress.stop()

    @contextmanager
    def hidden(self) -> Iterator[None]:
        """Hide the bars while lines are written to standard output, which may be the same terminal."""
        with self._lock:
            if self._running:
                self._progress.stop()
            yield
            if self._running:
                self._progress.start()


class RunProgress:
    """Shows percent, fps, time left and lost frames during a run.

    Args:
        total: number of frames; None if unknown.
        message: shows a plain line.
        bars: where the bar is shown; None shows nothing.
        title: begins the line; empty for a single input.
    """

    def __init__(
        self, total: int | None, *, message: Callable[[str], None], bars: ProgressBars | None, title: str = ""
    ) -> None:
        self._title = title
        self._message = message
        self._total = total
        self._bars = bars
        self._bar: TaskID | None = None
        self._began_s = self._shown_s = time.monotonic()

    def __enter__(self) -> Self:
        if self._bars is not None and self._bars.is_shown:
            self._bar = self._bars.add(self._title, self._total)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: object) -> None:
        if self._bars is not None and self._bar is not None:
            self._bars.remove(self._bar)

    def update(self, stats: RunStats) -> None:
        """Call after each frame."""
        ledger = stats.ledger
        self.show(stats.shown, sum(ledger.count(state) for state in STATES_WITH_CAUSE))

    def show(self, shown: int, lost: int = 0) -> None:
        """The same with the number of frames that are done and lost."""
        if self._bars is None:
            return
        now_s = time.monotonic()
        fps = shown / max(now_s - self._began_s, 1e-3)
        if self._bar is not None:
            self._bars.update(self._bar, shown, fps, lost)
        elif now_s - self._shown_s >= PLAIN_EVERY_S:
            self._shown_s = now_s
            begin = self._title and f"{self._title}: "
            end = (beside := self._bars.beside()) and f", {beside}"
            self._message(begin + _plain_line(shown, self._total, fps, lost) + end)


class _Beside(ProgressColumn):
    """Text that changes while no frame is shown."""

    def __init__(self, text: Callable[[], str]) -> None:
        super().__init__()
        self._text = text

    def render(self, task: Task) -> Text:  # noqa: ARG002
        """See `rich.progress.ProgressColumn`."""
        return Text(self._text())


def _plain_line(shown: int, total: int | None, fps: float, lost: int) -> str:
    if total is None:
        return f"frame {shown}, {fps:.1f} fps, {lost} lost"
    left_s = max(0, total - shown) / fps if fps else 0.0
    return (
        f"frame {shown} of {total} ({100 * shown // max(total, 1)}%), {fps:.1f} fps, {left_s:.0f} s left, {lost} lost"
    )
