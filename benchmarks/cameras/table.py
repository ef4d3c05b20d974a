"""Tables of 80 columns, and the goal of a figure beside its result."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.clips import machine

_WIDTH = 80
_console = Console(width=_WIDTH, highlight=False)


@dataclass(frozen=True, slots=True)
class Goal:
    """A goal of the issue.

    Attributes:
        text: the goal.
        result: what was measured.
        reached: whether it is reached.
    """

    text: str
    result: str
    reached: bool


def title(text: str) -> None:
    """The heading of a measurement, with the machine and how busy it is."""
    _console.print(f"\n{text}\n{machine()}, load {os.getloadavg()[0]:.1f}")


def note(text: str) -> None:
    """A line below a table."""
    _console.print(text)


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table; all columns but the first are figures."""
    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for number, column in enumerate(columns):
        shown.add_column(column, justify="right" if number else "left", no_wrap=True)
    for row in rows:
        shown.add_row(*row)
    _console.print(shown)


def goals(reached: Sequence[Goal]) -> None:
    """Each goal, its result, and whether it is reached."""
    shown = Table(box=box.SIMPLE_HEAD, width=_WIDTH, pad_edge=False)
    shown.add_column("goal", ratio=3)
    shown.add_column("result", ratio=3)
    shown.add_column("", justify="right")
    for goal in reached:
        shown.add_row(goal.text, goal.result, "reached" if goal.reached else "MISSED")
    _console.print(shown)
