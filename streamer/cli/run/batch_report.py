"""What a person sees of several runs: one line for each input, and a summary. Used by the thread that runs them."""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from rich.cells import cell_len

from streamer.cli.terminal import Terminal
from streamer.errors import StreamerError
from streamer.observe.report import Progress, Report
from streamer.run.batch import Outcome
from streamer.system.suggestions import counted

_MOST_CLASSES = 3
_COLUMNS = 80
_MOST_TITLE = 20
"""Columns of a progress display for the input."""


class BatchTerminal:
    """The `streamer.run.batch.BatchReporter` of the command line.

    Args:
        terminal: where it is shown.
    """

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._started = False

    def message(self, text: str) -> None:
        """See `BatchReporter`."""
        self._terminal.message(text)

    def started(self, destinations: Sequence[str]) -> None:
        """See `BatchReporter`. Shown for the first run only: the others differ by the name of the input."""
        if not self._started:
            self._started = True
            self._terminal.started(destinations)

    def progress(self, total: int | None, *, live: bool, title: str) -> AbstractContextManager[Progress]:
        """See `BatchReporter`."""
        number, _, name = title.partition(" ")
        room = _MOST_TITLE - len(number) - 1
        shown = name if len(name) <= room else f"…{name[1 - room :]}"
        return self._terminal.progress(total, live=live, title=f"{number} {shown}")

    def ended(self, number: int, total: int, outcome: Outcome) -> None:
        """One line for the input; an error goes to standard error."""
        count = f"{number}/{total}"
        if outcome.error is None or outcome.interrupted:
            self._line(_line_of(f"{count} {outcome.source}", outcome.report))
        elif isinstance(outcome.error, StreamerError):
            message = str(outcome.error)
            named = message if outcome.source in message else f"{outcome.source}: {message}"
            self._terminal.error(f"{count} {named}")
        else:
            self._terminal.error(f"{count} {outcome.source}: this is a bug:")
            self._terminal.crash("".join(traceback.format_exception(outcome.error)))

    def summary(self, outcomes: Sequence[Outcome], total: int, wall_s: float) -> None:
        """One line for all inputs, and where the outputs are."""
        reports = [one.report for one in outcomes if one.report is not None]
        complete = sum(report.state == "complete" for report in reports)
        failed = sum(one.error is not None and not one.interrupted for one in outcomes)
        frames = sum(report.stats.shown for report in reports)
        parts = [f"{complete} complete"]
        parts += [f"{failed} failed"] if failed else []
        parts += [f"{total - complete - failed} interrupted or not begun"] if complete + failed < total else []
        self._line(f"{counted(total, 'input')}: {', '.join(parts)}; {counted(frames, 'frame')} in {wall_s:.1f} s")
        folders = Counter(str(Path(path).parent) for report in reports for path in report.outputs)
        for folder, files in folders.items():
            where = "in this folder" if folder == "." else f"in {folder}"
            self._line(f"written: {counted(files, 'file')} {where}")

    def _line(self, text: str) -> None:
        if not self._terminal.quiet:
            self._terminal.line(text)


def _line_of(name: str, report: Report | None) -> str:
    """Name, frames, speed, and as many classes as fit a line."""
    if report is None:
        return f"{name}: interrupted before the first frame"
    stats = report.stats
    state = "" if report.state == "complete" else f"{report.state} after "
    begin = f"{name}: {state}{counted(stats.shown, 'frame')}, {stats.throughput_fps:.1f} fps; "
    counts = sorted(stats.tracks.by_class.items(), key=lambda item: (-item[1], item[0]))
    for shown in range(_MOST_CLASSES, 0, -1):
        classes = [f"{label} {count}" for label, count in counts[:shown]]
        classes += [f"{len(counts) - shown} more"] if len(counts) > shown else []
        line = begin + (", ".join(classes) or "no tracks")
        if cell_len(line) <= _COLUMNS:
            break
    return line
