"""Matches detections to tracks by overlap. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tracking.assignment import assign
from tracking.boxes import Array, Flags, Indices, Pairs, overlapping_pairs, to_centres, to_corners
from tracking.types import Detections, IntArray

_LEAST_WEIGHT = 1e-3
# The least number of matched boxes whose common shift is taken for camera motion.
_CAMERA_BOXES = 5
# A shift below this fraction of the boxes' mean size is noise.
_CAMERA_SHIFT = 0.01


class SortedDetections(NamedTuple):
    """The detections of a frame from left to right, so that the order of the detector does not matter."""

    boxes: Array
    centres: Array
    scores: Array
    labels: IntArray

    @classmethod
    def of(cls, detections: Detections) -> SortedDetections:
        x0, y0, x1, y1 = detections.boxes.T
        order = np.argsort(x0)
        in_order = x0[order]
        if (in_order[1:] == in_order[:-1]).any():
            order = np.lexsort((detections.labels, detections.scores, y1, x1, y0, x0))
        boxes = detections.boxes.take(order, axis=0).astype(np.float64)
        scores = detections.scores[order].astype(np.float64)
        return cls(boxes, to_centres(boxes), scores, detections.labels[order])


class Match(NamedTuple):
    """The result of `match`.

    Attributes:
        rows: of the matched tracks.
        cols: of the detection of each.
        missed_at_first: rows of the tracks that were not found at their expected place, rising.
        camera_shift: `(2,)`, x and y in pixels: the common offset of all boxes.
    """

    rows: Indices
    cols: Indices
    missed_at_first: Indices
    camera_shift: Array


class Stage(NamedTuple):
    """One stage of `match_in_stages`.

    Attributes:
        tracks: `(N,)`, mask of the tracks that take part.
        detections: `(M,)`, mask of the detections that take part.
        iou_min: the least overlap.
    """

    tracks: Flags
    detections: Flags
    iou_min: float


def match(state: Array, labels: IntArray | None, found: SortedDetections, *, penalties: Array, iou_min: float) -> Match:
    """Assign detections to tracks.

    Args:
        state: `(N, 4)` centre x, centre y, width, height: where each track is expected.
        labels: `(N,)` of the tracks; None if a track takes detections of any label.
        found: the detections.
        penalties: `(M,)` of each detection, in units of overlap; subtracted from its overlaps.
        iou_min: the least overlap, above 0, at most 1.
    """
    rows, cols = _assign(to_corners(state), labels, found.boxes, found.labels, penalties, iou_min)
    return _with_camera(state, labels, found, rows, cols, penalties=penalties, iou_min=iou_min)


def match_in_stages(
    state: Array, labels: IntArray | None, found: SortedDetections, stages: Sequence[Stage], margin: float = 0.0
) -> Match:
    """Assign detections to tracks in several stages; matched tracks and detections take no part in later stages.

    If the matched boxes have a common offset, a last stage matches the remaining tracks and detections at their place
    after that camera motion, with the least overlap of the last stage.

    Args:
        state: `(N, 4)` centre x, centre y, width, height: where each track is expected.
        labels: `(N,)` of the tracks; None if a track takes detections of any label.
        found: the detections.
        stages: at least one, the most certain first.
        margin: added to each side of all boxes before their overlap is computed, in units of their size (the root of
            their area).
    """
    iou_min = min(stage.iou_min for stage in stages)
    boxes = to_corners(_grown(found.centres, margin))
    order = np.argsort(boxes[:, 0], kind="stable")
    pairs, weights = _candidates(to_corners(_grown(state, margin)), labels, boxes[order], found.labels[order], iou_min)
    pairs = pairs._replace(cols=order[pairs.cols])
    rows, cols = _assign_in_stages(pairs, weights, stages)
    penalties = np.zeros(len(found.scores))
    return _with_camera(state, labels, found, rows, cols, penalties=penalties, iou_min=stages[-1].iou_min)


def _with_camera(
    state: Array,
    labels: IntArray | None,
    found: SortedDetections,
    rows: Indices,
    cols: Indices,
    *,
    penalties: Array,
    iou_min: float,
) -> Match:
    """The tracks `rows` with their detections `cols`, and the tracks that match after the camera motion is applied."""
    shift = _common_shift(state, found, rows, cols)
    if shift is None:
        return Match(rows, cols, np.empty(0, np.intp), np.zeros(2))
    # The common shift of all boxes is the camera motion: the other tracks are expected there.
    missed, left = others(len(state), rows), others(len(found.scores), cols)
    moved = state[missed]
    moved[:, :2] += shift
    more_rows, more_cols = _assign(
        to_corners(moved),
        None if labels is None else labels[missed],
        found.boxes[left],
        found.labels[left],
        penalties[left],
        iou_min,
    )
    return Match(np.concatenate([rows, missed[more_rows]]), np.concatenate([cols, left[more_cols]]), missed, shift)


def _grown(state: Array, margin: float) -> Array:
    """Boxes `(N, 4)`, centre x, centre y, width, height, with a margin in units of their size on each side."""
    grown = state.copy()
    grown[:, 2:] += 2 * margin * np.sqrt(state[:, 2] * state[:, 3])[:, None]
    return grown


def _assign_in_stages(pairs: Pairs, weights: Array, stages: Sequence[Stage]) -> tuple[Indices, Indices]:
    """The assignment of `match_in_stages` among candidate pairs; rows and columns of the chosen pairs."""
    chosen: list[tuple[Indices, Indices]] = [(np.empty(0, np.intp), np.empty(0, np.intp))]
    free_tracks, free_detections = np.ones_like(stages[0].tracks), np.ones_like(stages[0].detections)
    for stage in stages:
        tracks, detections = free_tracks & stage.tracks, free_detections & stage.detections
        near = np.flatnonzero(tracks[pairs.rows] & detections[pairs.cols] & (pairs.iou >= stage.iou_min))
        if not len(near):
            continue
        rows, cols = assign(pairs.rows[near], pairs.cols[near], np.maximum(weights[near], _LEAST_WEIGHT))
        free_tracks[rows], free_detections[cols] = False, False
        chosen.append((rows, cols))
    return np.concatenate([rows for rows, _ in chosen]), np.concatenate([cols for _, cols in chosen])


def _assign(
    expected: Array,
    expected_labels: IntArray | None,
    boxes: Array,
    labels: IntArray,
    penalties: Array,
    iou_min: float,
) -> tuple[Indices, Indices]:
    """The best assignment between expected boxes and detected boxes (sorted by x0); rows of both."""
    pairs, weights = _candidates(expected, expected_labels, boxes, labels, iou_min)
    weights = weights - penalties[pairs.cols]
    return assign(pairs.rows, pairs.cols, np.maximum(weights, _LEAST_WEIGHT))


def _candidates(
    expected: Array, expected_labels: IntArray | None, boxes: Array, labels: IntArray, iou_min: float
) -> tuple[Pairs, Array]:
    """Pairs of expected boxes and detected boxes (sorted by x0) that can belong together, and their weights."""
    pairs = overlapping_pairs(expected, boxes, iou_min)
    if expected_labels is not None:
        same = expected_labels[pairs.rows] == labels[pairs.cols]
        if not same.all():
            pairs = pairs.select(same)
    # Upright objects on the same ground keep their top and bottom when they pass each other, while their widths merge.
    return pairs, pairs.iou * np.sqrt(pairs.height_iou)


def _common_shift(state: Array, found: SortedDetections, rows: Indices, cols: Indices) -> Array | None:
    """The common offset of the detections `cols` from the tracks `rows`, `(2,)` pixels; None if it is not significant.

    It is not needed either if no track was missed.
    """
    if len(rows) < _CAMERA_BOXES or len(rows) == len(state):
        return None
    offsets = found.centres.take(cols, axis=0) - state.take(rows, axis=0)
    shift: Array = np.sort(offsets[:, :2], axis=0)[len(rows) // 2]
    return None if max(abs(shift)) < _CAMERA_SHIFT * state[:, 2:].mean() else shift


def others(count: int, rows: Indices) -> Indices:
    """The numbers of 0..count-1 that are not in `rows`, rising."""
    other = np.ones(count, np.bool_)
    other[rows] = False
    return np.flatnonzero(other)
