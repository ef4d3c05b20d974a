"""Which detection belongs to which track, by overlap. Pure functions."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tracking.assignment import assign
from tracking.boxes import Array, Indices, overlapping_pairs, to_centres, to_corners
from tracking.types import Detections, IntArray

_LEAST_WEIGHT = 1e-3
# So many boxes must have moved before what they have in common is taken for the camera's motion.
_CAMERA_BOXES = 5
# A shift below this fraction of the boxes' mean size is noise.
_CAMERA_SHIFT = 0.01


class Seen(NamedTuple):
    """The detections of a frame in an order of their own (from left to right): the detector's order must not matter."""

    boxes: Array
    centres: Array
    scores: Array
    labels: IntArray

    @classmethod
    def of(cls, detections: Detections) -> Seen:
        x0, y0, x1, y1 = detections.boxes.T
        order = np.argsort(x0)
        in_order = x0[order]
        if (in_order[1:] == in_order[:-1]).any():
            order = np.lexsort((detections.labels, detections.scores, y1, x1, y0, x0))
        boxes = detections.boxes.take(order, axis=0).astype(np.float64)
        scores = detections.scores[order].astype(np.float64)
        return cls(boxes, to_centres(boxes), scores, detections.labels[order])


class Match(NamedTuple):
    """What `match` found.

    Attributes:
        rows: of the tracks that were found.
        cols: of the detection of each.
        missed_at_first: rows of the tracks that were not found where they were expected, rising.
        camera_shift: `(2,)`, x and y in pixels: how far all boxes are off together.
    """

    rows: Indices
    cols: Indices
    missed_at_first: Indices
    camera_shift: Array


def match(state: Array, labels: IntArray | None, seen: Seen, *, handicaps: Array, iou_min: float) -> Match:
    """Assign detections to tracks.

    Args:
        state: `(N, 4)` centre x, centre y, width, height: where each track is expected.
        labels: `(N,)`, None if a track takes detections of any label.
        seen: the detections.
        handicaps: `(M,)` of each detection, in units of overlap: it yields to others that overlap that much less.
        iou_min: the least overlap, above 0, at most 1.
    """
    rows, cols = _assign(to_corners(state), labels, seen.boxes, seen.labels, handicaps, iou_min)
    still = Match(rows, cols, np.empty(0, np.intp), np.zeros(2))
    if len(rows) < _CAMERA_BOXES or len(rows) == len(state):
        return still
    # What all boxes have in common is the camera's motion: the rest are looked for where it has moved them to.
    offsets = seen.centres.take(cols, axis=0) - state.take(rows, axis=0)
    shift = np.sort(offsets[:, :2], axis=0)[len(rows) // 2]
    if max(abs(shift)) < _CAMERA_SHIFT * state[:, 2:].mean():
        return still
    missed, left = others(len(state), rows), others(len(seen.scores), cols)
    moved = state[missed]
    moved[:, :2] += shift
    more_rows, more_cols = _assign(
        to_corners(moved),
        None if labels is None else labels[missed],
        seen.boxes[left],
        seen.labels[left],
        handicaps[left],
        iou_min,
    )
    return Match(np.concatenate([rows, missed[more_rows]]), np.concatenate([cols, left[more_cols]]), missed, shift)


def _assign(
    expected: Array,
    expected_labels: IntArray | None,
    boxes: Array,
    labels: IntArray,
    handicaps: Array,
    iou_min: float,
) -> tuple[Indices, Indices]:
    """The best assignment between expected boxes and boxes seen (sorted by x0); rows of both."""
    pairs = overlapping_pairs(expected, boxes, iou_min)
    if expected_labels is not None:
        same = expected_labels[pairs.rows] == labels[pairs.cols]
        if not same.all():
            pairs = pairs.select(same)
    # Upright objects on one ground keep their top and bottom when they pass each other, while their widths mix.
    weights = pairs.iou * np.sqrt(pairs.height_iou) - handicaps[pairs.cols]
    return assign(pairs.rows, pairs.cols, np.maximum(weights, _LEAST_WEIGHT))


def others(count: int, rows: Indices) -> Indices:
    """Those of 0..count-1 that are not in `rows`, rising."""
    other = np.ones(count, np.bool_)
    other[rows] = False
    return np.flatnonzero(other)
