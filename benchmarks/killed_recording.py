"""What a recording loses on `kill -9`: seconds of video, and files.

    python -m benchmarks.killed_recording [--kills N] [--fps F] [--suffix .mp4] [--codec C] [--seed S] [--json FILE]

The scripted RTSP camera of the fault lab sends numbered frames and records when each was due. The program records them
in files of a few seconds and is killed N times at random moments, from its first frame on. The next start completes the
unfinished file. The loss is the time from the last frame in the files to the kill, so it includes the latency from the
camera to the recording. At the end every file is decoded completely.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np

from benchmarks.clips import machine
from tests.faults.camera import Camera
from tests.faults.counter import read_number

SIZE = (640, 360)
SEGMENT_S = 5.0
LONGEST_S = 12.0
"""A process is killed within this time after its first file began: anywhere in a file, and across segment changes."""
_START_S = 60.0
_WAIT_S = 0.02
_HEADER_BYTES = 2_000
_PARTIAL = re.compile(r"\.(.+)\.[0-9a-f]{8}\.partial\..+")


@dataclass(slots=True)
class Kill:
    """One kill.

    Attributes:
        at_s: monotonic clock.
        first: number of a frame that the camera captured before the process began to record.
        began_s: when the process began to record, monotonic clock.
        unfinished: intended names of the unfinished files that held a frame.
    """

    at_s: float
    first: int
    began_s: float
    unfinished: list[str]


def command(camera: Camera, folder: Path, options: argparse.Namespace) -> list[str]:
    """The command line of the program."""
    (folder.parent / "none.txt").write_text("", encoding="utf-8")
    output = {"to": str(folder / f"%H%M%S{options.suffix}"), "segment_s": SEGMENT_S}
    if options.codec:
        output["codec"] = options.codec
    settings = folder.parent / "settings.yaml"
    settings.write_text(json.dumps({"outputs": [output]}), encoding="utf-8")
    detector = ["--detector", str(folder.parent / "none.txt")]
    return [sys.executable, "main.py", "run", camera.url, "--config", str(settings), *detector]


def unfinished(folder: Path) -> list[str]:
    """Names of the hidden files that hold more than a header."""
    found = [(path, _PARTIAL.fullmatch(path.name)) for path in folder.iterdir()]
    return [match[1] + path.suffix for path, match in found if match and path.stat().st_size > _HEADER_BYTES]


def begin(arguments: list[str], folder: Path, log: Any) -> subprocess.Popen[bytes]:
    """Start the program and wait until it has its own file."""
    before = set(folder.iterdir())
    process = subprocess.Popen(arguments, stdout=log, stderr=log)
    pause, end_s = threading.Event(), time.monotonic() + _START_S
    while time.monotonic() < end_s and process.poll() is None:
        new = set(folder.iterdir()) - before
        if any(_PARTIAL.fullmatch(path.name) and path.exists() and path.stat().st_size for path in new):
            return process
        pause.wait(_WAIT_S)
    process.kill()
    raise SystemExit("the program does not record; its output above has the reason")


def measure(options: argparse.Namespace, folder: Path, log: Any) -> dict[str, Any]:
    """All kills and the files afterwards."""
    chance, pause = random.Random(options.seed), threading.Event()
    kills = []
    with Camera(size=SIZE, fps=options.fps, key_frame_on_play=True) as camera:
        arguments = command(camera, folder, options)
        for _ in range(options.kills):
            first = camera.next_number
            process = begin(arguments, folder, log)
            began_s = time.monotonic()
            pause.wait(chance.uniform(0, LONGEST_S))
            process.send_signal(signal.SIGKILL)
            kills.append(Kill(time.monotonic(), first, began_s, unfinished(folder)))
            process.wait()
        process = begin(arguments, folder, log)
        pause.wait(3 * SEGMENT_S)
        process.send_signal(signal.SIGINT)
        process.wait()
        numbers, broken = recorded(folder)
        losses = [loss_s(camera, kill, numbers) for kill in kills]
        holes = sum(missing_between(camera, kill, numbers) for kill in kills)
    there = {path.name for path in folder.iterdir()}
    return {
        "kills": options.kills,
        "lost_s": {f"p{at}": round(float(np.percentile(losses, at)), 2) for at in (50, 95, 100)},
        "over_2_s": sum(one > 2 for one in losses),
        "files": len(there),
        "files_that_do_not_play": broken,
        "files_lost": sorted({name for kill in kills for name in kill.unfinished} - there),
        "left_unfinished": sorted(name for name in there if name.startswith(".")),
        "pictures_missing_before_the_loss": holes,
        "fps": options.fps,
        "suffix": options.suffix,
        "codec": options.codec or "default",
        "seed": options.seed,
        "machine": machine(),
    }


def recorded(folder: Path) -> tuple[np.ndarray[Any, Any], list[str]]:
    """The numbers of all frames in all files, sorted, and the files that do not play to their end."""
    numbers: list[int] = []
    broken = []
    for path in sorted(folder.iterdir()):
        try:
            with av.open(str(path)) as container:
                container.streams.video[0].thread_type = "AUTO"
                found = [read_number(frame) for frame in container.decode(video=0)]
                whole = bool(found) and container.duration is not None
        except (av.error.FFmpegError, IndexError):
            found, whole = [], False
        if not whole or None in found:
            broken.append(path.name)
        numbers += [number for number in found if number is not None]
    return np.unique(np.array(numbers, dtype=np.int64)), broken


def recorded_by(camera: Camera, kill: Kill, numbers: np.ndarray[Any, Any]) -> list[tuple[int, float]]:
    """The frames of a killed process: their numbers, and when each was due (monotonic clock)."""
    shots = (camera.shot(int(number)) for number in numbers[numbers >= kill.first])
    return [(shot.number, shot.stamped_s) for shot in shots if shot is not None and shot.stamped_s <= kill.at_s]


def loss_s(camera: Camera, kill: Kill, numbers: np.ndarray[Any, Any]) -> float:
    """Seconds from the due time of the last recorded frame, else of the first file's first frame, to the kill."""
    found = recorded_by(camera, kill, numbers)
    return kill.at_s - (found[-1][1] if found else kill.began_s)


def missing_between(camera: Camera, kill: Kill, numbers: np.ndarray[Any, Any]) -> int:
    """Frames that are missing between the first and the last recorded one."""
    found = [number for number, _ in recorded_by(camera, kill, numbers)]
    return found[-1] - found[0] + 1 - len(found) if found else 0


def main() -> None:
    """Parse the options and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--fps", type=float, default=25.0)
    parser.add_argument("--suffix", default=".mp4")
    parser.add_argument("--codec")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="killed-") as temporary:
        folder = Path(temporary) / "rec"
        folder.mkdir()
        with (Path(temporary) / "log").open("w+b") as log:
            try:
                figures = measure(options, folder, log)
            except SystemExit:
                log.seek(0)
                sys.stderr.write(log.read().decode(errors="replace")[-4000:])
                raise
            log.seek(0)
            said = [line for line in log.read().decode(errors="replace").splitlines() if "killed run" in line]
    figures["said"] = len(said)
    for name, value in figures.items():
        print(f"{name:34} {value}")
    for line in said[:3]:
        print(line)
    if options.json is not None:
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
