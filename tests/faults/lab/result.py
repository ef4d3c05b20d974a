"""The result of a series of repetitions, as a table and as values for programs. Immutable."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that is at least as large as `percent` of all (nearest rank); NaN without any."""
    if not values:
        return math.nan
    return sorted(values)[max(math.ceil(len(values) * percent / 100), 1) - 1]


@dataclass(frozen=True, slots=True)
class Result:
    """One scenario.

    Attributes:
        name: of the scenario.
        limit_s: limit of the recovery time.
        repetitions: how many there were.
        recovery_s: of those that recovered, seconds.
        stop_s: the time to end the program during the fault, seconds.
        problems: other violations, one line each.
        figures: other measurements, by name.
    """

    name: str
    limit_s: float
    repetitions: int
    recovery_s: tuple[float, ...]
    stop_s: tuple[float, ...]
    problems: tuple[str, ...]
    figures: dict[str, float]

    @property
    def is_good(self) -> bool:
        """All recovered, 95 of 100 within the limit, and there was no other violation."""
        all_recovered = len(self.recovery_s) == self.repetitions
        return all_recovered and percentile(self.recovery_s, 95) <= self.limit_s and not self.problems

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        summary = {"p50_s": percentile(self.recovery_s, 50), "p95_s": percentile(self.recovery_s, 95)}
        return dataclasses.asdict(self) | summary | {"good": self.is_good}


HEADER = f"{'fault':24} {'recovered':>9}  {'p50':>6} {'p95':>6} {'worst':>6} {'limit':>6}   {'end':>5}"


def line(result: Result) -> str:
    """One line of the table."""
    times, stops = result.recovery_s, result.stop_s
    figures = "  ".join(f"{name} {value:.4g}" for name, value in result.figures.items())
    recovered = f"{len(times)}/{result.repetitions}"
    shown = (percentile(times, 50), percentile(times, 95), max(times, default=math.nan), result.limit_s)
    columns = " ".join(f"{value:6.2f}" for value in shown)
    longest = max(stops, default=math.nan)
    verdict = "" if result.is_good else "  <-- " + ("; ".join(result.problems[:3]) or "too slow")
    return f"{result.name:24} {recovered:>9}  {columns}   {longest:5.2f}  {figures}{verdict}"
