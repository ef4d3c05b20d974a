"""Stability of displayed boxes without ground truth: jumps when detections arrive, and broken ids.

Used by the thread that iterates the pipeline.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np

from streamer.evaluation.id_breaks import IdBreaks, TrackLifetimes
from streamer.flow.observers import RunObserver
from streamer.interfaces import Scene
from streamer.values.states import FrameState
from tracking.boxes import Array
from tracking.types import BoolArray, Origin, Tracks

# Media times and ages are rounded. A new result moves the time of the last detection by at least one frame.
_ROUNDING_S = 1e-3


@dataclass(frozen=True, slots=True)
class Steps:
    """Steps of boxes from one displayed frame to the next.

    Attributes:
        count: number of steps: pairs of boxes of one id on successive frames.
        iou_p50, iou_p5: overlap of the pair.
        shift_p50, shift_p95: distance of the centres divided by the size of the box (the root of its area). The real
            motion of the object is included.
        deviation_p50, deviation_p95: deviation from constant velocity: distance of the centre from where it would be if
            it had moved on as between the two boxes before, divided likewise. 0 for constant velocity, and if there is
            no step with two boxes before it.
    """

    count: int
    iou_p50: float
    iou_p5: float
    shift_p50: float
    shift_p95: float
    deviation_p50: float
    deviation_p95: float


@dataclass(frozen=True, slots=True)
class SteadinessReport:
    """The result of `Steadiness`.

    Attributes:
        frames: number of displayed frames.
        duration_s: media time from the first to the last frame.
        landed: steps to a box of a new detection.
        between: all other steps.
        ids: broken ids.
    """

    frames: int
    duration_s: float
    landed: Steps
    between: Steps
    ids: IdBreaks

    def to_dict(self) -> dict[str, Any]:
        """The report as plain values, ready for JSON."""
        return asdict(self)


class Steadiness(RunObserver):
    """Measures a run, scene by scene."""

    def __init__(self) -> None:
        self._before: list[_Shown] = []  # the last two scenes of the current segment
        self._steps: list[_Step] = []
        self._lifetimes = TrackLifetimes()
        self._frames = 0
        self._duration_s = 0.0

    def scene_shown(self, scene: Scene) -> None:
        shown = _Shown(scene.frame.time_s, scene.frame.segment, scene.tracks, scene.state is FrameState.INTERPOLATED)
        if self._before and (self._before[-1].segment != shown.segment or shown.time_s <= self._before[-1].time_s):
            self._before.clear()
        if self._before:
            self._duration_s += shown.time_s - self._before[-1].time_s
            self._steps.append(_step(self._before, shown))
        self._before = [*self._before[-1:], shown]
        self._lifetimes.add(scene.tracks, shown.time_s, shown.segment, (scene.frame.width, scene.frame.height))
        self._frames += 1

    def report(self) -> SteadinessReport:
        """The result for the scenes so far."""
        landed = np.concatenate([np.empty(0, np.bool_), *(step.landed for step in self._steps)])
        figures = np.concatenate([np.empty((0, 3)), *(step.figures for step in self._steps)])
        return SteadinessReport(
            self._frames, self._duration_s, _steps(figures[landed]), _steps(figures[~landed]), self._lifetimes.breaks()
        )


class _Shown(NamedTuple):
    time_s: float
    segment: int
    tracks: Tracks
    between: bool  # between two detections: no detection arrived with it


class _Step(NamedTuple):
    """The steps of the ids that two successive frames have in common.

    Attributes:
        landed: bool `(N,)`.
        figures: `(N, 3)` IoU, shift, deviation. Deviation is NaN for an id that the frame before the two does not have.
    """

    landed: BoolArray
    figures: Array


def _step(before: Sequence[_Shown], now: _Shown) -> _Step:
    last = before[-1]
    _, rows_last, rows_now = np.intersect1d(last.tracks.ids, now.tracks.ids, return_indices=True)
    one, other = last.tracks.select(rows_last), now.tracks.select(rows_now)
    boxes, boxes_now = one.boxes.astype(np.float64), other.boxes.astype(np.float64)
    size = np.sqrt(np.maximum(_area(boxes), 1.0))
    centre, centre_now = _centre(boxes), _centre(boxes_now)
    expected = np.full_like(centre, np.nan)
    if len(before) > 1:
        first = before[-2]
        _, rows_first, rows = np.intersect1d(first.tracks.ids, one.ids, return_indices=True)
        ratio = (now.time_s - last.time_s) / (last.time_s - first.time_s)
        earlier = _centre(first.tracks.boxes[rows_first].astype(np.float64))
        expected[rows] = centre[rows] + ratio * (centre[rows] - earlier)
    shift, deviation = (np.linalg.norm(centre_now - start, axis=1) / size for start in (centre, expected))
    landed = np.zeros(len(one), np.bool_) if now.between else _landed(one, last.time_s, other, now.time_s)
    return _Step(landed, np.column_stack([_iou(boxes, boxes_now), shift, deviation]))


def _landed(before: Tracks, before_s: float, now: Tracks, now_s: float) -> BoolArray:
    """Which boxes come from a newer detection than the box before."""
    newer = (now_s - now.unseen_s) - (before_s - before.unseen_s) > _ROUNDING_S
    landed: BoolArray = (now.origin == Origin.DETECTED) | ((now.origin == Origin.PREDICTED) & newer)
    return landed


def _steps(figures: Array) -> Steps:
    if not len(figures):
        return Steps(0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0)
    iou, shift, deviation = figures.T
    known = deviation[~np.isnan(deviation)]
    percentiles = [*_percentiles(iou, 50, 5), *_percentiles(shift, 50, 95), *_percentiles(known, 50, 95)]
    return Steps(len(figures), *percentiles)


def _percentiles(values: Array, *percents: float) -> list[float]:
    return [float(np.percentile(values, each)) if len(values) else 0.0 for each in percents]


def _centre(boxes: Array) -> Array:
    return (boxes[:, :2] + boxes[:, 2:]) / 2


def _area(boxes: Array) -> Array:
    sides = np.maximum(boxes[:, 2:] - boxes[:, :2], 0.0)
    area: Array = sides.prod(axis=1)
    return area


def _iou(a: Array, b: Array) -> Array:
    """`(N,)` IoU of corresponding boxes."""
    shared = _area(np.concatenate([np.maximum(a[:, :2], b[:, :2]), np.minimum(a[:, 2:], b[:, 2:])], axis=1))
    overlap: Array = shared / np.maximum(_area(a) + _area(b) - shared, 1e-9)
    return overlap
