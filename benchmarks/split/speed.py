"""Speed-up, memory and spilled bytes of `run --cluster local` with a detector that sleeps.

    python -m benchmarks.split.speed [--workers 1,2,4,8] [--sleep-s S] [--frames N] [--long-frames N]

Each run has a cluster of its own with N workers, and N times as many frames, so that all take equally long. Its time
counts from the moment at which all workers have loaded the detector to the end of the last output. The speed-up is the
rate compared with that of one worker, the first of the list. The cost of the join is the CPU time of the process that
joins, for all that it does with a frame: decoding, looking up, tracking, drawing, encoding. Then a longer clip with a
detector that takes no time shows whether memory stays flat.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import av
import numpy as np
import psutil

from benchmarks.clips import machine
from benchmarks.split import sleeping
from streamer.cluster.connection import LocalCluster, connect
from streamer.cluster.figures import ObjectStoreFigures
from streamer.config.loading import load_settings
from streamer.flow.stats import RunStats
from streamer.observe.report import SilentReporter
from streamer.parts.joining import JoinedDetectors
from streamer.parts.matching import SameWorkers
from streamer.parts.on_cluster.cluster_supply import ClusterSupply
from streamer.parts.on_cluster.worker_group import WorkerGroup
from streamer.parts.planning import make_plan
from streamer.parts.values import DETECTED_HERE
from streamer.run.outputs import Outputs
from streamer.run.own_parts import OwnParts
from streamer.run.session import Session

WIDTH, HEIGHT, GROUP = 320, 240, 10
PARTS_OF_A_WORKER = 6
STORE_BYTES = 200 << 20
_MIB = 1 << 20


@dataclass
class Measured(SilentReporter):
    """One run.

    Attributes:
        cpu_s: CPU time of this process.
        memory_mib: of this process after each frame.
        store: the object store at the end.
    """

    cpu_s: float = 0.0
    memory_mib: list[float] = field(default_factory=list)
    store: ObjectStoreFigures | None = None

    @property
    def spilled(self) -> str:
        """Bytes that the object store has written to disk."""
        return "unknown" if self.store is None else f"{self.store.spilled_bytes} B"

    def update(self, stats: RunStats) -> None:
        """Called after each frame."""
        del stats
        self.memory_mib.append(psutil.Process().memory_info().rss / _MIB)


def write_clip(path: Path, frames: int) -> Path:
    """H.264 with a keyframe every 10 frames."""
    ramp = np.linspace(0, 255, WIDTH, dtype=np.uint8)
    with av.open(str(path), "w") as target:
        stream = target.add_stream("libx264", rate=25, options={"g": str(GROUP), "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for number in range(frames):
            rgb = np.repeat(np.roll(ramp, number)[None, :, None], HEIGHT, axis=0).repeat(3, axis=2)
            target.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), "rgb24")))
        target.mux(stream.encode())
    return path


def run(clip: Path, workers: int, sleep_s: float, folder: Path) -> tuple[Measured, RunStats, float]:
    """One run with a cluster of its own: what was measured, its figures, and its seconds."""
    go = folder / "go"
    values = {"sleep_s": sleep_s, "go": str(go), "width": WIDTH}
    options = {"detector.name": sleeping.NAME, "cluster.workers": workers, "extensions.sleeping": values}
    settings = load_settings(None, [], options)
    outputs = Outputs.of(settings, str(clip), typed=[str(folder / "out.mp4")], jsonl=folder / "out.jsonl")
    plan = make_plan(clip, settings, PARTS_OF_A_WORKER * workers)
    measured, same = Measured(), SameWorkers()
    size = LocalCluster(cpus=workers, object_store_bytes=STORE_BYTES)
    with (
        connect("local", local=size) as cluster,
        WorkerGroup(cluster, settings.cluster, workers, same, extensions=settings.extensions) as group,
        ClusterSupply(group, plan) as supply,
    ):
        while supply.status.workers < workers:
            supply.start(print)
            time.sleep(0.02)
        joined = JoinedDetectors(plan, supply, same)
        session = Session(str(clip), outputs, settings, measured, own=OwnParts(detectors=joined, observers=(joined,)))
        began_s, cpu_s = time.monotonic(), time.process_time()
        go.touch()
        session.run()
        seconds, measured.cpu_s = time.monotonic() - began_s, time.process_time() - cpu_s
        measured.store = cluster.object_store()
    return measured, session.stats, seconds


def show_speed(workers: Sequence[int], sleep_s: float, frames: int) -> None:
    """One line for each number of workers."""
    print(f"detector: {sleep_s * 1000:g} ms a frame; {frames} frames a worker, {WIDTH}x{HEIGHT}")
    print("workers  seconds  frames/s  speed-up  of N   join: CPU a frame  here  spilled")
    first: float | None = None
    for number in workers:
        with tempfile.TemporaryDirectory() as folder:
            clip = write_clip(Path(folder) / "clip.mp4", frames * number)
            measured, stats, seconds = run(clip, number, sleep_s, Path(folder))
        rate = stats.shown / seconds
        first = rate / number if first is None else first  # of one worker, if it is the first of the list
        print(
            f"{number:7} {seconds:8.1f} {rate:9.2f} {rate / first:9.2f} {rate / first / number:5.2f} "
            f"{1000 * measured.cpu_s / stats.shown:14.1f} ms {counts_here(stats):5} {measured.spilled:>8}"
        )


def show_memory(workers: int, frames: int) -> None:
    """Memory of a longer run, in tenths."""
    with tempfile.TemporaryDirectory() as folder:
        clip = write_clip(Path(folder) / "clip.mp4", frames)
        measured, stats, seconds = run(clip, workers, 0.0, Path(folder))
    print(f"{stats.shown} frames in {seconds:.1f} s with {workers} workers, and a detector that takes no time")
    tenth = max(len(measured.memory_mib) // 10, 1)
    tenths = [statistics.median(measured.memory_mib[at : at + tenth]) for at in range(0, 10 * tenth, tenth)]
    print("memory of the process that plans, drives and joins, MiB by tenths of the run:")
    print("  " + " ".join(f"{one:.0f}" for one in tenths))
    growth = tenths[-1] / tenths[1] - 1
    print(
        f"  {growth:+.1%} from the second to the last; join: {1000 * measured.cpu_s / stats.shown:.1f} ms CPU a frame;"
    )
    print(f"  spilled: {measured.spilled}")


def counts_here(stats: RunStats) -> int:
    """Frames that the join had to detect itself."""
    return sum(count for (what, _), count in stats.counts.items() if what == DETECTED_HERE)


def main() -> None:
    """Parse the options and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", default="1,2,4,8")
    parser.add_argument("--sleep-s", type=float, default=0.5)
    parser.add_argument("--frames", type=int, default=60, help="for each worker")
    parser.add_argument("--long-frames", type=int, default=20_000)
    options = parser.parse_args()
    print(machine())
    with tempfile.TemporaryDirectory() as folder, sleeping.installed(Path(folder)):
        show_speed([int(number) for number in options.workers.split(",")], options.sleep_s, options.frames)
        if options.long_frames:
            show_memory(2, options.long_frames)


if __name__ == "__main__":
    main()
