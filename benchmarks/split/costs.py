"""What plan, detect and join take on this machine: the commands on a clip, and on one three times as long.

A cost of a frame is the difference of the two runs, divided by the frames that one has more; the rest is the start. All
costs are CPU time, which other programs disturb less than time by the clock, and the least of the rounds. The detector
is `nanodet`; its own time is not among the costs.
"""

from __future__ import annotations

import itertools
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.clips import looped
from benchmarks.split.model import Costs
from streamer.cluster.connection import connect
from streamer.cluster.errors import ClusterUnavailable
from streamer.config.loading import load_settings
from streamer.parts.digests import picture_digest
from streamer.parts.part_source import PartSource
from streamer.parts.plan import Plan
from streamer.parts.plan_file import read_plan
from streamer.parts.planning import make_plan

MAIN = Path(__file__).parents[2] / "main.py"
LONGER = 3
PARTS = 16
PLANNED_LOOPS = 40
TASKS = 300


@dataclass(frozen=True, slots=True)
class Line:
    """Seconds for a number of frames: `start_s + frames * frame_s`."""

    start_s: float
    frame_s: float

    @classmethod
    def through(cls, points: Sequence[tuple[int, float]]) -> Line:
        """The line through two points (frames, seconds)."""
        (few, short_s), (many, long_s) = points
        frame_s = max(long_s - short_s, 0.0) / (many - few)
        return cls(max(short_s - few * frame_s, 0.0), frame_s)


def least_cpu_s(rounds: int, work: Callable[[], object]) -> float:
    """CPU seconds of this process and of those that it waited for: the least of several rounds."""
    used = []
    for _ in range(rounds):
        began_s = _cpu_s()
        work()
        used.append(_cpu_s() - began_s)
    return min(used)


def _cpu_s() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def streamer(*arguments: str | Path) -> None:
    """Run a command of the program."""
    subprocess.run([sys.executable, str(MAIN), *map(str, arguments), "--quiet"], check=True)


@dataclass(frozen=True)
class Clip:
    """A clip with its plan of one part, and that part detected.

    Attributes:
        path: of the clip.
        folder: of the plan and of the part.
        plan: with one part.
    """

    path: Path
    folder: Path
    plan: Plan

    @classmethod
    def made(cls, folder: Path, loops: int) -> Clip:
        """Make a clip of so many loops, and plan it."""
        folder.mkdir()
        path = looped(folder / "clip.mp4", loops)
        streamer("plan", path, "--parts", "1", "--detector", "nanodet", "-o", folder / "plan.json")
        return cls(path, folder, read_plan(folder / "plan.json"))

    @property
    def frames(self) -> int:
        """How many frames it has."""
        return self.plan.frames

    def detect(self) -> None:
        """Detect the part in a process of its own, from its beginning."""
        for file in self.folder.glob("*.npz"):
            file.unlink()
        streamer("detect", self.folder / "plan.json", "--part", "0", "-o", self.folder)

    def join(self, *outputs: str | Path) -> None:
        """The ordinary run with the part."""
        streamer("run", self.path, "--plan", self.folder / "plan.json", "--overwrite", *outputs)

    def join_to_video(self) -> None:
        """With an annotated file, and a report of the stages."""
        self.join("-o", self.folder / "out.mp4", "--report", self.folder / "report.json")

    def join_to_data(self) -> None:
        """With JSON lines only."""
        self.join("--jsonl", self.folder / "out.jsonl")


def measure(folder: Path, *, loops: int, rounds: int) -> Costs:
    """Measure all costs.

    Args:
        folder: an empty one for clips, plans, parts and outputs.
        loops: length of the shorter clip, times 5.3 s.
        rounds: of each measurement.
    """
    clips = [Clip.made(folder / str(times), times) for times in (loops, LONGER * loops)]
    long = clips[-1]
    detecting = line(clips, rounds, Clip.detect)
    data = line(clips, rounds, Clip.join_to_data)
    video = line(clips, rounds, Clip.join_to_video)
    _print_stages(long)
    seek_s, decode_s = _worker_without_detector(long, rounds)
    part_file = sum(file.stat().st_size for file in long.folder.glob("*.npz"))
    return Costs(
        start_s=detecting.start_s,
        seek_s=seek_s,
        task_s=_task_s(),
        decode_s=decode_s,
        join_s=video.frame_s,
        join_data_s=data.frame_s,
        join_start_s=video.start_s,
        plan_s=_plan_s(folder, rounds),
        input_bytes=long.path.stat().st_size / long.frames,
        part_bytes=part_file / long.frames,
        plan_bytes=_plan_bytes(long),
        picture_bytes=1280 * 720 * 1.5,
    )


def line(clips: Sequence[Clip], rounds: int, work: Callable[[Clip], object]) -> Line:
    """The CPU time of some work on clips of two lengths."""
    return Line.through([(clip.frames, least_cpu_s(rounds, partial(work, clip))) for clip in clips])


def _plan_s(folder: Path, rounds: int) -> float:
    """A frame of a long clip."""
    clip, settings = looped(folder / "planned.mp4", PLANNED_LOOPS), load_settings(None)
    return least_cpu_s(rounds, lambda: make_plan(clip, settings, PARTS)) / make_plan(clip, settings, PARTS).frames


def _print_stages(clip: Clip) -> None:
    stages = json.loads((clip.folder / "report.json").read_text(encoding="utf-8"))["stages"]
    each = ", ".join(f"{name} {stage['p50_ms']:.2f}" for name, stage in stages.items())
    print(f"stages of the join by the clock, median in ms: {each}", flush=True)


def _worker_without_detector(clip: Clip, rounds: int) -> tuple[float, float]:
    """Seconds to the first frame of a part in the middle, and of each frame after it."""
    plan = make_plan(clip.path, load_settings(None), PARTS)
    part = plan.parts[PARTS // 2]

    def read(most: int | None) -> int:
        with PartSource(plan, part) as source:
            return sum(1 for frame in itertools.islice(source, most) if picture_digest(frame))

    frames = read(None)
    found = Line.through([(1, least_cpu_s(rounds, lambda: read(1))), (frames, least_cpu_s(rounds, lambda: read(None)))])
    return found.start_s, found.frame_s


def _plan_bytes(clip: Clip) -> float:
    """What each part adds to a plan."""
    one, many = (len(make_plan(clip.path, load_settings(None), parts).model_dump_json()) for parts in (1, PARTS))
    return (many - one) / (PARTS - 1)


def _task_s() -> float:
    """A call of an actor of Ray and its result; 0 without Ray."""
    try:
        with connect("local") as cluster:
            actor = cluster.ray.remote(_Idle).remote()
            cluster.ray.get(actor.work.remote())
            began_s = time.perf_counter()
            for _ in range(TASKS):
                cluster.ray.get(actor.work.remote())
            return (time.perf_counter() - began_s) / TASKS
    except ClusterUnavailable as error:
        print(f"without Ray: {error}")
        return 0.0


class _Idle:
    """An actor whose calls do nothing."""

    def __init__(self) -> None:
        self._calls = itertools.count(1)

    def work(self) -> int:
        """Count the call."""
        return next(self._calls)
