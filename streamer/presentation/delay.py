"""How long the `delayed` overlay holds a frame back, from measured waits for detections.

The delay is the p95 of the waits and a margin. It rises at once when detections take longer. It falls when detections
have been quicker for a minute, and then gradually: the frames are played at most 5% faster, none is skipped. If the
delay has to rise again soon, the next fall takes longer, so a detector that is slow now and then gets a steady delay.
Pure, no clock: the same waits give the same delays. Owned by the display thread.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Collection

import numpy as np

log = logging.getLogger(__name__)

# The first detection of a model takes much longer than all others, and the second frame waits for it.
_IGNORED_WAITS = 2
_LEAST_WAITS = 2
_MOST_WAITS = 100
_MOST_QUICK_WAITS = 1000
_PERCENT = 95
_MARGIN = 0.1
_QUICKER = 0.8
"""The delay falls only where this share of it is enough: small changes are not worth a change of speed."""
QUICK_S = 60.0
"""How long detections must have been quicker before the delay falls."""
FALL_SPEED = 1.05
"""Playing speed while the delay falls. Changes of 5% are not noticed; audio players use the same range."""
START_SPEED = 2.0
"""Playing speed while the backlog from before the first delay shrinks: outputs would drop frames at a higher one."""


class Delay:
    """How long frames are held back, seconds. All times are on one clock that never goes back.

    Args:
        fixed_s: chosen by the user; measured if None.

    Attributes:
        chosen_s: the delay that is in use, or that it falls to; None until it has been measured.
    """

    def __init__(self, fixed_s: float | None = None) -> None:
        self.chosen_s = fixed_s
        self._fixed = fixed_s is not None
        self._waits_s: deque[float] = deque(maxlen=_MOST_WAITS)
        self._ignored = 0
        # The fall: a frame that arrives at `_fall_since_s` is held back for `_fall_from_s`, later ones for less.
        self._fall_since_s, self._fall_from_s, self._fall_rate = 0.0, 0.0, 0.0
        self._quick_since_s: float | None = None  # detections have been quicker since then, with these waits
        self._quick_waits_s: deque[float] = deque(maxlen=_MOST_QUICK_WAITS)
        self._must_be_quick_s = QUICK_S
        self._lowered_s: float | None = None

    def of(self, arrived_s: float) -> float | None:
        """The delay of a frame that arrived at this time, at most as old as the next frame to show; None if unknown."""
        if self.chosen_s is None:
            return None
        return max(self.chosen_s, self._fall_from_s - self._fall_rate * (arrived_s - self._fall_since_s))

    def add(self, wait_s: float, interval_s: float, *, now_s: float, next_s: float) -> None:
        """Measure: a frame waited for the detection after it.

        Args:
            wait_s: how long it waited.
            interval_s: time between the arrivals of two frames.
            now_s: when the detection ended.
            next_s: when the next frame to show arrived.
        """
        if self._fixed:
            return
        if self._ignored < _IGNORED_WAITS:
            self._ignored += 1
            return
        self._waits_s.append(wait_s)
        if len(self._waits_s) < _LEAST_WAITS:
            return
        usual_s = _usual_s(self._waits_s)
        needed_s = _needed_s(usual_s, interval_s)
        if self.chosen_s is None:
            self._rise(needed_s, usual_s)
            self._fall(now_s - next_s, next_s, START_SPEED)
        elif usual_s > self.chosen_s:
            if self._lowered_s is not None:  # else it rises further in the same stall
                is_soon = now_s - self._lowered_s < self._must_be_quick_s
                self._must_be_quick_s = 2 * self._must_be_quick_s if is_soon else QUICK_S
            self._rise(needed_s, usual_s)
        elif needed_s < _QUICKER * self.chosen_s:
            self._quick_waits_s.append(wait_s)
            if self._quick_since_s is None:
                self._quick_since_s = now_s
            elif now_s - self._quick_since_s >= self._must_be_quick_s:
                self._lower(max(needed_s, _needed_s(_usual_s(self._quick_waits_s), interval_s)), now_s, next_s)
        else:
            self._forget_quick_waits()

    def _rise(self, needed_s: float, wait_s: float) -> None:
        self.chosen_s, self._lowered_s = needed_s, None
        self._forget_quick_waits()
        log.warning(
            "frames are shown %.2f s after they arrive: they wait up to %.2f s for the next detection; "
            "the delay falls after a minute of shorter waits",
            needed_s,
            wait_s,
        )

    def _lower(self, needed_s: float, now_s: float, next_s: float) -> None:
        self._fall(self.of(next_s) or 0.0, next_s, FALL_SPEED)
        self.chosen_s, self._lowered_s = needed_s, now_s
        self._forget_quick_waits()
        log.warning("frames are shown %.2f s after they arrive from now on: waits for detections are shorter", needed_s)

    def _forget_quick_waits(self) -> None:
        self._quick_since_s = None
        self._quick_waits_s.clear()

    def _fall(self, from_s: float, since_s: float, speed: float) -> None:
        # At this speed, frames that arrive in one second are shown in 1 / speed seconds.
        self._fall_since_s, self._fall_from_s, self._fall_rate = since_s, from_s, 1 - 1 / speed


def _usual_s(waits_s: Collection[float]) -> float:
    return float(np.percentile(list(waits_s), _PERCENT, method="higher"))


def _needed_s(usual_s: float, interval_s: float) -> float:
    return usual_s * (1 + _MARGIN) + interval_s
