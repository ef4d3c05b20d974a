"""Statistics of the detector that a tracker adapts to, so that its settings are independent of the detector.

An instance belongs to one tracker.
"""

from __future__ import annotations

import math

import numpy as np

from tracking.boxes import Array, Flags

# The statistics cover the scores of about the last ten seconds and the last twenty misses.
_SCORES_FADE_S = 10.0
_MISSES = 20.0
_SCORE_BINS = 100


class Adaptation:
    """The mean score of the detector, and whether missed objects are usually found again.

    Score scales differ: one network scores everything at 0.99, another never above 0.6. And with one detector a missing
    detection means that the object has left, with another it is only flicker.
    """

    def __init__(self) -> None:
        self._scores = self._score_sum = 0.0
        # The prior is one object that was found again and one that was not.
        self._came_back = self._left = 1.0

    def take_scores(self, scores: Array, elapsed_s: float) -> None:
        """Add the scores `(N,)` of a frame that is `elapsed_s` seconds after the previous one."""
        fade = math.exp(-elapsed_s / _SCORES_FADE_S)
        self._scores = self._scores * fade + len(scores)
        self._score_sum = self._score_sum * fade + float(scores.sum())

    def are_weak(self, scores: Array, ratio: float) -> Flags:
        """Which of the scores are below `ratio` times the mean score."""
        mean = self._score_sum / self._scores if self._scores > 0 else 0.0
        weak: Flags = scores < ratio * mean
        return weak

    def take_misses(self, came_back: int, left: int) -> None:
        """Add how many missed objects were found again, and how many were missed for too long, since the last call."""
        self._came_back += came_back
        self._left += left
        fade = min(1.0, _MISSES / (self._came_back + self._left))
        self._came_back *= fade
        self._left *= fade

    @property
    def misses_are_flicker(self) -> bool:
        """Whether a missed object is more likely present than gone."""
        return self._came_back >= self._left


class MedianScore:
    """The usual score of certain detections: the median of the scores, each weighted by itself.

    Many uncertain detections change it less than they change the mean. Scores are counted in bins of 0.01.
    """

    def __init__(self) -> None:
        self._weights = np.zeros(_SCORE_BINS)

    def take(self, scores: Array, elapsed_s: float) -> None:
        """Add the scores `(N,)` of a frame that is `elapsed_s` seconds after the previous one."""
        bins = np.clip((scores * _SCORE_BINS).astype(np.intp), 0, _SCORE_BINS - 1)
        self._weights *= math.exp(-elapsed_s / _SCORES_FADE_S)
        self._weights += np.bincount(bins, np.maximum(scores, 0.0), _SCORE_BINS)

    def times(self, ratio: float) -> float:
        """`ratio` times the usual score; 0 before any score is known."""
        sums = self._weights.cumsum()
        if sums[-1] <= 0:
            return 0.0
        return ratio * (float(sums.searchsorted(sums[-1] / 2)) + 0.5) / _SCORE_BINS
