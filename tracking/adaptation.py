"""What a tracker learns of the detector that feeds it, so that its settings need not name a detector.

An instance belongs to one tracker.
"""

from __future__ import annotations

import math

import numpy as np

from tracking.boxes import Array, Flags

# The scores of about the last ten seconds count, and the last twenty misses.
_SCORES_FADE_S = 10.0
_MISSES = 20.0
_SCORE_BINS = 100


class Adaptation:
    """How high the detector scores as a rule, and whether objects that it misses tend to come back.

    Score scales differ: one network gives 0.99 to whatever it finds, another never more than 0.6. And a missing
    detection means an object that has left the picture with one detector, and mere flicker with another.
    """

    def __init__(self) -> None:
        self._scores = self._score_sum = 0.0
        # As if one object had come back and one had not, before anything is known.
        self._came_back = self._left = 1.0

    def take_scores(self, scores: Array, elapsed_s: float) -> None:
        """Take in the scores `(N,)` of a frame that came `elapsed_s` seconds after the one before."""
        fade = math.exp(-elapsed_s / _SCORES_FADE_S)
        self._scores = self._scores * fade + len(scores)
        self._score_sum = self._score_sum * fade + float(scores.sum())

    def are_weak(self, scores: Array, ratio: float) -> Flags:
        """Which of the scores are below `ratio` times the usual one."""
        usual = self._score_sum / self._scores if self._scores > 0 else 0.0
        weak: Flags = scores < ratio * usual
        return weak

    def take_misses(self, came_back: int, left: int) -> None:
        """Take in how many missed objects were found again, and how many were missed for too long, since last time."""
        self._came_back += came_back
        self._left += left
        fade = min(1.0, _MISSES / (self._came_back + self._left))
        self._came_back *= fade
        self._left *= fade

    @property
    def misses_are_flicker(self) -> bool:
        """Whether a missed object is rather still there than gone."""
        return self._came_back >= self._left


class MedianScore:
    """The score that is usual for what the detector is sure of: the median in which each score counts by itself.

    A crowd of doubtful detections moves it less than it moves the mean. Scores are counted in bins of 0.01.
    """

    def __init__(self) -> None:
        self._weights = np.zeros(_SCORE_BINS)

    def take(self, scores: Array, elapsed_s: float) -> None:
        """Take in the scores `(N,)` of a frame that came `elapsed_s` seconds after the one before."""
        bins = np.clip((scores * _SCORE_BINS).astype(np.intp), 0, _SCORE_BINS - 1)
        self._weights *= math.exp(-elapsed_s / _SCORES_FADE_S)
        self._weights += np.bincount(bins, np.maximum(scores, 0.0), _SCORE_BINS)

    def times(self, ratio: float) -> float:
        """`ratio` times the usual score; 0 before any score is known."""
        sums = self._weights.cumsum()
        if sums[-1] <= 0:
            return 0.0
        return ratio * (float(sums.searchsorted(sums[-1] / 2)) + 0.5) / _SCORE_BINS
