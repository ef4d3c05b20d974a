"""Whether parts that killed workers detect give, byte for byte, the outputs of a single run; and what the join costs.

    python -m benchmarks.split.identity [--detector NAME] [--frames N] [--parts N ...] [--workers N] [--kill-every S]

A street scene is encoded in the ways that make a split hard. For each, `streamer run` writes an annotated file, JSON
lines and MOT text. Then `streamer run --plan` starts without any part, and worker processes (`streamer detect`) make
them, while one worker after the other is killed with SIGKILL and its part begun again. The exit code is 1 if an output
differs, or if the single run has no detections to compare.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import islice
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import av

from benchmarks.clips import HD_CLIP, machine
from benchmarks.split.join_cost import join_cost
from streamer.cli.commands import packaged_clip
from streamer.system.threads import Thread
from tests.clips import corrupt

CLIP = "bikes.mp4"
"""640x272, 250 frames: bicycles, cars and people, several cuts."""
SCORE = "0.15"
"""Low, so that more detections are compared."""
_TICKS = 90_000
_X265 = "log-level=none:keyint=24:min-keyint=24:open-gop=1:bframes=3:scenecut=0"
_X264 = {"preset": "veryfast", "g": "24", "bf": "3"}
_OPEN = _X264 | {"x264-params": "open-gop=1:scenecut=0"}


@dataclass(frozen=True, slots=True)
class Encoding:
    """How the scene is encoded.

    Attributes:
        name, suffix: of the file.
        codec, options: of the encoder.
        start: pts of the first frame, 1/90000 s.
        uneven: the time between frames varies.
        rotation: of the display matrix, degrees anticlockwise.
        damaged: bytes in the middle are replaced.
    """

    name: str
    suffix: str = ".mp4"
    codec: str = "libx264"
    options: dict[str, str] = field(default_factory=lambda: dict(_X264))
    start: int = 0
    uneven: bool = False
    rotation: int = 0
    damaged: bool = False


ENCODINGS = (
    Encoding("h264-open-gop", options=_OPEN),
    Encoding("hevc-cra", codec="libx265", options={"preset": "veryfast", "x265-params": _X265}),
    Encoding("vfr", uneven=True),
    Encoding("negative-pts", ".ts", start=-2 * _TICKS),
    Encoding("rotated", rotation=90),
    Encoding("damaged", ".ts", damaged=True),
    Encoding("mpeg-ts", ".ts", options=_OPEN),
)


def encode(how: Encoding, folder: Path, frames: int) -> Path:
    """Write the scene."""
    path = folder / f"{how.name}{how.suffix}"
    muxing = {"avoid_negative_ts": "disabled"} if how.start < 0 else {}
    with av.open(str(packaged_clip(CLIP))) as source, av.open(str(path), "w", container_options=muxing) as target:
        video: Any = source.streams.video[0]
        stream: Any = target.add_stream(how.codec, rate=video.average_rate, options=dict(how.options))
        stream.width, stream.height, stream.pix_fmt = video.width, video.height, "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, _TICKS)
        if how.rotation:
            stream.set_display_rotation(how.rotation)
        pts = how.start
        for number, frame in enumerate(islice(source.decode(video), frames)):
            frame.pict_type, frame.pts, frame.time_base = 0, pts, Fraction(1, _TICKS)
            target.mux(stream.encode(frame))
            pts += 3600 * (1 + (number * 7 % 5 if how.uneven else 0))
        target.mux(stream.encode(None))
    if how.damaged:
        whole = path.rename(folder / f"whole{how.suffix}")
        corrupt(whole, path, start=0.4, end=0.45)
        whole.unlink()
    return path


class Killer:
    """Kills one of the processes that it knows, at intervals. Its own thread.

    Args:
        every_s: time between two kills.
    """

    def __init__(self, every_s: float) -> None:
        self.kills = 0
        self._every_s = every_s
        self._lock = threading.Lock()  # guards the two below
        self._alive: list[subprocess.Popen[bytes]] = []
        self._random = random.Random(1)
        self._ended = threading.Event()
        self._thread = Thread("killer", self._work)

    def __enter__(self) -> Killer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(10)

    def run(self, command: Sequence[str]) -> int:
        """The exit code of a process that may be killed."""
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
            with self._lock:
                self._alive.append(process)
            errors = process.communicate()[1]
            with self._lock:
                self._alive.remove(process)
        if process.returncode > 0:
            raise SystemExit(errors.decode())
        return process.returncode

    def _work(self) -> None:
        while not self._ended.wait(self._every_s):
            with self._lock:
                running = [process for process in self._alive if process.poll() is None]
                if running:
                    self._random.choice(running).kill()
                    self.kills += 1


def quiet(command: Sequence[str]) -> None:
    """Run a command; its messages are shown if it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)


