"""The effect of merging duplicate classes on tracks, and its cost.

    python -m benchmarks.duplicate_classes --data DIR [SEQUENCE ...]

DIR has `<sequence>/seqinfo.ini` and `<sequence>/gt/gt.txt` (MOT Challenge). The detections are simulated: each person
of the ground truth is reported as Person (85% of the frames), as Man or Woman (85%) and as the other of the two (30%),
by boxes that jitter by 3% of their size, with scores around 0.6, 0.6 and 0.4 (standard deviation 0.1). These figures
are assumed, not measured. Compared are the same boxes not merged, after non-maximum suppression across all classes, and
with duplicates merged. `boxes` is the number of boxes per person, `ids` the number of ids per person.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from streamer.classes import open_images
from streamer.classes.class_filter import DUPLICATE_IOU, ClassFilter
from streamer.config.detector import DetectorSettings
from streamer.detectors.litert import ssd
from streamer.evaluation.sequences import Sequence
from tracking.boxes import overlapping_pairs
from tracking.iou import IouTracker
from tracking.types import Detections

Truth = npt.NDArray[np.float64]
Select = Callable[[Detections], Detections]

LABELS = open_images.label_table()
PERSON, MAN, WOMAN = (LABELS.names.index(name) for name in ("Person", "Man", "Woman"))


def frames_of(sequence: Sequence) -> Iterator[Truth]:
    """Ground truth frame by frame, `(N, 5)`: id and corners; only pedestrians if there are classes."""
    rows = np.loadtxt(sequence.folder / "gt" / "gt.txt", delimiter=",", ndmin=2)
    if sequence.benchmark != "MOT15":  # a flag and a class in columns 6 and 7
        rows = rows[(rows[:, 6] != 0) & (rows[:, 7] == 1)]
    for frame in np.unique(rows[:, 0]):
        own = rows[rows[:, 0] == frame]
        yield np.column_stack([own[:, 1], own[:, 2:4], own[:, 2:4] + own[:, 4:6]])


def seen(truth: Truth, rng: np.random.Generator) -> Detections:
    """Simulated detections of many classes for these people, by decreasing score."""
    sex = np.where(truth[:, 0] % 2, MAN, WOMAN)
    kinds = ((np.full(len(truth), PERSON), 0.85, 0.6), (sex, 0.85, 0.6), (MAN + WOMAN - sex, 0.3, 0.4))
    boxes, scores, labels = [], [], []
    for label, share, score in kinds:
        rows = np.flatnonzero(rng.random(len(truth)) < share)
        size = np.tile(truth[rows, 3:5] - truth[rows, 1:3], 2)
        boxes.append(truth[rows, 1:5] + rng.normal(0, 0.03, size.shape) * size)
        scores.append(np.clip(rng.normal(score, 0.1, len(rows)), 0.3, 1))
        labels.append(label[rows])
    order = np.argsort(-np.concatenate(scores), kind="stable")
    corners = np.concatenate(boxes)[order]
    corners[:, 2:] = np.maximum(corners[:, 2:], corners[:, :2])
    return Detections(
        corners.astype(np.float32),
        np.concatenate(scores)[order].astype(np.float32),
        np.concatenate(labels)[order].astype(np.int32),
    )


def across_classes(found: Detections) -> Detections:
    """Non-maximum suppression that ignores classes, at the same overlap."""
    one_class = np.zeros(len(found), np.int32)
    kept = ssd.suppress(
        found.boxes, found.scores, one_class, iou_threshold=DUPLICATE_IOU, max_detections=len(found) + 1
    )
    return found.select(kept)


def follow(frames: list[Truth], fps: float, select: Select, *, per_class: bool) -> tuple[float, float]:
    """Boxes per person of the ground truth, and ids per person that was found at all."""
    tracker, rng = IouTracker(per_class=per_class), np.random.default_rng(0)
    shown = 0
    ids: dict[int, set[int]] = {}
    for index, truth in enumerate(frames):
        tracks = tracker.update(select(seen(truth, rng)), index / fps)
        shown += len(tracks)
        by_left = np.argsort(tracks.boxes[:, 0])
        pairs = overlapping_pairs(truth[:, 1:], tracks.boxes[by_left].astype(np.float64), 0.5)
        overlap = np.zeros((len(truth), len(tracks)))
        overlap[pairs.rows, by_left[pairs.cols]] = pairs.iou
        for row, col in zip(*linear_sum_assignment(-overlap), strict=True):
            if overlap[row, col]:
                ids.setdefault(int(truth[row, 0]), set()).add(int(tracks.ids[col]))
    return shown / sum(map(len, frames)), sum(map(len, ids.values())) / max(1, len(ids))


def cost_ms(objects: int, classes: tuple[int, ...]) -> float:
    """Median CPU milliseconds per frame of `objects` in each of these classes."""
    rng, keep = np.random.default_rng(0), ClassFilter(LABELS, DetectorSettings(merge_twins=True))
    corner, size = rng.uniform(0, 1500, (objects, 2)), rng.uniform(30, 300, (objects, 2))
    boxes = np.tile(np.hstack([corner, corner + size]), (len(classes), 1)).astype(np.float32)
    boxes += rng.uniform(-1, 1, boxes.shape).astype(np.float32)
    labels = np.repeat(classes, objects).astype(np.int32)
    scores = np.sort(rng.random(len(boxes)))[::-1].astype(np.float32)
    found, taken_s = Detections(boxes, scores, labels), []
    for _ in range(500):
        began_s = time.thread_time()
        keep(found)
        taken_s.append(time.thread_time() - began_s)
    return float(np.median(taken_s)) * 1e3


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("sequences", nargs="*", default=["PETS09-S2L1-a", "MOT17-09"])
    arguments = parser.parse_args()
    rules: dict[str, Select] = {
        "not merged": lambda found: found,
        "across all classes": across_classes,
        "duplicates merged": ClassFilter(LABELS, DetectorSettings(merge_twins=True)),
    }
    print(f"{'sequence':16}{'tracker.options.per_class':27}{'rule':20}{'boxes':>8}{'ids':>8}")
    for name in arguments.sequences:
        sequence = Sequence.read(arguments.data / name)
        frames, fps = list(frames_of(sequence)), float(sequence.fps)
        for per_class in (True, False):
            for title, rule in rules.items():
                boxes, ids = follow(frames, fps, rule, per_class=per_class)
                print(f"{name:16}{str(per_class).lower():27}{title:20}{boxes:8.2f}{ids:8.1f}")
    everyone = LABELS.rows(["Person"])
    print(
        f"\nms per frame: 300 people {cost_ms(300, (PERSON,)):.3f}, 60 people as {len(everyone)} classes each "
        f"{cost_ms(60, everyone):.3f}"
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
