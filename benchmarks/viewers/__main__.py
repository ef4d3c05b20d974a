"""What viewers of a camera cost the program, and what they do to its pipeline.

    python -m benchmarks.viewers [--seconds S] [--rounds N] [--usual]

A camera of 1280x720 at 15 fps (RTSP, real scenes of a street), `streamer serve` with the starter on every frame, and 0,
1 and 10 viewers by WebRTC with their overlays, in turns. The viewers are in another process, do not decode, and are not
counted. The age is that of frames at the detector's entry. `--usual` measures the same program where each viewer has a
track of aiortc, and so an encoder of its own.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Sequence
from statistics import median

from benchmarks.cameras import table
from benchmarks.cameras.program import Program, Programs
from benchmarks.cameras.rig import Kind, Rig, Window, watch
from benchmarks.viewers.watching import viewers
from tests.faults.camera.ports import reserve_port

KIND = Kind((1280, 720), 15, None)
NUMBERS = (0, 1, 10)
STARTED_WITHIN_S = 180.0
WARM_UP_S = 6.0
_SETTLED_S = 2.0
_MOST_CPU = 1.3


def measure(seconds: float, rounds: int, module: str) -> dict[int, list[Window]]:
    """The windows with each number of viewers, which follow one another in each round."""
    found: dict[int, list[Window]] = defaultdict(list)
    with Rig(KIND, 1) as rig, reserve_port() as reserved:
        (name,) = rig.names
        rig.write_site({name: {"source": {"uri": rig.url(name)}}})
        address = f"127.0.0.1:{reserved.getsockname()[1]}"
        command = ["serve", "--config", str(rig.site), "--set", f"web.address={address}"]
        with Program(command, rig.file(".log"), module=module) as program:
            programs = Programs([program])
            programs.wait_for(rig.names, STARTED_WITHIN_S)
            time.sleep(WARM_UP_S)
            with viewers(f"http://{address}/api/v1/cameras/{name}") as watching:
                for _ in range(rounds):
                    for number in NUMBERS:
                        watching.set(number)
                        time.sleep(_SETTLED_S)
                        watching.set(number)
                        window = watch(programs, seconds)
                        had = watching.set(number)
                        found[number].append(window)
                        _print_viewers(number, window, had)
    return found


def _print_viewers(number: int, window: Window, had: Sequence[dict[str, int]]) -> None:
    """One line for a window: the viewer that had the least, and the threads that took the most."""
    text = f"{number:2} viewers: {window.cpu_s / window.seconds:.3f} s of CPU time a second"
    if had:
        least = min(one["frames"] for one in had) / window.seconds
        text += f"; {least:.1f} fps, {8e-3 * had[0]['bytes'] / window.seconds:.0f} kbit/s for each"
    spent = {
        thread: (cpu_s - window.before.thread_cpu_s.get(thread, 0.0)) / window.seconds
        for thread, cpu_s in window.after.thread_cpu_s.items()
    }
    most = sorted(spent.items(), key=lambda one: -one[1])[:5]
    table.note(f"{text}\n    {', '.join(f'{thread} {share:.3f}' for thread, share in most)}")


def report(found: dict[int, list[Window]], name: str, *, has_goals: bool) -> None:
    """Print the table, and the goals if it has some."""
    cpu_ms = {number: median(one.cpu_ms_a_frame for one in windows) for number, windows in found.items()}
    age_ms = {
        number: median(one.age_p95_ms("detector", list(one.after.streams)) for one in windows)
        for number, windows in found.items()
    }
    rows = [
        [str(number), f"{cpu_ms[number]:.1f}", f"{cpu_ms[number] / cpu_ms[1]:.2f}", f"{age_ms[number]:.1f}"]
        for number in found
    ]
    table.title(f"viewers of one camera, {KIND}, {name}")
    table.table(["viewers", "CPU time of a frame, ms", "to one viewer", "age at the detector, p95, ms"], rows)
    if not has_goals:
        return
    interval_ms = 1e3 / KIND.fps
    table.goals(
        [
            table.Goal(
                f"10 viewers cost at most {_MOST_CPU} times the CPU time of one",
                f"{cpu_ms[10] / cpu_ms[1]:.2f}",
                cpu_ms[10] <= _MOST_CPU * cpu_ms[1],
            ),
            table.Goal(
                f"with 10 viewers, the age p95 at the detector changes by at most {interval_ms:.0f} ms",
                f"{age_ms[10] - age_ms[0]:+.1f} ms",
                abs(age_ms[10] - age_ms[0]) <= interval_ms,
            ),
        ]
    )


def main() -> None:
    """Parse the options and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20.0, help="length of a window")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--usual", action="store_true", help="an encoder for each viewer")
    options = parser.parse_args()
    module = "benchmarks.viewers.usual" if options.usual else "benchmarks.cameras.observed"
    found = measure(options.seconds, options.rounds, module)
    report(found, "an encoder for each viewer" if options.usual else "one encoder", has_goals=not options.usual)


if __name__ == "__main__":
    main()
