"""A batch that is killed and resumed, and how long a batch takes with 1, 2 and 4 jobs.

    python -m benchmarks.batch [--files N] [--broken N] [--frames N] [--kills N] [--detector NAME] [--json FILE]

Makes N short files, some of them broken, and runs 'streamer batch' on them. It is killed with SIGKILL at moments that
the journal gives, and resumed. Then the journal says how often each file was done, and the outputs are compared with
those of a batch that nobody killed. The times are those of whole batches, with the start of the program, and of
'streamer run' on each file, one after the other, which loads the detector for each.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import av

from benchmarks.clips import machine
from streamer.batch.journal import JOURNAL
from tests.clips import write_video

JOBS = (1, 2, 4)
_WAIT_S = 0.02
_LONGEST_S = 1800.0
_TIMED_FILES = 12
"""Of the comparison of times: a file of its own takes seconds to start."""


def make_files(folder: Path, options: argparse.Namespace) -> list[str]:
    """The files of a batch in three folders; returns the names of the broken ones."""
    broken = []
    for number in range(options.files):
        path = folder / f"camera-{number % 3}" / f"clip-{number:03}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_video(path, frames=options.frames, size=(320, 240), first_number=number)
        if number % (options.files // options.broken) == options.files // options.broken // 2:
            content = path.read_bytes()
            path.write_bytes(content[: len(content) // 2])
            broken.append(path.relative_to(folder).as_posix())
    return broken


def command(folder: Path, out: Path, options: argparse.Namespace, *more: str) -> list[str]:
    """The command line of a batch."""
    words = ["batch", f"{folder}/**/*.mp4", "-o", str(out), "--detector", options.detector, "--quiet", *more]
    return [sys.executable, "main.py", *words]


def lines(out: Path, state: str) -> list[str]:
    """The files in the lines of the journal with a state; a line that is cut has none."""
    found = []
    for line in (out / JOURNAL).read_bytes().splitlines() if (out / JOURNAL).exists() else ():
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if entry["state"] == state:
            found.append(entry["file"])
    return found


def kill_at(arguments: list[str], out: Path, done: int) -> None:
    """Run a batch and kill it when so many files are done and another one has begun."""
    pause, end_s = threading.Event(), time.monotonic() + _LONGEST_S
    process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None and time.monotonic() < end_s:
        finished = len(lines(out, "done")) + len(lines(out, "failed"))
        if finished >= done and len(lines(out, "begun")) > finished:
            break
        pause.wait(_WAIT_S)
    process.kill()
    process.wait()


def outputs(out: Path) -> dict[str, bytes]:
    """The outputs whose bytes do not depend on the time: all but reports."""
    paths = [path for path in out.rglob("*") if path.is_file() and not path.name.startswith(".")]
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in paths if "report" not in path.name}


def frames_in(path: Path) -> int:
    """Frames that decode."""
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def measure_resuming(folder: Path, temporary: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Kill and resume a batch; what was done, told and lost."""
    videos, out, whole = folder, temporary / "out", temporary / "whole"
    broken = make_files(videos, options)
    for kill in range(options.kills):
        kill_at(command(videos, out, options), out, (kill + 1) * options.files // (options.kills + 1))
    before = len(lines(out, "done"))
    resumed = subprocess.run(command(videos, out, options), capture_output=True, text=True, check=False)
    done = Counter(lines(out, "done"))
    again = subprocess.run(command(videos, out, options), capture_output=True, text=True, check=False)
    subprocess.run(command(videos, whole, options), capture_output=True, check=False)
    good = options.files - len(broken)
    annotated = [path for path in out.rglob("*.annotated.mp4") if frames_in(path) == options.frames]
    told = [name for name in broken if f"{videos}/{name}" in resumed.stderr or name in lines(out, "failed")]
    return {
        "files": options.files,
        "kills": options.kills,
        "done before the last kill": before,
        "done": len(done),
        "done twice": sum(count > 1 for count in done.values()),
        "lost": good - len(set(done) - set(broken)),
        "failed and told": f"{len(told)} of {len(broken)}",
        "exit code": resumed.returncode,
        "exit code of one more call": again.returncode,
        "complete videos": len(annotated),
        "outputs equal to those of a batch that was not killed": outputs(out) == outputs(whole),
        "half-written files": sum("partial" in path.name for path in out.rglob("*")),
    }


def measure_times(temporary: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Seconds of a batch by jobs, and of one run for each file."""
    few = temporary / "few"
    timed = argparse.Namespace(**{**vars(options), "files": _TIMED_FILES, "broken": 1})
    make_files(few, timed)
    found: dict[str, Any] = {}
    for jobs in JOBS:
        began_s = time.monotonic()
        out = temporary / f"jobs-{jobs}"
        subprocess.run(command(few, out, options, "--jobs", str(jobs)), capture_output=True, check=False)
        found[f"{_TIMED_FILES} files, {jobs} jobs, s"] = round(time.monotonic() - began_s, 1)
    began_s = time.monotonic()
    for path in sorted(few.rglob("*.mp4")):
        run = ["run", str(path), "--out-dir", str(temporary / "runs"), "--jsonl", "{name}.jsonl", "-o", "{name}.mp4"]
        words = [sys.executable, "main.py", *run, "--detector", options.detector, "--quiet"]
        subprocess.run(words, capture_output=True, check=False)
    found[f"{_TIMED_FILES} files, a run for each, s"] = round(time.monotonic() - began_s, 1)
    return found


def main() -> None:
    """Parse the options and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=100)
    parser.add_argument("--broken", type=int, default=3)
    parser.add_argument("--frames", type=int, default=12)
    parser.add_argument("--kills", type=int, default=1)
    parser.add_argument("--detector", default="nanodet")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="batch-") as name:
        temporary = Path(name)
        figures = measure_resuming(temporary / "videos", temporary, options)
        figures |= measure_times(temporary, options)
    figures["machine"] = machine()
    for key, value in figures.items():
        print(f"{key:56} {value}")
    if options.json is not None:
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
