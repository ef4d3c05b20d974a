"""The Kalman filter of common trackers, as a baseline that predicts boxes.

The velocity of centre x, y, width and height is constant; the noise per video frame is proportional to the height of
the box, as in Wojke, Bewley and Paulus, "Simple Online and Realtime Tracking with a Deep Association Metric", 2017,
arXiv:1703.07402. ByteTrack and BoT-SORT use the same filter. `tracking` has a filter of its own, which is compared with
this one.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment

from tracking.boxes import Array, Flags, Indices
from tracking.matching import others

_POSITION, _VELOCITY = 1 / 20, 1 / 160
_FIRST_POSITION, _FIRST_VELOCITY = 2 * _POSITION, 10 * _VELOCITY
# Boxes whose distance is larger than their size, or that differ as much in height, are different objects.
_FURTHEST = 1.0


def match_boxes(expected: Array, seen: Array) -> tuple[Indices, Indices]:
    """The rows of matching boxes in two sets, by the least distance of centres and heights.

    Overlap is no criterion here: between two results of a slow detector a small object leaves its own box.

    Args:
        expected, seen: `(N, 4)` and `(M, 4)`, centre x, y, width, height in pixels.
    """
    size, size_seen = (np.sqrt(np.maximum(boxes[:, 2] * boxes[:, 3], 1.0)) for boxes in (expected, seen))
    apart = np.linalg.norm(expected[:, None, :2] - seen[None, :, :2], axis=2)
    heights, heights_seen = (np.log(np.maximum(boxes[:, 3], 1.0)) for boxes in (expected, seen))
    distance = 2 * apart / (size[:, None] + size_seen) + np.abs(heights[:, None] - heights_seen)
    nearness = np.maximum(_FURTHEST - distance, 0.0)
    rows, cols = linear_sum_assignment(nearness, maximize=True)
    together = nearness[rows, cols] > 0
    return rows[together], cols[together]


class KalmanBoxes:
    """The filters of the boxes of all results.

    Args:
        memory_frames: a box that is not detected for this number of video frames is deleted.
    """

    def __init__(self, memory_frames: float) -> None:
        self._memory_frames = memory_frames
        self._state = self._velocity = np.empty((0, 4))
        # Variance of the state, covariance of state and velocity, variance of the velocity.
        self._variances = np.empty((3, 0, 4))
        self._unseen_frames = np.empty(0)
        self._newest: Indices = np.empty(0, np.intp)

    def add(self, centres: Array, elapsed_frames: int) -> None:
        """Add a result.

        Args:
            centres: `(N, 4)` centre x, y, width, height.
            elapsed_frames: number of video frames since the previous result.
        """
        for _ in range(elapsed_frames):
            self._advance()
        self._keep(self._unseen_frames <= self._memory_frames)
        rows, cols = match_boxes(self._state, centres)
        new = others(len(centres), cols)
        self._newest = np.empty(len(centres), np.intp)
        self._newest[cols] = rows
        self._newest[new] = len(self._state) + np.arange(len(new))
        self._correct(rows, centres[cols])
        self._begin(centres[new])

    def ahead(self, frames: int) -> Array:
        """`(N, 4)` predicted boxes of the newest result, in its order, this number of frames later."""
        ahead: Array = self._state[self._newest] + frames * self._velocity[self._newest]
        ahead[:, 2:] = np.maximum(ahead[:, 2:], 0.0)
        return ahead

    def _advance(self) -> None:
        height = self._height()
        variance, covariance, velocity_variance = self._variances
        self._variances = np.stack(
            [
                variance + 2 * covariance + velocity_variance + (_POSITION * height) ** 2,
                covariance + velocity_variance,
                velocity_variance + (_VELOCITY * height) ** 2,
            ]
        )
        self._state = self._state + self._velocity
        self._unseen_frames = self._unseen_frames + 1

    def _correct(self, rows: Indices, observed: Array) -> None:
        variance, covariance, velocity_variance = self._variances[:, rows]
        total = variance + (_POSITION * self._height()[rows]) ** 2
        residual = observed - self._state[rows]
        self._state[rows] += variance / total * residual
        self._velocity[rows] += covariance / total * residual
        share = 1 - variance / total
        self._variances[:, rows] = np.stack(
            [variance * share, covariance * share, velocity_variance - covariance**2 / total]
        )
        self._unseen_frames[rows] = 0

    def _begin(self, observed: Array) -> None:
        zero = np.zeros_like(observed)
        first = np.stack([zero + _FIRST_POSITION**2, zero, zero + _FIRST_VELOCITY**2]) * observed[:, 3:] ** 2
        self._state = np.concatenate([self._state, observed])
        self._velocity = np.concatenate([self._velocity, zero])
        self._variances = np.concatenate([self._variances, first], axis=1)
        self._unseen_frames = np.concatenate([self._unseen_frames, np.zeros(len(observed))])

    def _keep(self, kept: Flags) -> None:
        self._state, self._velocity = self._state[kept], self._velocity[kept]
        self._variances, self._unseen_frames = self._variances[:, kept], self._unseen_frames[kept]

    def _height(self) -> Array:
        height: Array = np.maximum(self._state[:, 3:], 1.0)
        return height
