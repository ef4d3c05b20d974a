"""What would be on screen without a look at the pictures: the marks that carried boxes are measured against.

All see the same detections with the same latency (`streamer.evaluation.streaming.latency`). Pure functions.
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
    """On screen at each frame: the newest result as it is, nothing before the first one. Latency 0: the detector's own.

    Args:
        detections: of every frame.
        fps: frames a second.
        latency_s: of the detector, seconds.
    """
    results = newest_results(len(detections), fps, latency_s)
    return [detections[found] if found >= 0 else Detections.empty() for found in results]


def linear(detections: Sequence[Detections], fps: Fraction, latency_s: float) -> list[Detections]:
    """On screen at each frame: the boxes of the newest result, each moved on as its centre did since the result before.

    A box that the result before does not have stays where it was found.

    Args: as `stale`.
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
    """On screen at each frame: the boxes of the newest result, each moved on by the usual Kalman filter.

    Args: as `stale`.
    """
    shown, before, filters = [], 0, KalmanBoxes(_MEMORY_S * float(fps))
    for frame, found, is_new in _results(detections, fps, latency_s):
        if found < 0:
            shown.append(Detections.empty())
            continue
        if is_new:
            filters.take(_centres(detections[found]), found - before)
            before = found
        shown.append(_moved(detections[found], filters.ahead(frame - found)))
    return shown


def forecast(detections: Sequence[Detections], fps: Fraction, latency_s: float, tracker: Tracker) -> list[Tracks]:
    """On screen at each frame: the tracks of a tracker as it expects them to be, from its motion model alone.

    Args: as `stale`, and
        tracker: new; takes each result as it lands.
    """
    shown = []
    for frame, found, is_new in _results(detections, fps, latency_s):
        if is_new:
            tracker.update(detections[found], float(found / fps))
        shown.append(tracker.predict(float(frame / fps)) if found >= 0 else Tracks.empty())
    return shown


def _results(detections: Sequence[Detections], fps: Fraction, latency_s: float) -> Iterator[tuple[int, int, bool]]:
    """Each frame, the frame of the newest result (-1: none yet), and whether that result is a new one."""
    before = -1
    for frame, found in enumerate(newest_results(len(detections), fps, latency_s)):
        yield frame, found, found != before
        before = found


def _velocity(detections: Sequence[Detections], before: int, after: int) -> Array:
    """`(N, 2)` px a frame of the centres of the boxes of frame `after` since frame `before`."""
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
    # Rounding may swap the corners of a box without width.
    boxes[:, 2:] = np.maximum(boxes[:, 2:], boxes[:, :2])
    return Detections(boxes, detections.scores, detections.labels)
