"""The score that a label shows: smoothed, so that it can be read. Pure media time; used by the label annotator."""

from __future__ import annotations

import math

# Time constant of the running mean, seconds of media time.
_SMOOTHING_S = 0.5
# The shown number changes when the running mean is as far from it.
_STEP_PERCENT = 3.0


class ShownScore:
    """The score of one track in percent: a running mean that is shown anew when it has moved by 3 points.

    Args:
        score: of the track when it appears, 0 to 1.
        now_s: media time.

    Attributes:
        percent: 0 to 100, to be shown.
    """

    __slots__ = ("_mean", "_time_s", "percent")

    def __init__(self, score: float, now_s: float) -> None:
        self._mean, self._time_s = 100 * score, now_s
        self.percent = int(self._mean + 0.5)

    def update(self, score: float, now_s: float) -> int:
        """The percent to be shown for the score at a later time."""
        elapsed_s, self._time_s = now_s - self._time_s, now_s
        self._mean += (1 - math.exp(-elapsed_s / _SMOOTHING_S)) * (100 * score - self._mean)
        if abs(self._mean - self.percent) >= _STEP_PERCENT:
            self.percent = int(self._mean + 0.5)
        return self.percent
