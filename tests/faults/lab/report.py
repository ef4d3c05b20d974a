"""Prints the tables of docs/engineering/reliability.md: `python -m tests.faults.lab.report FILE...` (of `--json`).

A fault that is in several files is taken from the last one.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from tests.faults.lab.catalog import SCENARIOS

_HEAD = (
    "| fault | recovered | p50 s | p95 s | worst s | limit s | longest end s |",
    "|---|---|---|---|---|---|---|",
)


def main() -> None:
    """Print the tables."""
    rows: dict[str, dict[str, Any]] = {}
    for name in sys.argv[1:]:
        written = json.loads(Path(name).read_text(encoding="utf-8"))
        rows |= {row["name"]: row for row in written["results"]}
    print(*descriptions(rows), "", *times(rows), sep="\n")
    for row in rows.values():
        if row["figures"]:
            print(f"\n{row['name']}: {row['figures']}")


def descriptions(rows: dict[str, dict[str, Any]]) -> list[str]:
    """Each fault, and the expected reaction."""
    lines = ["| fault | what happens | what the program does |", "|---|---|---|"]
    for name in _ordered(rows):
        scenario = SCENARIOS[name]
        lines.append(f"| `{name}` | {scenario.fault} | {scenario.expected} |")
    return lines


def times(rows: dict[str, dict[str, Any]]) -> list[str]:
    """The recovery times."""
    lines = list(_HEAD)
    for name in _ordered(rows):
        row = rows[name]
        recovered = f"{len(row['recovery_s'])} of {row['repetitions']}"
        values = row["p50_s"], row["p95_s"], max(row["recovery_s"], default=float("nan")), row["limit_s"]
        ended = f"{max(row['stop_s']):.2f}" if row["stop_s"] else "-"
        lines.append(f"| `{name}` | {recovered} | " + " | ".join(f"{value:.2f}" for value in values) + f" | {ended} |")
    return lines


def _ordered(rows: dict[str, dict[str, Any]]) -> list[str]:
    return [name for name in SCENARIOS if name in rows]


if __name__ == "__main__":
    main()
