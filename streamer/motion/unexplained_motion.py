"""Motion that no box on screen explains: probably an object that the detector has not seen yet.

The picture is divided into cells. Each adds up how far its points outside all boxes move beyond the camera's motion.
Cells in which something moved before the last detection are left out: what moves there, such as a tree, is no object.
Owned by the display thread.
"""

from __future__ import annotations

import math
from collections import deque

import numpy as np
import numpy.typing as npt

from streamer.motion.motion_field import Boxes, Flags, MotionField
from streamer.values.frame import Frame

Cells = npt.NDArray[np.float64]

# Lengths are shares of the diagonal of the picture.
_CELL = 1 / 18
_DISTANCE = 0.012
"""What moves this far is an object."""
_CELLS = 6  # fewer moving cells must move further: noise moves single cells
_LEAST_POINTS = 2
_MOVES_PX = 0.5  # thumbnail pixels in one step
_AROUND = 0.35
"""Of the size of a box: optical flow so close to it follows its content."""
_MOST_FRAMES = 600


class UnexplainedMotion:
    """Adds up the motion since the last detection."""

    def __init__(self) -> None:
        self._steps: deque[tuple[int, Cells]] = deque(maxlen=_MOST_FRAMES)  # since the last detection, by frame
        self._moved: Cells = np.empty(0)  # their sum, shares of the diagonal
        self._known: Flags = np.empty(0, np.bool_)  # cells that moved before the last detection

    def add(self, frame: Frame, boxes: Boxes, field: MotionField) -> float:
        """How many objects are probably new: 0 to 1.

        Args:
            frame: the next one.
            boxes: `(N, 4)`, x0, y0, x1, y1 in pixels, on screen with it.
            field: the motion that leads to it.
        """
        step = _step(frame, boxes, field)
        if self._moved.shape != step.shape:
            self._moved, self._known = np.zeros_like(step), np.zeros_like(step, np.bool_)
            self._steps.clear()
        self._steps.append((frame.index, step))
        self._moved = self._moved + step
        return self.objects

    @property
    def objects(self) -> float:
        """How many objects are probably new: 0 to 1."""
        new = self._moved * ~self._known
        return min(float(np.sort(new)[-_CELLS:].sum()) / (_CELLS * _DISTANCE), 1.0)

    def detected(self, index: int) -> None:
        """The frame of this index was detected, so that motion up to it is explained."""
        explained = np.zeros_like(self._moved)
        while self._steps and self._steps[0][0] <= index:
            explained += self._steps.popleft()[1]
        self._known = explained > 0
        self._moved = sum((step for _, step in self._steps), np.zeros_like(explained))

    def reset(self) -> None:
        """A new shot begins."""
        self._steps.clear()
        self._moved, self._known = np.empty(0), np.empty(0, np.bool_)


def _step(frame: Frame, boxes: Boxes, field: MotionField) -> Cells:
    """How far the points of each cell outside the boxes move in one step, the mean, as shares of the diagonal."""
    diagonal_px = math.hypot(frame.width, frame.height) * field.scale
    cell_px = diagonal_px * _CELL
    columns = math.ceil(frame.width * field.scale / cell_px)
    rows = math.ceil(frame.height * field.scale / cell_px)
    lengths = np.abs(field.shifts).max(axis=1, initial=0.0)
    moving = np.flatnonzero(lengths > _MOVES_PX)
    moving = moving[_outside(field.points[moving], boxes * field.scale)]
    column, row = np.clip(field.points[moving] // cell_px, 0, (columns - 1, rows - 1)).astype(np.intp).T
    cells, size = row * columns + column, rows * columns
    counts = np.bincount(cells, minlength=size)
    sums = np.bincount(cells, lengths[moving], minlength=size)
    return np.where(counts >= _LEAST_POINTS, sums / np.maximum(counts, 1), 0.0) / diagonal_px


def _outside(points: npt.NDArray[np.float32], boxes: Boxes) -> Flags:
    """Which points `(P, 2)` lie in no box `(N, 4)`, nor close to one."""
    around = np.tile(boxes[:, 2:] - boxes[:, :2], 2) * (-_AROUND, -_AROUND, _AROUND, _AROUND)
    x0, y0, x1, y1 = (boxes + around).T[:, :, None]
    x, y = points.T
    inside = (x0 <= x) & (x < x1) & (y0 <= y) & (y < y1)
    return np.asarray(~inside.any(axis=0), np.bool_)
