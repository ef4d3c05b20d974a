"""Start times: `--help`, and from `run` to the first annotated frame with nanodet and with the starter.

    python -m benchmarks.start [--rounds N]

Whole processes are timed from outside. A run over a clip of one frame is an upper bound for the first frame: it
includes everything up to the finished file and the end of the process. The output also has the program's own figure.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.clips import machine, trimmed

MAIN = Path(__file__).parents[1] / "main.py"


def timed_s(*arguments: str) -> float:
    """Seconds from the start of the program to its end."""
    began_s = time.perf_counter()
    subprocess.run([sys.executable, str(MAIN), *arguments], check=True, capture_output=True)
    return time.perf_counter() - began_s


def main() -> None:
    """Parse the options and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    print(machine())
    with tempfile.TemporaryDirectory() as folder:
        clip, report = trimmed(Path(folder) / "one.mp4", 1), Path(folder) / "report.json"
        output = ["-o", f"{folder}/out.mp4", "--overwrite", "--report", str(report)]
        print_times("--help", [timed_s("--help") for _ in range(rounds)])
        for detector in ("nanodet", "starter"):
            taken_s, first_s = [], []
            for _ in range(rounds):
                taken_s.append(timed_s("run", str(clip), *output, "--detector", detector))
                first_s.append(float(json.loads(report.read_text())["first_frame_s"]))
            print_times(f"run with {detector}, one frame", taken_s)
            print_times("  first frame, the program's own clock", first_s)


def print_times(what: str, taken_s: list[float]) -> None:
    """Print one line."""
    median_s, slowest_s = statistics.median(taken_s), max(taken_s)
    print(f"{what:38s} median {median_s:.2f} s, slowest {slowest_s:.2f} s, {len(taken_s)} rounds")


if __name__ == "__main__":
    main()
