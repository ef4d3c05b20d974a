"""Time of the tracker per frame, side by side with a plain tracker.

    python -m benchmarks.tracker [--frames N] [--objects 100,500,1000] [--tracker NAME] [--frames-long]

Boxes walk at random in a frame of 1920x1080 and overlap densely. Both trackers get the same detections in turns, frame
by frame, on one thread, whose CPU time is counted. The plain one is a common IoU tracker with a memory: the whole IoU
matrix, SciPy's assignment, and a loop over a list of tracks. `--frames-long` sends a million frames through the tracker
and prints time and size of its state on the way; it fails if the state grows.
"""

from __future__ import annotations

import argparse
import pickle
import time
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from streamer.registry import TRACKERS
from tracking.types import Detections, Tracker

SIZE = (1920, 1080)
FPS = 25.0
WARM_UP_FRAMES = 20
LONG_FRAMES = 1_000_000


def random_walk(objects: int, frames: int, *, seed: int = 0) -> Iterator[Detections]:
    """Boxes of 30 to 90 by 80 to 240 px that take steps of 4 px (standard deviation); 1 in 10 is missed."""
    rng = np.random.default_rng(seed)
    centres = rng.uniform((0, 0), SIZE, (objects, 2))
    sizes = rng.uniform((30, 80), (90, 240), (objects, 2))
    for _ in range(frames):
        centres = np.clip(centres + rng.normal(0, 4, centres.shape), 0, SIZE)
        seen = rng.random(objects) > 0.1
        boxes = np.concatenate([centres - sizes / 2, centres + sizes / 2], axis=1)[seen].astype(np.float32)
        scores = rng.uniform(0.5, 1, len(boxes)).astype(np.float32)
        yield Detections(boxes, scores, np.zeros(len(boxes), np.int32))


class PlainTracker:
    """IoU with a memory of a second, without motion: the baseline."""

    def __init__(self) -> None:
        self.tracks: list[tuple[int, npt.NDArray[np.float32], float]] = []
        self.next_id = 1

    def update(self, detections: Detections, time_s: float) -> list[tuple[int, npt.NDArray[np.float32], float]]:
        """Process a frame; returns id, box and time of the last detection of each track."""
        overlap = self._overlap(detections.boxes)
        free = set(range(len(detections)))
        rows, cols = linear_sum_assignment(-overlap)
        for row, col in zip(rows.tolist(), cols.tolist(), strict=True):
            if overlap[row, col] >= 0.3:
                self.tracks[row] = (self.tracks[row][0], detections.boxes[col], time_s)
                free.discard(col)
        self.tracks = [track for track in self.tracks if time_s - track[2] <= 1.0]
        for new in sorted(free):
            self.tracks.append((self.next_id, detections.boxes[new], time_s))
            self.next_id += 1
        return self.tracks

    def _overlap(self, b: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        a = np.array([box for _, box, _ in self.tracks], np.float32).reshape(-1, 4)
        low = np.maximum(a[:, None, :2], b[None, :, :2])
        high = np.minimum(a[:, None, 2:], b[None, :, 2:])
        shared = np.clip(high - low, 0, None).prod(axis=2)
        area_a, area_b = (a[:, 2:] - a[:, :2]).prod(axis=1), (b[:, 2:] - b[:, :2]).prod(axis=1)
        overlap: npt.NDArray[np.float32] = shared / (area_a[:, None] + area_b[None] - shared)
        return overlap


def compare(tracker: Tracker, objects: int, frames: int) -> tuple[list[float], list[float]]:
    """Milliseconds per frame of the tracker and of the plain one, after the warm-up: CPU time of this thread."""
    plain = PlainTracker()
    ours_ms, plain_ms = [], []
    for index, detections in enumerate(random_walk(objects, frames + WARM_UP_FRAMES)):
        started_s = time.thread_time()
        tracker.update(detections, index / FPS)
        middle_s = time.thread_time()
        plain.update(detections, index / FPS)
        ended_s = time.thread_time()
        ours_ms.append((middle_s - started_s) * 1e3)
        plain_ms.append((ended_s - middle_s) * 1e3)
    return ours_ms[WARM_UP_FRAMES:], plain_ms[WARM_UP_FRAMES:]


def run_long(tracker: Tracker) -> bool:
    """A million frames with a new object every 10; prints time and pickled size; False if the size grows."""
    sizes = []
    started_s = time.thread_time()
    for index in range(LONG_FRAMES):
        if index % 10 == 9:
            detections = Detections.empty()
        else:
            x = index // 10 * 97 % SIZE[0]
            box = np.array([[x, 0, x + 40, 80]], np.float32)
            detections = Detections(box, np.full(1, 0.9, np.float32), np.zeros(1, np.int32))
        tracker.update(detections, index / FPS)
        if (index + 1) % (LONG_FRAMES // 10) == 0:
            sizes.append(len(pickle.dumps(tracker)))
            us = (time.thread_time() - started_s) / (index + 1) * 1e6
            print(f"{index + 1:9d} frames  {us:6.1f} us per frame  state {sizes[-1]} bytes")
    # Only longer ids may be added.
    return max(sizes) <= sizes[0] + 64


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tracker", choices=list(TRACKERS), default="iou")
    parser.add_argument("--objects", default="100,500,1000")
    parser.add_argument("--frames", type=int, default=200)
    parser.add_argument("--frames-long", action="store_true")
    arguments = parser.parse_args()
    if arguments.frames_long:
        return 0 if run_long(TRACKERS[arguments.tracker]()) else 1
    print(f"{'objects':>8}{'median ms':>11}{'p95 ms':>9}{'plain median ms':>17}{'plain / this':>14}")
    for objects in map(int, arguments.objects.split(",")):
        ours, plain = compare(TRACKERS[arguments.tracker](), objects, arguments.frames)
        median, plain_median = float(np.median(ours)), float(np.median(plain))
        p95 = float(np.percentile(ours, 95))
        print(f"{objects:8d}{median:11.2f}{p95:9.2f}{plain_median:17.2f}{plain_median / median:14.2f}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
