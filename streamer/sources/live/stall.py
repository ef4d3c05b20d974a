"""How long a live source may send nothing before it is reconnected. Owned by the capture thread."""

from __future__ import annotations

from collections import deque

_UNKNOWN_TIMES = 7
"""Factor of the usual limit until the frame rate is known: 35 s of 5 s, for cameras that send a frame every 30 s."""
_TIMES = 3
"""Factor of the longest recent gap: two consecutive frames may be lost."""
_GAPS = 64
"""Recent gaps: more than the frames of a burst, because gaps within a burst are short."""


class StallLimit:
    """Adapts to the frame rate: a camera of 25 frames per second stalls sooner than one of two frames per minute.

    Args:
        usual_s: limit for sources with a high frame rate.
        least_s: another lower bound of the limit.

    Attributes:
        limit_s: the limit. Before the second frame, it is long enough for the slowest camera.
    """

    def __init__(self, usual_s: float, least_s: float = 0.0) -> None:
        self._least_s = max(usual_s, least_s)
        self._gaps_s: deque[float] = deque(maxlen=_GAPS)
        self._last_s: float | None = None
        self.limit_s = max(least_s, _UNKNOWN_TIMES * usual_s)

    def begin(self) -> None:
        """Start a new connection: the time since the last frame of the previous connection is no gap."""
        self._last_s = None

    def add_frame(self, arrived_s: float) -> None:
        """Note a frame and its time of arrival on the monotonic clock."""
        if self._last_s is not None:
            self._gaps_s.append(arrived_s - self._last_s)
            self.limit_s = max(self._least_s, _TIMES * max(self._gaps_s))
        self._last_s = arrived_s
