"""Geometry of boxes: representations and overlaps. Pure functions.

A box is `x0, y0, x1, y1` (corners) or, if documented so, `centre x, centre y, width, height`; both in pixels.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]
Flags = npt.NDArray[np.bool_]


class Pairs(NamedTuple):
    """Pairs of a box of `a` and a box of `b`.

    Attributes:
        rows: of `a`, rising.
        cols: of `b`, rising for each row.
        iou: intersection over union of the boxes.
        height_iou: the same of their vertical extents alone.
    """

    rows: Indices
    cols: Indices
    iou: Array
    height_iou: Array

    def select(self, mask: Flags) -> Pairs:
        """The pairs of a mask, in the same order."""
        return Pairs(self.rows[mask], self.cols[mask], self.iou[mask], self.height_iou[mask])


# A box is a row: one small matrix product is the fastest conversion.
_TO_CENTRES = np.array([[0.5, 0, -1, 0], [0, 0.5, 0, -1], [0.5, 0, 1, 0], [0, 0.5, 0, 1]])
_TO_CORNERS = np.array([[1, 0, 1, 0], [0, 1, 0, 1], [-0.5, 0, 0.5, 0], [0, -0.5, 0, 0.5]])


def to_centres(corners: Array) -> Array:
    """`(N, 4)` corners to `(N, 4)` centre x, centre y, width, height."""
    centres: Array = corners @ _TO_CENTRES
    return centres


def to_corners(centres: Array) -> Array:
    """`(N, 4)` centre x, centre y, width, height to `(N, 4)` corners."""
    corners: Array = centres @ _TO_CORNERS
    return corners


def overlapping_pairs(a: Array, b: Array, iou_min: float) -> Pairs:
    """All pairs of a box of `a` and a box of `b` whose IoU is at least `iou_min`.

    Two boxes of IoU t share at least t of the wider one's width. That limits the x0 of `b` for each box of `a`,
    so only neighbours along x are compared instead of all pairs.

    Args:
        a: `(N, 4)` corners.
        b: `(M, 4)` corners, sorted by x0.
        iou_min: above 0, at most 1.
    """
    if not len(a) or not len(b):
        none = np.empty(0, np.intp)
        return Pairs(none, none, np.empty(0), np.empty(0))
    left, top, right, bottom = np.ascontiguousarray(a.T)
    left_b, top_b, right_b, bottom_b = np.ascontiguousarray(b.T)
    width, width_b = right - left, right_b - left_b
    bound = iou_min * (1 - 1e-6)  # so that rounding does not exclude a pair
    share = bound * width
    first = left_b.searchsorted(left + share - np.minimum(width / bound, width_b.max()))
    counts = np.maximum(left_b.searchsorted(right - share, side="right") - first, 0)
    rows = np.arange(len(left)).repeat(counts)
    cols = np.arange(len(rows)) + (first - counts.cumsum() + counts).repeat(counts)
    high = np.minimum(bottom[rows], bottom_b[cols]) - np.maximum(top[rows], top_b[cols])
    near = np.flatnonzero(high > 0)
    rows, cols, high = rows[near], cols[near], high[near]
    wide = np.minimum(right[rows], right_b[cols]) - np.maximum(left[rows], left_b[cols])
    shared = np.maximum(wide, 0.0) * high
    height, height_b = bottom - top, bottom_b - top_b
    joint = (width * height)[rows] + (width_b * height_b)[cols] - shared
    near = np.flatnonzero((shared >= iou_min * joint) & (shared > 0))
    rows, cols, high = rows[near], cols[near], high[near]
    return Pairs(rows, cols, shared[near] / joint[near], high / (height[rows] + height_b[cols] - high))
