"""Which frames of a file to detect (`detector.every: auto`): those at which something has moved far enough.

The decision depends on the pictures alone, so it is the same in every run, whatever the number and the speed of the
detectors. The capture thread decides. It passes the motion fields on to the display thread, which moves boxes along
them.
"""

from __future__ import annotations

import math
import time
from enum import StrEnum
from queue import SimpleQueue

import numpy as np
import numpy.typing as npt

from streamer.flow.stats import DETECTED, RunStats
from streamer.motion.motion_field import MotionEstimator, MotionField
from streamer.values.frame import Frame

Grid = npt.NDArray[np.float64]

# Measured with benchmarks.detect_every (docs/engineering/accuracy.md). Lengths are shares of the diagonal of the
# picture.
_CELL = 1 / 18
_DISTANCE = 0.025
_NEW_DISTANCE = 0.012
_CELLS = 6  # fewer moving cells must move further: noise moves single cells
_LEAST_POINTS = 2
_MOVES_PX = 0.5  # thumbnail pixels in one step
_ROUNDING_S = 1e-6


class Reason(StrEnum):
    """Why a frame is detected."""

    SHOT = "new shot"
    """The first frame, and the first after a cut or a reconnect."""
    MOVED = "moved"
    """What moved before has moved on, so boxes have probably drifted."""
    NEW = "new motion"
    """Something moves where nothing moved before the last detection."""
    GAP = "longest gap"
    """`detector.max_gap_s` has passed since the last detection."""


class DetectionDemand:
    """Says for each frame whether to detect it, and why. Called with frames in order.

    The picture is divided into cells. Each adds up how far its points move beyond the camera's motion. A frame is
    detected when the mean of the cells that moved most reaches a distance, which is shorter for cells that were still
    before the last detection. Then the sums begin again.

    Args:
        max_gap_s: the longest media time between two detections.
    """

    def __init__(self, max_gap_s: float) -> None:
        self._max_gap_s = max_gap_s
        self._detected_s = -math.inf
        self._moved: Grid = np.empty((0, 0))  # since the last detection, thumbnail pixels
        self._known = np.empty((0, 0), np.bool_)  # cells that moved before it

    def reason(self, frame: Frame, field: MotionField | None) -> Reason | None:
        """Why to detect this frame; None if it is not detected.

        Args:
            frame: the next one.
            field: the motion that leads to it; None if it begins a shot.
        """
        found = self._reason(frame, field)
        if found is not None:
            self._known = self._moved > 0
            self._moved = np.zeros_like(self._moved)
            self._detected_s = frame.time_s
        return found

    def _reason(self, frame: Frame, field: MotionField | None) -> Reason | None:
        if field is None:
            self._moved = np.empty((0, 0))
            return Reason.SHOT
        diagonal_px = math.hypot(frame.width, frame.height) * field.scale
        step = _step(field, frame, diagonal_px * _CELL)
        if self._moved.shape != step.shape:
            self._moved, self._known = np.zeros_like(step), np.zeros_like(step, np.bool_)
        self._moved += step
        if _most(self._moved * ~self._known) > diagonal_px * _NEW_DISTANCE:
            return Reason.NEW
        if _most(self._moved) > diagonal_px * _DISTANCE:
            return Reason.MOVED
        return Reason.GAP if frame.time_s - self._detected_s > self._max_gap_s - _ROUNDING_S else None


class SharedMotion:
    """Estimates the motion of each frame once, for the choice of frames and for the boxes in between.

    Args:
        demand: chooses the frames.
        stats: gets the duration of the estimation, and the reason for each chosen frame.
    """

    def __init__(self, demand: DetectionDemand, stats: RunStats) -> None:
        self._demand = demand
        self._stats = stats
        self._estimator = MotionEstimator()
        self._fields: SimpleQueue[MotionField | None] = SimpleQueue()  # as long as the frames in flight

    def selects(self, frame: Frame) -> bool:
        """Capture thread, for each frame in order: whether to detect it."""
        started_s = time.perf_counter()
        field = self._estimator.step(frame)
        self._fields.put(field)
        reason = self._demand.reason(frame, field)
        self._stats.add_time("motion", time.perf_counter() - started_s)
        if reason is not None:
            self._stats.count(DETECTED, reason)
        return reason is not None

    def step(self, frame: Frame) -> MotionField | None:  # noqa: ARG002
        """Display thread, for each frame in order, after `selects`: as `MotionEstimator.step`."""
        return self._fields.get_nowait()


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


def _most(moved: Grid) -> float:
    """The mean of the cells that moved most."""
    return float(np.sort(moved, axis=None)[-_CELLS:].sum()) / _CELLS
