"""How far velocities can be trusted, learned from later detections. An instance belongs to one tracker.

With a slow detector, boxes are displayed long after they were detected. Whether it is better to move them or to leave
them depends on the scene: so several experts predict, each with more doubt in velocities than the previous one, and
the expert with the best recent predictions is used (Cesa-Bianchi and Lugosi, "Prediction, Learning, and Games", 2006,
chapter 2).
"""

from __future__ import annotations

import math

import numpy as np

from tracking.boxes import Array, Indices, overlapping_pairs, to_corners
from tracking.motion import MovingBoxes

_DOUBTS = (0.0, 0.1, 0.3, 1.0, 3.0, math.inf)
_USUAL, _REST = 2, 5
# The prior, in boxes, for the usual expert, or for rest if updates are rare.
_PRIOR = 2.0
_NEAR_S, _FAR_S = 0.5, 1.0
# A guess with this overlap with a detection is wrong, and right.
_WRONG_IOU, _RIGHT_IOU = 0.3, 0.7
# The number of recent guesses that count, the most boxes of each update, and their greatest age.
_GUESSES = 200.0
_MOST_BOXES = 100
_OLDEST_S = 5.0


class VelocityTrust:
    """The doubt, for `MovingBoxes.expect`, with the best recent predictions."""

    def __init__(self) -> None:
        self._right = np.zeros(len(_DOUBTS))
        self._before: list[tuple[float, MovingBoxes]] = []  # of the last two updates, the newer first
        self._interval_s = 0.0

    @property
    def doubt(self) -> float:
        """0 = none, inf = all boxes rest."""
        far = min(max((self._interval_s - _NEAR_S) / (_FAR_S - _NEAR_S), 0.0), 1.0)
        right = self._right.copy()
        right[_USUAL] += _PRIOR * (1 - far)
        right[_REST] += _PRIOR * far
        return _DOUBTS[int(right.argmax())]

    def score_guesses(self, seen: Array, time_s: float) -> None:
        """Compare the experts with the detections `(M, 4)`, x0, y0, x1, y1, rising by x0, of the frame at `time_s`.

        A box is displayed until the next result arrives, which is equally late. So the guesses of the last two updates
        count.
        """
        guessed = [
            (time_s - then_s, boxes)
            for then_s, boxes in self._before
            if len(boxes.state) and 0 < time_s - then_s <= _OLDEST_S
        ]
        if not guessed or not len(seen):
            return
        self._interval_s = guessed[0][0]
        self._right *= math.exp(-sum(len(boxes.state) for _, boxes in guessed) / _GUESSES)
        for elapsed_s, boxes in guessed:
            guesses = [to_corners(boxes.expect(elapsed_s, doubt)) for doubt in _DOUBTS]
            self._right += _found_again(np.concatenate(guesses), seen).reshape(len(_DOUBTS), -1).sum(axis=1)

    def remember(self, boxes: MovingBoxes, rows: Indices, time_s: float) -> None:
        """Keep the displayed boxes of an update for later comparison."""
        self._before = [(time_s, boxes.copy_of(rows[:_MOST_BOXES])), *self._before[:1]]


def _found_again(guesses: Array, seen: Array) -> Array:
    """How well each guess matches a detection, `(N,)`, 0 to 1."""
    pairs = overlapping_pairs(guesses, seen, _WRONG_IOU)
    best = np.zeros(len(guesses))
    np.maximum.at(best, pairs.rows, pairs.iou)
    return np.clip((best - _WRONG_IOU) / (_RIGHT_IOU - _WRONG_IOU), 0.0, 1.0)
