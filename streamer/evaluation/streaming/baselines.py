"""Baselines for displayed boxes that do not look at the frames.

All of them get the same detections with the same latency (`streamer.evaluation.streaming.latency`). Pure functions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

import numpy as np

from streamer.evaluation.streaming.kalman import KalmanBoxes, match_boxes
from streamer.evaluation.streaming.latency import newest_results
from tracking.boxes import Array, to_centres, to_corners
from tracking.types import Detections, Tracker, Tracks

_MEMORY_S = 1.0


def stale(detections: Sequence[Detections], fps: Fraction, latency_s: float) -> list[Detections]:
    """The newest result without change; nothing before the first result.

    Args:
        detections: those of every frame.
        fps: frame rate.
        latency_s: latency of the detector in seconds; 0 gives each frame its own detections.

    Returns:
        The displayed boxes at the time of each frame.
    """
    results = newest_results(len(detections), fps, latency_s)
    return [detections[found] if found >= 0 else Detections.empty() for found in results]


def linear(detections: Sequence[Detections], fps: Fraction, latency_s: float) -> list[Detections]:
    """The boxes of the newest result, each moved at the speed of its centre between the last two results.

    A box that is not in the result before stays in place. Arguments and result as of `stale`.
    """
    shown, before, velocity = [], -1, np.empty((0, 2))
    for frame, found, is_new in _results(detections, fps, latency_s):
        if found < 0:
            shown.append(Detections.empty())
            continue
        if is_new:
            velocity = _velocity(detections, before, found)
            before = found
        centres = _centres(detections[found])
        centres[:, :2] += velocity * (frame - found)
        shown.append(_moved(detections[found], centres))
    return shown


def kalman(detections: Sequence[Detections], fps: Fraction, latency_s: float) -> list[Detections]:
    """The boxes of the newest result, each moved by the common Kalman filter. Arguments and result as of `stale`."""
    shown, before, filters = [], 0, KalmanBoxes(_MEMORY_S * float(fps))
    for frame, found, is_new in _results(detections, fps, latency_s):
        if found < 0:
            shown.append(Detections.empty())
            continue
        if is_new:
            filters.add(_centres(detections[found]), found - before)
            before = found
        shown.append(_moved(detections[found], filters.ahead(frame - found)))
    return shown


def forecast(detections: Sequence[Detections], fps: Fraction, latency_s: float, tracker: Tracker) -> list[Tracks]:
    """The tracks that the motion model of a new tracker predicts. Other arguments and result as of `stale`."""
    shown = []
    for frame, found, is_new in _results(detections, fps, latency_s):
        if is_new:
            tracker.update(detections[found], float(found / fps))
        shown.append(tracker.predict(float(frame / fps)) if found >= 0 else Tracks.empty())
    return shown


def _results(detections: Sequence[Detections], fps: Fraction, latency_s: float) -> Iterator[tuple[int, int, bool]]:
    """Each frame, the frame of the newest result (-1: none yet), and whether that result is new."""
    before = -1
    for frame, found in enumerate(newest_results(len(detections), fps, latency_s)):
        yield frame, found, found != before
        before = found


def _velocity(detections: Sequence[Detections], before: int, after: int) -> Array:
    """`(N, 2)` velocity of the box centres of frame `after` since frame `before`, in px per frame."""
    centres = _centres(detections[after])
    velocity = np.zeros((len(centres), 2))
    if before >= 0:
        earlier = _centres(detections[before])
        rows, cols = match_boxes(earlier, centres)
        velocity[cols] = (centres[cols] - earlier[rows])[:, :2] / (after - before)
    return velocity


def _centres(detections: Detections) -> Array:
    return to_centres(detections.boxes.astype(np.float64))


def _moved(detections: Detections, centres: Array) -> Detections:
    boxes = to_corners(centres).astype(np.float32)
    # Rounding can swap the corners of a box of width 0.
    boxes[:, 2:] = np.maximum(boxes[:, 2:], boxes[:, :2])
    return Detections(boxes, detections.scores, detections.labels)
