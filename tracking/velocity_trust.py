"""How far velocities are to be trusted, as the detections that came later tell. An instance belongs to one tracker.

With a slow detector boxes are shown long after they were found. Whether they are better moved on or left where they
were depends on who moves in the picture, and how: so some experts guess, each of which doubts velocities more than the
one before, and whoever was right most often of late is believed (Cesa-Bianchi and Lugosi, "Prediction, Learning, and
Games", 2006, chapter 2).
"""

from __future__ import annotations

import math

import numpy as np

from tracking.boxes import Array, Indices, overlapping_pairs, to_corners
from tracking.motion import MovingBoxes

_DOUBTS = (0.0, 0.1, 0.3, 1.0, 3.0, math.inf)
_USUAL, _REST = 2, 5
# So many boxes speak for the usual expert before any was seen, or for rest, where updates are rare.
_PRIOR = 2.0
_NEAR_S, _FAR_S = 0.5, 1.0
# A guess that overlaps with a detection that much is wrong, and right.
_WRONG_IOU, _RIGHT_IOU = 0.3, 0.7
# The last so many guesses count; of each update so many boxes, and what is no older than this.
_GUESSES = 200.0
_MOST_BOXES = 100
_OLDEST_S = 5.0


class VelocityTrust:
    """The doubt, for `MovingBoxes.expect`, with which boxes would have been found again most often."""

    def __init__(self) -> None:
        self._right = np.zeros(len(_DOUBTS))
        self._before: list[tuple[float, MovingBoxes]] = []  # of the last two updates, the newer first
        self._interval_s = 0.0

    @property
    def doubt(self) -> float:
        """0 = none, inf = boxes rest."""
        far = min(max((self._interval_s - _NEAR_S) / (_FAR_S - _NEAR_S), 0.0), 1.0)
        right = self._right.copy()
        right[_USUAL] += _PRIOR * (1 - far)
        right[_REST] += _PRIOR * far
        return _DOUBTS[int(right.argmax())]

    def look_back(self, seen: Array, time_s: float) -> None:
        """Ask who was right about the detections `(M, 4)`, x0, y0, x1, y1 rising by x0, of the frame at `time_s`.

        A box is on screen until the next result is there, and that one is as late: what was guessed one update ago
        counts, and two.
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
        """Keep what is shown after an update, to look back to."""
        self._before = [(time_s, boxes.copy_of(rows[:_MOST_BOXES])), *self._before[:1]]


def _found_again(guesses: Array, seen: Array) -> Array:
    """How sure each guess is where a detection is, `(N,)`, 0 to 1."""
    pairs = overlapping_pairs(guesses, seen, _WRONG_IOU)
    best = np.zeros(len(guesses))
    np.maximum.at(best, pairs.rows, pairs.iou)
    return np.clip((best - _WRONG_IOU) / (_RIGHT_IOU - _WRONG_IOU), 0.0, 1.0)
