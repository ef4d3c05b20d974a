"""Start times: `--help`, and from `run` to the first annotated frame with the starter.

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
        run = [
            "run",
            str(clip),
            "-o",
            f"{folder}/out.mp4",
            "--detector",
            "starter",
            "--overwrite",
            "--report",
            str(report),
        ]
        for name, arguments in {"--help": ["--help"], "run, one frame": run}.items():
            taken_s = [timed_s(*arguments) for _ in range(rounds)]
            print(
                f"{name:16s} median {statistics.median(taken_s):.2f} s, slowest {max(taken_s):.2f} s, {rounds} rounds"
            )
        print(f"first frame after {json.loads(report.read_text())['first_frame_s']:.2f} s by the program's own clock")


if __name__ == "__main__":
    main()
