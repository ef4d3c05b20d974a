"""The choice of points to track: corners, most of them on objects. Pure functions, called by the display thread."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from streamer.motion.thumbnail import Grey

Points = npt.NDArray[np.float32]
Flags = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.int64]

CELL_PX = 6
"""Width and height of a cell, in thumbnail pixels; at most one point per cell is tracked."""
_SAMPLES = CELL_PX // 2  # corners are detected at half the size
_WITHIN_Y, _WITHIN_X = np.divmod(np.arange(_SAMPLES**2), _SAMPLES)
# Corners of lower quality are noise: noise of 2 grey levels gives qualities of up to 4e-5.
_NOISE = 1e-4


class Corners(NamedTuple):
    """Points to track.

    Attributes:
        points: float32 `(P, 2)`, x and y in thumbnail pixels.
        origins: int64 `(P,)`, the index of each among the points tracked so far; -1 for a new point.
        inside: bool `(P,)`, whether it lies in a box.
    """

    points: Points
    origins: Rows
    inside: Flags

    @classmethod
    def none(cls) -> Corners:
        """No point."""
        return cls(np.empty((0, 2), np.float32), np.empty(0, np.int64), np.empty(0, np.bool_))

    def continued(self, found: Flags, ends: Points) -> Corners:
        """The points of a mask at their new places `ends`, to be tracked further."""
        return Corners(ends[found], np.arange(int(found.sum())), self.inside[found])


def corners(grey: Grey, old: Points, boxes: npt.NDArray[np.floating], most: int, most_inside: int) -> Corners:
    """The best corners (Shi and Tomasi, "Good Features to Track", 1994), at most one per cell.

    A cell with a point of `old` keeps that point.

    Args:
        grey: uint8 `(H, W)`, a thumbnail.
        old: float32 `(P, 2)`, points tracked so far, thumbnail pixels.
        boxes: `(N, 4)`, x0, y0, x1, y1 of the objects in thumbnail pixels.
        most: the largest number of points.
        most_inside: the largest number of points in boxes, which are chosen first.
    """
    half = cv2.resize(grey, (grey.shape[1] // 2, grey.shape[0] // 2), interpolation=cv2.INTER_AREA)
    quality = cv2.cornerMinEigenVal(half, 3)
    height, width = quality.shape[0] // _SAMPLES, quality.shape[1] // _SAMPLES
    rows, columns = height * _SAMPLES, width * _SAMPLES
    # The best of each cell: a maximum filter, sampled at the middle of the cell.
    best = cv2.dilate(quality, np.ones((_SAMPLES, _SAMPLES), np.uint8))[1:rows:_SAMPLES, 1:columns:_SAMPLES]
    inside = _covered(boxes, width, height).ravel()
    ranked = np.asarray(best, np.float32).ravel()
    wanted = _best(ranked, inside, most_inside)
    wanted = np.concatenate([wanted, _best(ranked, ~inside, most - len(wanted))])
    row, column = np.divmod(wanted, width)
    top, left = row * _SAMPLES, column * _SAMPLES
    within = quality[top[:, None] + _WITHIN_Y, left[:, None] + _WITHIN_X].argmax(axis=1)
    corner = np.stack([left + _WITHIN_X[within], top + _WITHIN_Y[within]], axis=1)
    points = (corner * 2 + 0.5).astype(np.float32)
    origins = _in_cells(old, width, height)[wanted]
    goes_on = origins >= 0
    points[goes_on] = old[origins[goes_on]]
    return Corners(points, origins, inside[wanted])


def _best(ranked: npt.NDArray[np.float32], among: Flags, count: int) -> Rows:
    """The `count` best cells of a mask."""
    cells = np.flatnonzero(among & (ranked > _NOISE))
    if len(cells) <= count:
        return cells
    if count == 0:
        return cells[:0]
    return cells[np.argpartition(ranked[cells], -count)[-count:]]


def _covered(boxes: npt.NDArray[np.floating], width: int, height: int) -> Flags:
    """Which cells `(height, width)` are at least partly covered by boxes `(N, 4)`, thumbnail pixels."""
    edges = np.zeros((height + 1, width + 1), np.int32)
    limits = np.array([width, height, width, height])
    low = np.clip(np.floor_divide(boxes, CELL_PX), 0, limits).astype(np.intp)
    high = np.clip(-np.floor_divide(-boxes, CELL_PX), 0, limits).astype(np.intp)
    # A rectangle is the cumulative sum of changes at its four corners.
    for x, y, sign in ((low[:, 0], low[:, 1], 1), (high[:, 2], low[:, 1], -1), (low[:, 0], high[:, 3], -1)):
        np.add.at(edges, (y, x), sign)
    np.add.at(edges, (high[:, 3], high[:, 2]), 1)
    return np.asarray(edges.cumsum(axis=0).cumsum(axis=1)[:height, :width] > 0, np.bool_)


def _in_cells(points: Points, width: int, height: int) -> Rows:
    """For each cell the index of a point in it, -1 if there is none."""
    column, row = np.floor_divide(points, CELL_PX).astype(np.int64).T
    known = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    occupants = np.full(width * height, -1)
    occupants[(row * width + column)[known]] = np.flatnonzero(known)
    return occupants
