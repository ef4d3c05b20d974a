"""What a person sees of several runs: one line for each input, and a summary. Used by the thread that runs them."""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from rich.cells import cell_len

from streamer.cli.terminal import Terminal
from streamer.errors import StreamerError
from streamer.observe.report import Progress
from streamer.run.outcome import Outcome, RunFigures
from streamer.system.suggestions import counted

_MOST_CLASSES = 3
_COLUMNS = 80
_MOST_TITLE = 20
"""Columns of a progress display for the input."""


class RunsTerminal:
    """The `streamer.run.runs_reporter.RunsReporter` of the command line.

    Args:
        terminal: where it is shown.
    """

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._bars = terminal.bars(has_titles=True)
        self._started = False

    def message(self, text: str) -> None:
        """See `RunsReporter`."""
        self._terminal.message(text)

    def started(self, destinations: Sequence[str]) -> None:
        """See `RunsReporter`. Shown for the first run only: the others differ by the name of the input."""
        if not self._started:
            self._started = True
            self._terminal.started(destinations)

    def progress(self, total: int | None, *, live: bool, title: str) -> AbstractContextManager[Progress]:
        """See `RunsReporter`."""
        number, _, name = title.partition(" ")
        room = _MOST_TITLE - len(number) - 1
        shown = name if len(name) <= room else f"…{name[1 - room :]}"
        if live:
            return self._terminal.progress(total, live=True)
        return self._terminal.file_progress(total, title=f"{number} {shown}", bars=self._bars)

    def ended(self, number: int, total: int, outcome: Outcome) -> None:
        """One line for the input; an error goes to standard error."""
        count = f"{number}/{total}"
        if outcome.error is None or outcome.interrupted:
            self._line(line_of(f"{count} {outcome.source}", outcome.figures))
        elif isinstance(outcome.error, StreamerError):
            message = str(outcome.error)
            named = message if outcome.source in message else f"{outcome.source}: {message}"
            self._terminal.error(f"{count} {named}")
        else:
            self._terminal.error(f"{count} {outcome.source}: this is a bug:")
            self._terminal.crash("".join(traceback.format_exception(outcome.error)))

    def summary(self, outcomes: Sequence[Outcome], total: int, wall_s: float) -> None:
        """One line for all inputs, and where the outputs are."""
        figures = [one.figures for one in outcomes if one.figures is not None]
        complete = sum(one.error is None for one in outcomes)
        failed = sum(one.failed for one in outcomes)
        frames = sum(one.frames for one in figures)
        parts = [f"{complete} complete"]
        parts += [f"{failed} failed"] if failed else []
        parts += [f"{total - complete - failed} interrupted or not begun"] if complete + failed < total else []
        self._line(f"{counted(total, 'input')}: {', '.join(parts)}; {counted(frames, 'frame')} in {wall_s:.1f} s")
        folders = Counter(str(Path(path).parent) for one in figures for path in one.outputs)
        for folder, files in folders.items():
            where = "in this folder" if folder == "." else f"in {folder}"
            self._line(f"written: {counted(files, 'file')} {where}")

    def _line(self, text: str) -> None:
        with self._bars.hidden() if self._bars is not None else nullcontext():
            if not self._terminal.quiet:
                self._terminal.line(text)


def line_of(name: str, figures: RunFigures | None) -> str:
    """Name, frames, speed, and as many classes as fit a line."""
    if figures is None:
        return f"{name}: interrupted before the first frame"
    state = "" if figures.state == "complete" else f"{figures.state} after "
    begin = f"{name}: {state}{counted(figures.frames, 'frame')}, {figures.fps:.1f} fps; "
    counts = sorted(figures.objects.items(), key=lambda item: (-item[1], item[0]))
    for shown in range(_MOST_CLASSES, 0, -1):
        classes = [f"{label} {count}" for label, count in counts[:shown]]
        classes += [f"{len(counts) - shown} more"] if len(counts) > shown else []
        line = begin + (", ".join(classes) or "no tracks")
        if cell_len(line) <= _COLUMNS:
            break
    return line
