"""How long nothing may come from a live source until its connection is given up. Owned by the capture thread."""

from __future__ import annotations

from collections import deque

_UNKNOWN_TIMES = 7
"""So many of the usual limit before the rate is known: 35 s of 5 s, for cameras of one picture in 30 s."""
_TIMES = 3
"""So many of the longest gaps lately: two pictures in a row may be lost."""
_GAPS = 64
"""Gaps that are remembered: more than the pictures of a burst, within which gaps are short."""


class StallLimit:
    """Adapts to how often pictures come: a camera of 25 pictures a second is missed sooner than one of two a minute.

    Args:
        usual_s: of sources whose pictures come often.
        least_s: it is never shorter than this either.

    Attributes:
        limit_s: for so long nothing may come. Before the second picture, as long as the slowest camera needs.
    """

    def __init__(self, usual_s: float, least_s: float = 0.0) -> None:
        self._least_s = max(usual_s, least_s)
        self._gaps_s: deque[float] = deque(maxlen=_GAPS)
        self._last_s: float | None = None
        self.limit_s = max(least_s, _UNKNOWN_TIMES * usual_s)

    def begin(self) -> None:
        """A new connection: the time since the last picture of the one before is no gap."""
        self._last_s = None

    def came(self, arrived_s: float) -> None:
        """A picture came, at this time of the monotonic clock."""
        if self._last_s is not None:
            self._gaps_s.append(arrived_s - self._last_s)
            self.limit_s = max(self._least_s, _TIMES * max(self._gaps_s))
        self._last_s = arrived_s
