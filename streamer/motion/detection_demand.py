"""Which frames of a file to detect (`detector.every: auto`): those at which the detections on both sides differ.

A frame is detected at least every `max_gap_s`. Between two detected frames the middle one is detected as well if the
boxes of the first, moved along the motion fields, are not those of the second, or if something moves outside the boxes
of both. The choice depends on pictures and detections alone. Capture thread, detector threads and display thread use
one instance; the motion fields are guarded by its lock.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Sequence
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from streamer.flow.stats import DETECTED, RunStats
from streamer.motion.motion_cache import motion_along
from streamer.motion.motion_field import MotionEstimator, MotionField
from streamer.values.delivery import Detected
from streamer.values.frame import Frame, held_bytes
from tracking.assignment import assign
from tracking.boxes import overlapping_pairs
from tracking.types import Detections

Grid = npt.NDArray[np.float64]

# Measured with benchmarks.detect_every (docs/engineering/accuracy.md).
_SAME_IOU = 0.5
_DIFFERENT_FRAMES = 0.75  # share of boxes without counterpart x frames in the gap
# Lengths are shares of the diagonal of the picture.
_CELL = 1 / 18
_DISTANCE = 0.06
_CELLS = 6  # fewer moving cells must move further: noise moves single cells
_LEAST_POINTS = 2
_MOVES_PX = 0.5  # thumbnail pixels in one step
_ROUNDING_S = 1e-6
_MOST_BYTES = 128 << 20  # of the frames of one gap


class Reason(StrEnum):
    """Why a frame is detected."""

    SHOT = "new shot"
    """The first frame of a shot, and the last frame of the shot before."""
    GAP = "longest gap"
    """`detector.max_gap_s` has passed since the last detection, or the file ends."""
    DIFFERENT = "detections differ"
    """The detections on both sides have different objects, or boxes that the motion does not explain."""
    MOVED = "moved"
    """Something has moved where neither side has a detection."""


class DetectionDemand:
    """The choice of `streamer.motion.lookahead.LookaheadRoute`. Hands the motion of each frame to the display thread.

    Args:
        max_gap_s: the longest media time between two detections.
        stats: gets the duration of the motion estimation, and the reason for each chosen frame.
    """

    def __init__(self, max_gap_s: float, stats: RunStats) -> None:
        self._max_gap_s = max_gap_s
        self._stats = stats
        self._estimator = MotionEstimator()  # this and the next two: capture thread only
        self._end_s = -math.inf
        self._gap_bytes = 0
        self._lock = threading.Lock()
        self._fields: dict[int, MotionField | None] = {}  # of the frames in flight, by `Frame.index`

    def ends_gap(self, frame: Frame) -> bool:
        """Capture thread, for each frame in order: whether to detect it in any case."""
        started_s = time.perf_counter()
        field = self._estimator.step(frame)
        with self._lock:
            self._fields[frame.index] = field
        self._stats.add_time("motion", time.perf_counter() - started_s)
        self._gap_bytes += held_bytes(frame.picture)
        over = frame.time_s - self._end_s > self._max_gap_s - _ROUNDING_S or self._gap_bytes >= _MOST_BYTES
        if field is not None and not over:
            return False
        self._stats.count(DETECTED, Reason.SHOT if field is None else Reason.GAP)
        self._end_s, self._gap_bytes = frame.time_s, 0
        return True

    def end(self, frame: Frame) -> None:  # noqa: ARG002
        """Capture thread: the last frame is detected."""
        self._stats.count(DETECTED, Reason.GAP)

    def between(self, before: Detected, after: Detected) -> int | None:
        """Detector threads: the index of a frame between two detected ones that is detected as well.

        None if there is none, or if a detector failed at one of them.
        """
        first, last = before.frame.index, after.frame.index
        if last - first < 2 or before.detections is None or after.detections is None:
            return None
        with self._lock:
            fields = [self._fields[index] for index in range(first + 1, last + 1)]
        steps = [field for field in fields if field is not None]
        if len(steps) < len(fields):  # the later frame begins a shot
            self._stats.count(DETECTED, Reason.SHOT)
            return last - 1
        reason = _reason(before.frame, before.detections, after.detections, steps)
        if reason is None:
            return None
        self._stats.count(DETECTED, reason)
        return (first + last) // 2

    def step(self, frame: Frame) -> MotionField | None:
        """Display thread, for each frame in order, when it is delivered: as `MotionEstimator.step`."""
        with self._lock:
            return self._fields.pop(frame.index)


def _reason(frame: Frame, before: Detections, after: Detections, fields: Sequence[MotionField]) -> Reason | None:
    """Why to detect a frame between two; `fields` lead from one to the other."""
    if _different_share(before, after, fields) * len(fields) >= _DIFFERENT_FRAMES:
        return Reason.DIFFERENT
    boxes = np.concatenate([before.boxes, after.boxes]).astype(np.float64)
    diagonal_px = math.hypot(frame.width, frame.height) * fields[0].scale
    return Reason.MOVED if _moved_px(frame, boxes, fields) > diagonal_px * _DISTANCE else None


def _different_share(before: Detections, after: Detections, fields: Sequence[MotionField]) -> float:
    """The share of all boxes without a counterpart of their class: 1 - F1 of one side against the other."""
    count = len(before) + len(after)
    if not len(before) or not len(after):
        return float(count > 0)
    boxes, motion = before.boxes.astype(np.float64), motion_along(fields)
    moved = boxes if motion is None else motion.carry(boxes).boxes
    order = np.argsort(after.boxes[:, 0], kind="stable")
    pairs = overlapping_pairs(moved, after.boxes[order].astype(np.float64), _SAME_IOU)
    same = before.labels[pairs.rows] == after.labels[order][pairs.cols]
    rows, _ = assign(pairs.rows[same], pairs.cols[same], np.ones(int(same.sum())))
    return 1 - 2 * len(rows) / count


def _moved_px(frame: Frame, boxes: npt.NDArray[np.float64], fields: Sequence[MotionField]) -> float:
    """How far the cells outside `boxes` move that move most, beyond the camera's motion, thumbnail pixels."""
    scale = fields[0].scale
    cell_px = math.hypot(frame.width, frame.height) * scale * _CELL
    moved = np.sum([_step(field, frame, cell_px) for field in fields], axis=0)
    rows, columns = np.indices(moved.shape)
    for left, top, right, bottom in boxes * (scale / cell_px) - 0.5:  # in cells, from the centre of the first
        near_x = (columns > left - 1) & (columns < right + 1)
        moved[near_x & (rows > top - 1) & (rows < bottom + 1)] = 0.0
    return float(np.sort(moved, axis=None)[-_CELLS:].sum()) / _CELLS


def _step(field: MotionField, frame: Frame, cell_px: float) -> Grid:
    """How far the points of each cell move in one step, the mean, thumbnail pixels; 0 for a cell with few such points.

    Returns:
        float64 `(rows, columns)`.
    """
    columns = math.ceil(frame.width * field.scale / cell_px)
    rows = math.ceil(frame.height * field.scale / cell_px)
    lengths = np.abs(field.shifts).max(axis=1, initial=0.0)
    moving = np.flatnonzero(lengths > _MOVES_PX)
    column, row = np.clip(field.points[moving] // cell_px, 0, (columns - 1, rows - 1)).astype(np.intp).T
    cells, size = row * columns + column, rows * columns
    counts = np.bincount(cells, minlength=size)
    sums = np.bincount(cells, lengths[moving], minlength=size)
    means = np.where(counts >= _LEAST_POINTS, sums / np.maximum(counts, 1), 0.0)
    return np.asarray(means.reshape(rows, columns), np.float64)
