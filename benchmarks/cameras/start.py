"""The first picture of each of 16 cameras after the start of `serve`, and its end after SIGTERM (goal 6)."""

from __future__ import annotations

import time

from benchmarks.cameras import table
from benchmarks.cameras.clip import KEY_FRAME_EVERY_S
from benchmarks.cameras.rig import Kind, Rig
from benchmarks.cameras.table import Goal

KIND = Kind((640, 360), 10, 1.0)
CAMERAS = 16
_MOST_START_S = 2.0 + KEY_FRAME_EVERY_S
_MOST_END_S = 3.0


def measure(rounds: int) -> None:
    """Print the table and the goals."""
    rows, slowest_s, ends_s = [], [], []
    with Rig(KIND, CAMERAS) as rig:
        for number in range(rounds):
            with rig.serve({name: rig.camera(name) for name in rig.names}) as programs:
                reading = programs.wait_for(rig.names)
                started_s = programs.only.started_s
                first_s = sorted(reading.streams[name]["first_shown_s"] - started_s for name in rig.names)
                time.sleep(2)
                ends_s.append(programs.only.end())
            slowest_s.append(first_s[-1])
            middle_s = first_s[len(first_s) // 2]
            rows.append([str(number + 1), *(f"{one:.2f}" for one in (first_s[0], middle_s, first_s[-1], ends_s[-1]))])
    table.title(f"start and end of {CAMERAS} cameras in one `serve`, {KIND}, starter")
    table.table(["round", "first camera, s", "median, s", "last camera, s", "SIGTERM to end, s"], rows)
    table.note(f"From the start of the process to the first picture; a keyframe every {KEY_FRAME_EVERY_S:g} s.")
    table.goals(
        [
            Goal(
                f"first picture of each camera within {_MOST_START_S:g} s",
                f"{max(slowest_s):.2f} s",
                max(slowest_s) <= _MOST_START_S,
            ),
            Goal(f"SIGTERM ends all within {_MOST_END_S:g} s", f"{max(ends_s):.2f} s", max(ends_s) <= _MOST_END_S),
        ]
    )
