"""Many cameras in one program, on real RTSP streams that need little CPU time to send.

    python -m benchmarks.cameras                  all parts, about 20 minutes
    python -m benchmarks.cameras live             4 cameras of 1280x720 beside one `run` each
    python -m benchmarks.cameras growth           CPU time and memory from 1 to 16 cameras
    python -m benchmarks.cameras faults           one of 8 cameras is killed, stalls, is removed
    python -m benchmarks.cameras changes          a camera is added and removed 100 times
    python -m benchmarks.cameras reloads          1,000 reloads that change one of 8 cameras
    python -m benchmarks.cameras start            start and end of 16 cameras
    python -m benchmarks.cameras processes        threads and processes from 1 to 16 cameras

A clip is encoded once and sent by one process (`benchmarks.cameras.streams`), a scripted camera of the fault lab for
each camera. CPU time, memory, threads and descriptors are those that the system counts for the processes; frames and
their ages are the figures that the programs themselves count.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

from benchmarks.cameras import growth, isolation, live, processes, start
from benchmarks.cameras.rig import Kind


def main() -> None:
    """Parse the options and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART")
    parser.add_argument("--seconds", type=float, help="length of a window; default: 20, in `processes` 8")
    parser.add_argument("--rounds", type=int, default=2, help="of `live` and `start`")
    parser.add_argument("--times", type=int, help="default: 100 changes, 1,000 reloads")
    parser.add_argument("--cameras", default="1,4,8,16", help="how many, of `growth` and `processes`")
    parser.add_argument("--size", default="640x360", help="of the cameras of `processes`")
    parser.add_argument("--fps", type=int, default=10, help="of the cameras of `processes`")
    parser.add_argument("--detect-fps", type=float, default=1.0, help="of the cameras of `processes`; 0: every frame")
    options = parser.parse_args()
    seconds = options.seconds or 20.0
    width, height = map(int, options.size.split("x"))
    cameras = tuple(map(int, options.cameras.split(",")))
    kind = Kind((width, height), options.fps, options.detect_fps or None)
    parts: dict[str, Callable[[], None]] = {
        "live": lambda: live.measure(seconds, options.rounds),
        "growth": lambda: growth.measure(seconds, cameras),
        "faults": lambda: isolation.measure_faults(seconds),
        "changes": lambda: isolation.measure_changes(options.times or 100),
        "reloads": lambda: isolation.measure_reloads(options.times or 1000),
        "start": lambda: start.measure(options.rounds),
        "processes": lambda: processes.measure(options.seconds or 8.0, kind, cameras),
    }
    for part in options.parts:
        if part not in parts:
            parser.error(f"there is no part {part}; there are {', '.join(parts)}")
    for part in options.parts or parts:
        parts[part]()


if __name__ == "__main__":
    main()