def streamer(*arguments: str | Path) -> list[str]:
    """The command line of the program."""
    return [sys.executable, "main.py", *map(str, arguments)]


def outputs(folder: Path, suffix: str) -> list[str | Path]:
    """The options for the three outputs in a folder, and the report."""
    folder.mkdir()
    paths = [folder / f"out{suffix}", folder / "out.jsonl", folder / "out.txt", folder / "report.json"]
    return [part for pair in zip(("-o", "--jsonl", "--mot", "--report"), paths, strict=True) for part in pair]


def contents(folder: Path) -> dict[str, bytes]:
    """The outputs in a folder without the report, which has durations."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "report.json"}


def detect(plan: Path, parts: int, folder: Path, workers: int, killer: Killer) -> None:
    """Let so many processes at a time make the parts; a part whose process was killed is begun again."""
    numbers: SimpleQueue[int] = SimpleQueue()
    for number in range(parts):
        numbers.put(number)

    def work() -> None:
        try:
            while True:
                number = numbers.get_nowait()
                while killer.run(streamer("detect", plan, "--part", str(number), "-o", folder, "-q")):
                    pass
        except Empty:
            return

    threads = [Thread("worker", work) for _ in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def rows(options: argparse.Namespace, folder: Path, killer: Killer) -> Iterator[bool]:
    """Print a line for each way of encoding and number of parts; whether the outputs are equal."""
    given = ("--detector", options.detector, "--min-score", SCORE)
    for how in ENCODINGS:
        clip = encode(how, folder, options.frames)
        single = folder / f"{how.name}-single"
        quiet(streamer("run", clip, *given, *outputs(single, how.suffix), "-q"))
        found = len((single / "out.txt").read_text(encoding="utf-8").splitlines())
        for parts in options.parts:
            job, before, began_s = folder / f"{how.name}-{parts}", killer.kills, time.monotonic()
            job.mkdir()
            plan = job / "plan.json"
            quiet(streamer("plan", clip, "--parts", str(parts), "-o", plan, *given, "-q"))
            planned = len(json.loads(plan.read_text(encoding="utf-8"))["parts"])
            joined = job / "joined"
            command = streamer("run", clip, "--plan", plan, *outputs(joined, how.suffix), "-q")
            with subprocess.Popen(command, stderr=subprocess.DEVNULL) as join:
                detect(plan, planned, job, options.workers, killer)
            equal = join.returncode == 0 and contents(joined) == contents(single) and found > 0
            counts = json.loads((joined / "report.json").read_text(encoding="utf-8"))["counts"]
            here = ", ".join(f"{count} {cause}" for cause, count in counts.items() if cause.startswith("detected here"))
            print(
                f"{how.name:14} {planned:3} parts  {counts.get('joined', 0):4} joined  {found:5} boxes  "
                f"{killer.kills - before:2} kills  {time.monotonic() - began_s:5.0f} s  "
                f"{'equal' if equal else 'DIFFERENT'}  {here}",
                flush=True,
            )
            yield equal


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--detector", default="starter")
    parser.add_argument("--frames", type=int, default=250)
    parser.add_argument("--parts", type=int, nargs="+", default=[1, 2, 7, 64])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--kill-every", type=float, default=10.0)
    options = parser.parse_args()
    print(
        f"{machine()}; {options.detector}, {options.frames} frames, a worker is killed every {options.kill_every:g} s"
    )
    with tempfile.TemporaryDirectory() as folder, Killer(options.kill_every) as killer:
        results = list(rows(options, Path(folder), killer))
        print(f"{sum(results)} of {len(results)} equal, {killer.kills} kills")
    print(join_cost(packaged_clip(HD_CLIP)))
    raise SystemExit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
