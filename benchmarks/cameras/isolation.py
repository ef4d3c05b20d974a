"""What a fault, a removal or a reload of one camera costs the seven others in one `serve` (goals 4 and 5)."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.cameras import table
from benchmarks.cameras.program import Held, Programs, Reading
from benchmarks.cameras.rig import Kind, Rig, Window, watch
from benchmarks.cameras.table import Goal

KIND = Kind((640, 360), 10, 1.0)
CAMERAS = 8
WARM_UP_S = 6.0
STEADY_S = 25.0
"""Until memory does not grow any more: motion fields of ten seconds are kept."""
_MOST_MIB = 5.0


def measure_faults(seconds: float) -> None:
    """Kill, stall and remove one camera; print the table and the goal."""
    with Rig(KIND, CAMERAS) as rig:
        *others, faulty = rig.names
        cameras = {name: rig.camera(name) for name in rig.names}
        with rig.serve(cameras) as programs:
            programs.wait_for(rig.names)
            time.sleep(WARM_UP_S)
            windows = {"none": watch(programs, seconds)}
            faults: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
                "killed": (partial(rig.kill, faulty), partial(rig.tell, faulty, "open_port")),
                "stalled": (partial(rig.tell, faulty, "half_open"), partial(rig.tell, faulty, "resume")),
                "removed": (
                    partial(programs.only.ask, "remove", faulty),
                    partial(programs.only.ask, "add", faulty, rig.camera(faulty)),
                ),
            }
            for fault, (begin, end) in faults.items():
                begin()
                windows[fault] = watch(programs, seconds)
                end()
                _wait_until_shown(programs, faulty)
                time.sleep(WARM_UP_S / 2)
    table.title(f"one of {CAMERAS} cameras fails, {KIND}, starter")
    interval_ms = 1e3 / KIND.fps
    rows, worst_ms, fewest = [], 0.0, 0.0
    for fault, window in windows.items():
        shown = min(window.shown(name) - window.seconds * KIND.fps for name in others)
        changes = [_age(window, name) - _age(windows["none"], name) for name in others]
        lost = sum(window.lost(name) for name in others)
        if fault != "none":
            worst_ms, fewest = max(worst_ms, *map(abs, changes)), min(fewest, shown)
        fps = min(window.fps(name) for name in others)
        age = max(_age(window, name) for name in others)
        rows.append(
            [fault, f"{fps:.2f}", f"{round(shown):+d}", str(lost), f"{age:.0f}", f"{max(changes, key=abs):+.0f}"]
        )
    table.table(["camera c07", "fps", "frames", "lost", "age shown p95, ms", "change, ms"], rows)
    table.note(
        f"The worst of the {len(others)} others in windows of {seconds:g} s; frames: more or fewer than were sent."
    )
    table.goals(
        [
            Goal(f"p95 age changes by at most {interval_ms:.0f} ms", f"{worst_ms:.0f} ms", worst_ms <= interval_ms),
            Goal("shown: at most one frame fewer", f"{fewest:+.1f} frames", fewest > -2),  # windows end between frames
        ]
    )


def measure_changes(times: int) -> None:
    """Add and remove one camera many times; print the table and the goals."""
    with Rig(KIND, CAMERAS) as rig:
        *others, added = rig.names
        with rig.serve({name: rig.camera(name) for name in others}) as programs:
            programs.wait_for(others)
            time.sleep(STEADY_S)
            before, held = _Counts(rig, programs, others), {0: programs.only.held()}
            took_s = []
            for number in range(1, times + 1):
                took_s.append(programs.only.ask("add", added, rig.camera(added)))
                _wait_until_shown(programs, added)
                took_s.append(programs.only.ask("remove", added))
                if number in (1, times // 10, times // 3, 2 * times // 3, times):
                    time.sleep(1)
                    held[number] = programs.only.held()
            lost = before.lost()
    table.title(f"a camera is added and removed {times} times beside {len(others)} others, {KIND}, starter")
    _print_held(held)
    first, last = held[0], held[times]
    table.note(f"A change takes {np.median(took_s):.2f} s, the longest {max(took_s):.2f} s.")
    table.goals(
        [
            Goal("0 frames lost elsewhere", lost, lost.startswith("0 ")),
            Goal(
                "threads and descriptors as before",
                f"{last.threads - first.threads:+d} and {last.descriptors - first.descriptors:+d}",
                (last.threads, last.descriptors) == (first.threads, first.descriptors),
            ),
            Goal(
                f"memory at most {_MOST_MIB:g} MiB more",
                f"{last.own_mib - first.own_mib:+.1f} MiB",
                last.own_mib - first.own_mib <= _MOST_MIB,
            ),
        ]
    )


def measure_reloads(times: int) -> None:
    """Reload a site file that changes one camera, many times; print the table and the goal."""
    with Rig(KIND, CAMERAS) as rig:
        *others, changed = rig.names
        cameras = {name: rig.camera(name) for name in rig.names}
        with rig.serve(cameras) as programs:
            programs.wait_for(rig.names)
            time.sleep(STEADY_S)
            before, held = _Counts(rig, programs, others), {0: programs.only.held()}
            took_s = []
            for number in range(1, times + 1):
                site = {**cameras, changed: rig.camera(changed, every=1 + number % 2)}
                rig.write_site(site)
                took_s.append(programs.only.ask("reload"))
                if number in (times // 10, times):
                    time.sleep(1)
                    held[number] = programs.only.held()
            lost = before.lost()
            programs.only.end()
        gaps = {name: _gaps(Path(cameras[name]["outputs"][0]["to"])) for name in others}
    table.title(f"{times} reloads that change one of {CAMERAS} cameras, {KIND}, starter")
    _print_held(held)
    table.note(f"A reload takes {np.median(took_s):.2f} s, the longest {max(took_s):.2f} s.")
    found = sum(gaps.values())
    table.goals(
        [Goal("no gap in the others' frame numbers", f"{found} gaps; {lost}", not found and lost.startswith("0 "))]
    )


def _age(window: Window, name: str) -> float:
    return window.age_p95_ms("shown", [name])


def _wait_until_shown(programs: Programs, name: str) -> None:
    """Wait until a camera shows frames again."""
    shown = _shown(programs.read(), name)
    until_s = time.monotonic() + 30
    while _shown(programs.read(), name) in (0, shown) and time.monotonic() < until_s:
        time.sleep(0.05)


def _shown(reading: Reading, name: str) -> int:
    figures: dict[str, Any] = reading.streams.get(name, {"shown": 0})
    return int(figures["shown"])


class _Counts:
    """The frames that cameras have sent, and those that have arrived, up to now."""

    def __init__(self, rig: Rig, programs: Programs, names: Sequence[str]) -> None:
        self._rig, self._programs, self._names = rig, programs, names
        self._sent = self._sent_now()
        self._before = programs.read()

    def _sent_now(self) -> dict[str, int]:
        return {name: self._rig.tell(name, "clients")["taken"] for name in self._names}

    def lost(self) -> str:
        """The frames that the cameras have sent since and that were not shown, and the reconnections."""
        sent = self._sent_now()
        window = Window(self._before, self._programs.read())
        lost = sum(window.lost(name) for name in self._names)
        # A frame that is sent between two readings is counted once too often or not often enough.
        missing = [max(0, sent[name] - self._sent[name] - window.shown(name) - 1) for name in self._names]
        return f"{max(lost, sum(missing))} frames lost, {sum(map(window.reconnects, self._names))} reconnections"


def _gaps(lines: Path) -> int:
    """The places in a file of JSON lines where the frame number does not grow by one."""
    with lines.open(encoding="utf-8") as file:
        indices = np.array([json.loads(line)["index"] for line in file])
    return int((np.diff(indices) != 1).sum())


def _print_held(held: dict[int, Held]) -> None:
    table.table(
        ["after", "memory of its own, MiB", "threads", "descriptors"],
        [[str(number), f"{one.own_mib:.1f}", str(one.threads), str(one.descriptors)] for number, one in held.items()],
    )
