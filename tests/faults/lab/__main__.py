"""The command line of the fault lab: `python -m tests.faults.lab --help`."""

from __future__ import annotations

import argparse
import json
import logging
import os
import platform
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import av

from tests.faults.lab import result, runner
from tests.faults.lab.catalog import SCENARIOS


def main() -> int:
    """Run the selected scenarios; 0 if all were good."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults.lab", description="Break what a live run depends on, and measure how it recovers."
    )
    parser.add_argument("--repetitions", type=int, default=20, help="of each fault (default: %(default)s)")
    parser.add_argument("--only", metavar="NAME,...", help="only these faults")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures to this file")
    parser.add_argument("--list", action="store_true", help="list the faults and exit")
    parser.add_argument("--verbose", action="store_true", help="show the log of the program")
    options = parser.parse_args()
    names = options.only.split(",") if options.only else list(SCENARIOS)
    if unknown := [name for name in names if name not in SCENARIOS]:
        parser.error(f"no fault {', '.join(unknown)}; there is {', '.join(SCENARIOS)}")
    if options.list:
        for name in names:
            scenario = SCENARIOS[name]
            print(f"{name}: {scenario.fault}.\n    {scenario.expected}; within {scenario.limit_s:g} s.")
        return 0
    for number in (signal.SIGINT, signal.SIGTERM):  # also if it was started in the background
        signal.signal(number, signal.default_int_handler)
    logging.basicConfig(level=logging.INFO if options.verbose else logging.CRITICAL, format="%(asctime)s %(message)s")
    try:
        return measure(names, options.repetitions, options.json)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


def measure(names: list[str], repetitions: int, file: Path | None) -> int:
    """Run scenarios and print each result when it is available; 0 if all were good."""
    print(machine(), result.HEADER, sep="\n", flush=True)
    rows: list[dict[str, Any]] = []
    for name in names:
        if why := SCENARIOS[name].missing():
            print(f"{name:24} skipped: {why}", flush=True)
            continue
        done = runner.run(SCENARIOS[name](), repetitions)
        rows.append(
            done.to_dict() | {"load": os.getloadavg()[0], "at": datetime.now(UTC).isoformat(timespec="minutes")}
        )
        print(result.line(done), flush=True)
        if file is not None:
            file.write_text(json.dumps({"machine": machine(), "results": rows}, indent=2) + "\n", encoding="utf-8")
    return 0 if all(row["good"] for row in rows) else 1


def machine() -> str:
    """The machine, in one line."""
    versions = ", ".join(f"{name} {'.'.join(map(str, version))}" for name, version in _ffmpeg().items())
    cores = len(os.sched_getaffinity(0))
    return (
        f"{platform.platform()}, {cores} cores, Python {platform.python_version()}, PyAV {av.__version__}, {versions}"
    )


def _ffmpeg() -> dict[str, tuple[int, int, int]]:
    return {name: version for name, version in av.library_versions.items() if name in ("libavformat", "libavcodec")}


if __name__ == "__main__":
    sys.exit(main())
