"""Four cameras of 1280x720 in one `serve`, beside one `run` for each: rate, age, CPU time, memory (goal 2)."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.cameras import table
from benchmarks.cameras.program import Programs
from benchmarks.cameras.rig import Kind, Rig, Window, watch
from benchmarks.cameras.table import Goal

KIND = Kind((1280, 720), 15, None)
CAMERAS = 4
WARM_UP_S = 6.0
_MOST_CPU = 0.8
_MOST_MIB = 45.0
_LEAST_SHOWN = 0.99
"""Of the frames, in a window that does not begin and end with a frame."""


@dataclass(frozen=True, slots=True)
class _Measured:
    """One way to watch the cameras, in one round."""

    window: Window
    memory_mib: float
    cpu_from_start_s: float
    """CPU time from the start of the processes to the end of the window."""
    streaming_share: float
    """CPU time of the cameras' own process in the window, seconds per second."""


def measure(seconds: float, rounds: int) -> None:
    """Print the table and the goals."""
    with Rig(KIND, CAMERAS) as rig:
        memory_mib = {cameras: _memory(rig, rig.names[:cameras]) for cameras in (1, 2)}
        serve, run = [], []
        for _ in range(rounds):
            with rig.serve({name: rig.camera(name) for name in rig.names}) as programs:
                serve.append(_measure(rig, programs, seconds))
            with rig.run(rig.names) as programs:
                run.append(_measure(rig, programs, seconds))
        memory_mib[CAMERAS] = median(one.memory_mib for one in serve)
        _print(rig.names, serve, run)
        table.table(
            ["cameras in one `serve`", *map(str, memory_mib)],
            [["memory, MiB", *(f"{mib:.1f}" for mib in memory_mib.values())]],
        )
        table.goals(_goals(rig.names, serve, run, (memory_mib[CAMERAS] - memory_mib[1]) / (CAMERAS - 1)))


def _memory(rig: Rig, names: Sequence[str]) -> float:
    with rig.serve({name: rig.camera(name) for name in names}) as programs:
        programs.wait_for(names)
        time.sleep(WARM_UP_S)
        return programs.memory_mib


def _measure(rig: Rig, programs: Programs, seconds: float) -> _Measured:
    programs.wait_for(rig.names)
    time.sleep(WARM_UP_S)
    streaming_s = rig.streaming_cpu_s
    window = watch(programs, seconds)
    share = (rig.streaming_cpu_s - streaming_s) / window.seconds
    return _Measured(window, programs.memory_mib, window.after.cpu_s, share)


def _print(names: Sequence[str], serve: Sequence[_Measured], run: Sequence[_Measured]) -> None:
    table.title(f"{CAMERAS} cameras, {KIND}, starter")
    figures: dict[str, Callable[[_Measured], float]] = {
        "frames shown a second, slowest camera": lambda one: min(one.window.fps(name) for name in names),
        "detections a second and camera": lambda one: one.window.detected_fps() / len(names),
        "age at the detector, p95 of the worst camera, ms": lambda one: one.window.age_p95_ms("detector", names),
        "age when shown, p95 of the worst camera, ms": lambda one: one.window.age_p95_ms("shown", names),
        "CPU time of a camera, ms a second": lambda one: 1e3 * one.window.cpu_s / one.window.seconds / len(names),
        "CPU time of a frame, ms": lambda one: one.window.cpu_ms_a_frame,
        "CPU time of a camera with the start, s": lambda one: one.cpu_from_start_s / len(names),
        "memory, MiB": lambda one: one.memory_mib,
    }
    rows = []
    for text, figure in figures.items():
        own, other = [figure(one) for one in serve], [figure(one) for one in run]
        rows.append([text, f"{median(own):.2f}", f"{median(other):.2f}", f"{ratio(own, other):.2f}"])
    table.table(["", "`serve`", f"{len(names)} `run`", "ratio"], rows)
    share = median(one.streaming_share for one in serve) / (os.cpu_count() or 1)
    table.note(f"Medians of {len(serve)} rounds in turns. Sending the streams takes {share:.1%} of the machine.")


def _goals(
    names: Sequence[str], serve: Sequence[_Measured], run: Sequence[_Measured], mib_a_camera: float
) -> list[Goal]:
    fps = min(one.window.fps(name) for one in serve for name in names)
    lost = sum(one.window.lost(name) for one in serve for name in names)
    age_ms = max(one.window.age_p95_ms("detector", names) for one in serve)
    decode_ms, detect_ms = (median(one.window.stage_p95_ms(stage) for one in serve) for stage in ("decode", "detect"))
    limit_ms = 1e3 / KIND.fps + decode_ms + detect_ms
    cpu = ratio([_cpu_share(one) for one in serve], [_cpu_share(one) for one in run])
    started = ratio([one.cpu_from_start_s for one in serve], [one.cpu_from_start_s for one in run])
    return [
        Goal(
            f"all {KIND.fps} fps shown",
            f"{fps:.2f} fps, {lost} frames lost",
            fps >= KIND.fps * _LEAST_SHOWN and not lost,
        ),
        Goal(
            f"age at the detector p95 at most {limit_ms:.0f} ms: a frame interval, decoding, a detection",
            f"{age_ms:.0f} ms",
            age_ms <= limit_ms,
        ),
        Goal(
            f"CPU time of a camera at most {_MOST_CPU} of `run`",
            f"{cpu:.2f}; with the start {started:.2f}",
            cpu <= _MOST_CPU,
        ),
        Goal(f"each further camera at most {_MOST_MIB:g} MiB", f"{mib_a_camera:.1f} MiB", mib_a_camera <= _MOST_MIB),
    ]


def _cpu_share(measured: _Measured) -> float:
    """CPU time of all cameras, seconds per second."""
    return measured.window.cpu_s / measured.window.seconds


def ratio(own: Sequence[float], other: Sequence[float]) -> float:
    """The median of the ratios of the rounds."""
    return median(one / another for one, another in zip(own, other, strict=True))
