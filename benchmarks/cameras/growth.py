"""CPU time of a frame and memory from 1 to 16 cameras in one `serve` (goal 3)."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from benchmarks.cameras import table
from benchmarks.cameras.rig import Kind, Rig, Window, watch
from benchmarks.cameras.table import Goal

KIND = Kind((640, 360), 10, 1.0)
WARM_UP_S = 6.0
_MOST_GROWTH = 0.15
_MOST_OFF_LINE = 0.05


def measure(seconds: float, counts: Sequence[int]) -> None:
    """Print the table and the goals."""
    windows: dict[int, Window] = {}
    memory_mib: dict[int, float] = {}
    with Rig(KIND, max(counts)) as rig:
        for cameras in counts:
            names = rig.names[:cameras]
            with rig.serve({name: rig.camera(name) for name in names}) as programs:
                programs.wait_for(names)
                time.sleep(WARM_UP_S)
                windows[cameras] = watch(programs, seconds)
                memory_mib[cameras] = programs.memory_mib
    table.title(f"{min(counts)} to {max(counts)} cameras in one `serve`, {KIND}, starter")
    table.table(
        ["cameras", "fps, slowest", "detected /s", "CPU ms/frame", "age shown p95, ms", "MiB"],
        [
            [
                str(cameras),
                f"{min(window.fps(name) for name in window.after.streams):.2f}",
                f"{window.detected_fps():.1f}",
                f"{window.cpu_ms_a_frame:.2f}",
                f"{window.age_p95_ms('shown', tuple(window.after.streams)):.0f}",
                f"{memory_mib[cameras]:.1f}",
            ]
            for cameras, window in windows.items()
        ],
    )
    growth = max(window.cpu_ms_a_frame for window in windows.values()) / windows[min(counts)].cpu_ms_a_frame - 1
    slope_mib, off = line(memory_mib)
    table.goals(
        [
            Goal(f"CPU time of a frame grows by at most {_MOST_GROWTH:.0%}", f"{growth:+.0%}", growth <= _MOST_GROWTH),
            Goal(
                f"memory is linear: at most {_MOST_OFF_LINE:.0%} off a line",
                f"{slope_mib:.1f} MiB a camera, {off:.1%} off",
                off <= _MOST_OFF_LINE,
            ),
        ]
    )


def line(memory_mib: dict[int, float]) -> tuple[float, float]:
    """The slope of the line through these values (least squares), and the largest relative distance from it."""
    cameras, mib = np.array(list(memory_mib)), np.array(list(memory_mib.values()))
    slope, base = np.polyfit(cameras, mib, 1)
    return float(slope), float(np.abs(mib / (base + slope * cameras) - 1).max())
