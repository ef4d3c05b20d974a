"""How steady boxes are, from a run alone: do they jump when detections land, do ids break.

A consumer of scenes; there is no ground truth. An instance belongs to the thread that iterates the pipeline.
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

# Media times and ages are rounded; a result that lands moves the time of the last detection by at least a frame.
_ROUNDING_S = 1e-3


@dataclass(frozen=True, slots=True)
class Steps:
    """How boxes went from one shown frame to the next.

    Attributes:
        count: pairs of a box and the one of the same id on the frame before.
        iou_p50, iou_p5: overlap of the two; 1 in 20 is below the second figure.
        shift_p50, shift_p95: distance of the centres in parts of the box's size (the root of its area); what an
            object really moves is in it.
        swerve_p50, swerve_p95: distance of the centre from where the two boxes before led it in a straight line,
            likewise; an object that moves steadily adds nothing to it. 0 where nothing is known.
    """

    count: int
    iou_p50: float
    iou_p5: float
    shift_p50: float
    shift_p95: float
    swerve_p50: float
    swerve_p95: float


@dataclass(frozen=True, slots=True)
class SteadinessReport:
    """What `Steadiness` found.

    Attributes:
        frames: that were shown.
        duration_s: media time from the first to the last one.
        landed: steps onto a box of a detection that landed then.
        between: all other steps.
        ids: how often they break.
    """

    frames: int
    duration_s: float
    landed: Steps
    between: Steps
    ids: IdBreaks

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)


class Steadiness(RunObserver):
    """Measures a run scene by scene."""

    def __init__(self) -> None:
        self._before: list[_Shown] = []  # the last scene and the one before that, of one segment
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
        self._lifetimes.take(scene.tracks, shown.time_s, shown.segment, (scene.frame.width, scene.frame.height))
        self._frames += 1

    def report(self) -> SteadinessReport:
        """What was found until now."""
        landed = np.concatenate([np.empty(0, np.bool_), *(step.landed for step in self._steps)])
        figures = np.concatenate([np.empty((0, 3)), *(step.figures for step in self._steps)])
        return SteadinessReport(
            self._frames, self._duration_s, _steps(figures[landed]), _steps(figures[~landed]), self._lifetimes.breaks()
        )


class _Shown(NamedTuple):
    time_s: float
    segment: int
    tracks: Tracks
    between: bool  # two detections: its boxes may come from the later one, but none landed with it


class _Step(NamedTuple):
    """Of the ids that two frames have in common.

    Attributes:
        landed: bool `(N,)`.
        figures: `(N, 3)` IoU, shift, swerve; the last is NaN for an id that the frame before these does not have.
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
    shift, swerve = (np.linalg.norm(centre_now - start, axis=1) / size for start in (centre, expected))
    landed = np.zeros(len(one), np.bool_) if now.between else _landed(one, last.time_s, other, now.time_s)
    return _Step(landed, np.column_stack([_iou(boxes, boxes_now), shift, swerve]))


def _landed(before: Tracks, before_s: float, now: Tracks, now_s: float) -> BoolArray:
    """Whose box comes from another detection than the one before did."""
    newer = (now_s - now.unseen_s) - (before_s - before.unseen_s) > _ROUNDING_S
    landed: BoolArray = (now.origin == Origin.DETECTED) | ((now.origin == Origin.PREDICTED) & newer)
    return landed


def _steps(figures: Array) -> Steps:
    if not len(figures):
        return Steps(0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0)
    iou, shift, swerve = figures.T
    known = swerve[~np.isnan(swerve)]
    percentiles = [*_percentiles(iou, 50, 5), *_percentiles(shift, 50, 95), *_percentiles(known, 50, 95)]
    return Steps(len(figures), *percentiles)


def _percentiles(values: Array, *wanted: float) -> list[float]:
    return [float(np.percentile(values, each)) if len(values) else 0.0 for each in wanted]


def _centre(boxes: Array) -> Array:
    return (boxes[:, :2] + boxes[:, 2:]) / 2


def _area(boxes: Array) -> Array:
    sides = np.maximum(boxes[:, 2:] - boxes[:, :2], 0.0)
    area: Array = sides.prod(axis=1)
    return area


def _iou(a: Array, b: Array) -> Array:
    """`(N,)` of corresponding boxes."""
    shared = _area(np.concatenate([np.maximum(a[:, :2], b[:, :2]), np.minimum(a[:, 2:], b[:, 2:])], axis=1))
    overlap: Array = shared / np.maximum(_area(a) + _area(b) - shared, 1e-9)
    return overlap
