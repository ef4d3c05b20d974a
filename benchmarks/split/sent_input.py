"""The input read by its path against the input sent through the object store by the part.

    python -m benchmarks.split.sent_input [--loops N] [--workers N] [--rounds N]

The clip is 1280x720 H.264; the detector takes no time, so that reading and decoding are all that a worker does. Both
ways take turns on one local cluster each round; the times are those from the first worker with a detector to the last
part. What is sent is counted by block, once a worker.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from benchmarks.clips import looped, machine
from benchmarks.split import sleeping
from streamer.cluster.connection import Cluster, LocalCluster, connect
from streamer.config.loading import load_settings
from streamer.parts.matching import SameWorkers
from streamer.parts.on_cluster.cluster_supply import ClusterSupply
from streamer.parts.on_cluster.input_blocks import BLOCK_BYTES, InputBlocks
from streamer.parts.on_cluster.worker_group import WorkerGroup
from streamer.parts.planning import make_plan

FRAMES_OF_A_PART = 128


def seconds_of(way: str, clip: Path, workers: int, cluster: Cluster) -> float:
    """How long the workers take for all parts."""
    options = {
        "detector.name": sleeping.NAME,
        "cluster.input": way,
        "cluster.workers": workers,
        "extensions.sleeping": {"sleep_s": 0.0},
    }
    settings = load_settings(None, [], options)
    plan = make_plan(clip, settings, parts_of(clip))
    group = WorkerGroup(cluster, settings.cluster, workers, SameWorkers(), extensions=settings.extensions)
    with group, ClusterSupply(group, plan) as supply:
        supply.start(print)
        began_s = time.monotonic()
        for part in plan.parts:
            supply.wait(part.number)
        return time.monotonic() - began_s


def parts_of(clip: Path) -> int:
    """So many that a part has about 128 frames."""
    plan = make_plan(clip, load_settings(None, [], {"detector.name": sleeping.NAME}), 1)
    return max(plan.frames // FRAMES_OF_A_PART, 1)


def show_bytes(clip: Path) -> None:
    """What a part needs."""
    plan = make_plan(clip, load_settings(None, [], {"detector.name": sleeping.NAME}), parts_of(clip))
    blocks = InputBlocks(plan, clip)
    began_s = time.perf_counter()
    needed = [len(blocks.of(part.number)) * BLOCK_BYTES for part in plan.parts]
    found_ms = 1000 * (time.perf_counter() - began_s) / len(needed)
    opening = len(blocks.opening()) * BLOCK_BYTES
    print(f"{plan.frames} frames, {plan.input.size_bytes / 1e6:.1f} MB, {len(needed)} parts")
    print(f"to open the file {opening / 1e6:.1f} MB, with a part {statistics.median(needed) / 1e6:.1f} MB")
    print(f"finding the bytes of a part: {found_ms:.1f} ms")


def main() -> None:
    """Parse the options and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--loops", type=int, default=20)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    print(machine())
    with tempfile.TemporaryDirectory() as folder, sleeping.installed(Path(folder) / "detector"):
        clip = looped(Path(folder) / "clip.mp4", options.loops)
        show_bytes(clip)
        with connect("local", local=LocalCluster(cpus=options.workers, object_store_bytes=200 << 20)) as cluster:
            for number in range(1, options.rounds + 1):
                by_path = seconds_of("path", clip, options.workers, cluster)
                sent = seconds_of("send", clip, options.workers, cluster)
                print(f"round {number}: by path {by_path:.1f} s, sent {sent:.1f} s: {sent / by_path:.2f} times")
            store = cluster.object_store()
            print(f"spilled: {'unknown' if store is None else f'{store.spilled_bytes} B'}")


if __name__ == "__main__":
    main()
