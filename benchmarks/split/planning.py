"""What a plan costs, and what it saves: one pass of the demuxer, the first frame of a part, digests, damaged files.

    python -m benchmarks.split.planning [--times 20] [--damaged 6]

The clip is the 1280x720 clip of the demo, `times` times in a row (132 frames each), without its sound. The last of 64
parts is opened twice, in turns: sought, and read from the start of the file. Damaged files are 400 frames of 320x180
with a keyframe every 12 frames (H.265, open groups), with eight runs of up to 200 random bytes. The frames of nine
parts are compared with those of a run over the whole file; the join must detect those that differ. They are decoded by
one thread: with several, two runs over a damaged file differ as well.
"""

from __future__ import annotations

import argparse
import itertools
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np

from benchmarks.clips import looped, machine
from streamer.config.loading import load_settings
from streamer.parts.digests import picture_digest
from streamer.parts.part_source import PartSource
from streamer.parts.plan import Plan
from streamer.parts.plan_file import write_plan
from streamer.parts.planning import make_plan
from streamer.parts.splitting import split as splitting
from streamer.sources.selection import open_source
from streamer.values.frame import Frame

SETTINGS = load_settings(None, ["detector.name=starter"])
ONE_THREAD = load_settings(None, ["detector.name=starter", "source.threads=1"])
PARTS, ROUNDS, DIGESTS = 64, 2, 200
DAMAGED_PARTS, DAMAGED_FRAMES, PLACES, MOST_BYTES = 9, 400, 8, 200


def seconds(work: Callable[[], object]) -> float:
    """The wall time of a call."""
    began_s = time.perf_counter()
    work()
    return time.perf_counter() - began_s


def first_frame(plan: Plan, number: int) -> Frame:
    """The first frame of a part."""
    with PartSource(plan, plan.parts[number]) as source:
        return next(iter(source))


def measure_plan(clip: Path, folder: Path) -> Plan:
    """Print the costs of the plan."""
    make_plan(clip, SETTINGS, 1)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    cpu_s = time.process_time()
    plan = make_plan(clip, SETTINGS, PARTS)
    cpu_s = time.process_time() - cpu_s
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    write_plan(plan, folder / "plan.json")
    size = (folder / "plan.json").stat().st_size
    print(f"plan: {plan.frames / cpu_s:,.0f} frames/s of CPU time, {cpu_s / plan.frames * 1e6:.1f} us a frame")
    print(f"plan: {size / PARTS:.0f} bytes a part on disk, {grown} KiB more memory than for one part")
    return plan


def measure_seek(plan: Plan) -> None:
    """Print the time to the first frame of the last part."""
    last = plan.parts[-1]
    whole = plan.model_copy(update={"parts": (*plan.parts[:-1], last.model_copy(update={"seek": None}))})
    sought_s, read_s = [], []
    for _ in range(ROUNDS):
        sought_s.append(seconds(lambda: first_frame(plan, -1)))
        read_s.append(seconds(lambda: first_frame(whole, -1)))
    sought, read = min(sought_s), min(read_s)
    print(
        f"first frame of the last part: sought {sought:.2f} s, from the start {read:.2f} s, {read / sought:.0f} times"
    )


def measure_digest(plan: Plan) -> None:
    """Print the time of a digest."""
    frame = first_frame(plan, 0)
    took_s = min(seconds(lambda: picture_digest(frame)) for _ in range(DIGESTS))
    print(f"digest of a {frame.width}x{frame.height} frame: {took_s * 1e3:.2f} ms")


def small(clip: Path, out: Path) -> Path:
    """The first frames of a clip in a small size, with a keyframe every 12 frames."""
    structure = "keyint=12:min-keyint=12:scenecut=0:open-gop=1:bframes=3:crf=20"
    options = {"preset": "ultrafast", "x265-params": f"log-level=none:{structure}"}
    with av.open(str(clip)) as source, av.open(str(out), "w") as target:
        stream = target.add_stream("libx265", rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
        for frame in itertools.islice(source.decode(video=0), DAMAGED_FRAMES):
            scaled = frame.reformat(320, 180, "yuv420p")
            scaled.pict_type = 0
            target.mux(stream.encode(scaled))
        target.mux(stream.encode())
    return out


def damaged(clip: Path, out: Path, seed: int) -> Path:
    """A copy with random bytes in some places behind its begin."""
    content, random = bytearray(clip.read_bytes()), np.random.default_rng(seed)
    for _ in range(PLACES):
        at, length = (
            int(random.integers(len(content) // 10, len(content) * 9 // 10)),
            int(random.integers(1, MOST_BYTES)),
        )
        content[at : at + length] = random.integers(0, 256, length, np.uint8).tobytes()
    out.write_bytes(content)
    return out


def differing(path: Path, warm_up: int) -> tuple[int, int]:
    """Frames of the whole file that the parts do not have, and how many parts are sought."""
    splitting.WARM_UP = warm_up
    with open_source(str(path), ONE_THREAD.source) as source:
        whole = {(frame.pts, picture_digest(frame)) for frame in source}
    found: set[tuple[int, bytes]] = set()
    sought = 0
    plan = make_plan(path, ONE_THREAD, DAMAGED_PARTS)
    for part in plan.parts:
        with PartSource(plan, part) as frames:
            found |= {(frame.pts, picture_digest(frame)) for frame in frames}
            sought += part.seek is not None and not frames.from_start
    return len(whole - found), sought


def measure_damage(clip: Path, folder: Path, files: int) -> None:
    """Print how many frames of damaged files differ, by the least number of packets before a part."""
    source = small(clip, folder / "small.mkv")
    for warm_up in (0, splitting.WARM_UP):
        found = [differing(damaged(source, folder / "damaged.mkv", seed), warm_up) for seed in range(files)]
        other, sought = (sum(counts) for counts in zip(*found, strict=True))
        total, begun = files * DAMAGED_FRAMES, f"one group and {warm_up} packets before a part"
        print(f"damaged files, {begun}: {other} of {total} frames differ, {sought} parts sought")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--damaged", type=int, default=6)
    options = parser.parse_args()
    print(machine())
    with tempfile.TemporaryDirectory() as folder:
        clip = looped(Path(folder) / "clip.mp4", options.times)
        plan = measure_plan(clip, Path(folder))
        measure_seek(plan)
        measure_digest(plan)
        measure_damage(clip, Path(folder), options.damaged)


if __name__ == "__main__":
    main()
