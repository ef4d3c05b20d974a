"""What a person sees of a batch: what is to do, a line for each file, and a table at the end.

One thread at a time calls it: those of the runs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table

from streamer.batch.journal import Entry
from streamer.batch.resuming import Work
from streamer.cli.run.several_report import RunsTerminal
from streamer.cli.terminal import Terminal
from streamer.run.outcome import Outcome, RunFigures
from streamer.system.paths import readable
from streamer.system.secrets import SECRETS
from streamer.system.suggestions import counted

_MOST_ROWS = 20
"""A longer table has the files that are not done only."""
_MOST_CLASSES = 2
_MOST_NAME = 34
"""Columns of a terminal for the name of a file."""
_DONE, _EARLIER, _FAILED, _INTERRUPTED = "done", "done before", "failed", "interrupted"


@dataclass(frozen=True, slots=True)
class _Row:
    name: str
    result: str
    figures: RunFigures | None = None


class BatchTerminal(RunsTerminal):
    """The `streamer.batch.batch.BatchReporter` of the command line.

    Args:
        terminal: where it is shown.
        folder: of the outputs.
    """

    def __init__(self, terminal: Terminal, folder: Path) -> None:
        super().__init__(terminal)
        self._folder = folder
        self._done: Sequence[Entry] = ()
        self._names: Mapping[str, str] = {}
        self._said: set[str] = set()

    def message(self, text: str) -> None:
        """See `RunsReporter`. Each line is shown once: most are the same for every file."""
        if text not in self._said:
            self._said.add(text)
            super().message(text)

    def found(self, names: Mapping[str, str], work: Work) -> None:
        """See `BatchReporter`."""
        self._done, self._names = work.done, names
        total = len(work.done) + len(work.to_do)
        parts = [f"{len(work.done)} done before"] if work.done else []
        parts += [f"{count} {reason}" for reason, count in work.why.items()]
        self._terminal.message(f"{counted(total, 'file')}: {', '.join(parts)}; writing to {self._folder}")

    def started(self, destinations: Sequence[str]) -> None:
        """Shows nothing: `found` says where the outputs are."""

    def summary(self, outcomes: Sequence[Outcome], total: int, wall_s: float) -> None:
        """The table."""
        rows = [_Row(entry.file, _EARLIER, entry.figures) for entry in self._done]
        rows += [
            _Row(self._names.get(one.source, one.source), _result(one), one.figures if one.error is None else None)
            for one in outcomes
        ]
        results = Counter(row.result for row in rows)
        if missing := total - len(outcomes):
            results["not begun"] = missing
        if self._terminal.quiet:
            return
        table = _table()
        shown = rows if len(rows) <= _MOST_ROWS else [row for row in rows if row.result in (_FAILED, _INTERRUPTED)]
        for row in shown[:_MOST_ROWS]:
            _add(table, self._fitting(row.name), row.result, row.figures)
        table.add_section()
        self._add_total(table, rows, results, wall_s)
        self._terminal.table(table)
        if len(shown) > _MOST_ROWS:
            self._terminal.line(f"{len(shown) - _MOST_ROWS} more are not done; the messages above name them")
        self._terminal.line(f"outputs in {self._folder}, {wall_s:.1f} s")

    def _fitting(self, name: str) -> str:
        """A name without its begin where a terminal has no room for it; a file or a pipe gets the whole name."""
        fits = len(name) <= _MOST_NAME or not self._terminal.output.is_terminal
        return name if fits else f"…{name[1 - _MOST_NAME :]}"

    def _add_total(self, table: Table, rows: Sequence[_Row], results: Mapping[str, int], wall_s: float) -> None:
        objects, frames, new_frames = Counter[str](), 0, 0
        for row in rows:
            if row.figures is not None:
                objects.update(row.figures.objects)
                frames += row.figures.frames
                new_frames += row.figures.frames if row.result == _DONE else 0
        result = "\n".join(f"{count} {name}" for name, count in results.items())
        files = counted(sum(results.values()), "file")
        _add(table, files, result, RunFigures("", frames, new_frames / max(wall_s, 1e-3), objects))


def _result(outcome: Outcome) -> str:
    if outcome.error is None:
        return _DONE
    return _INTERRUPTED if outcome.interrupted else _FAILED


def _table() -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("file", no_wrap=True)
    table.add_column("result", no_wrap=True)
    table.add_column("frames", justify="right", no_wrap=True)
    table.add_column("fps", justify="right", no_wrap=True)
    table.add_column("objects", no_wrap=True, overflow="ellipsis")
    return table


def _add(table: Table, name: str, result: str, figures: RunFigures | None) -> None:
    cells = ("", "", "")
    if figures is not None:
        most = Counter(figures.objects).most_common()
        objects = [f"{label} {count}" for label, count in most[:_MOST_CLASSES]]
        objects += [f"{len(most) - _MOST_CLASSES} more"] if len(most) > _MOST_CLASSES else []
        cells = (f"{figures.frames:,}", f"{figures.fps:.1f}" if figures.fps else "", ", ".join(objects))
    table.add_row(readable(SECRETS.hide(name)), result, *cells)
