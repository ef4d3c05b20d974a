"""Media time that never goes back, whatever a camera's clock does. Owned by the thread that hands frames on.

A camera's time stamps are better than the time of arrival, which has the network's jitter, as long as they make sense.
Where they jump, repeat, go back, are missing, or begin anew after a reconnect, the time of arrival stands in.
"""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

TIME_BASE = Fraction(1, 90000)
"""RTP's clock for video (RFC 3551, section 5), whatever the input's own is: that may change with a reconnect."""
AHEAD_S = 1.5
"""How far media time may run ahead of arrival: as long as a burst of pictures. A longer step forwards is a jump of the
camera's clock."""
BEHIND_S = 10.0
"""How far it may fall behind: pictures held up on the way come late by that and then in a burst."""

_AHEAD_INTERVALS = 3
"""The same in pictures of a slow camera: those that came while it was opened are read at once."""
_NOT_LATER = 1.9
"""A picture that comes later than so many intervals is not the next one."""


class MediaClock:
    """Turns a sender's time stamps and times of arrival into strictly rising ticks of `TIME_BASE`, from 0.

    Args:
        interval_s: from one picture to the next as the sender tells, None where it does not. FFmpeg loses the time
            stamp of the first picture of an RTSP session; the second one is placed by it, because in a burst both
            arrive at once.
    """

    def __init__(self, interval_s: float | None = None) -> None:
        self._interval_s = interval_s
        self._ahead_s = max(AHEAD_S, _AHEAD_INTERVALS * (interval_s or 0.0))
        self._first: bool | None = None  # whether the last picture was the first of a connection, and had no time stamp
        self.repairs = 0
        """Pictures whose own time stamp could not be used."""
        self._last: int | None = None
        self._last_arrived_s = 0.0
        self._behind_s = 0.0  # of arrival, counted from the first picture
        self._rest = 0.0  # of a tick, that rounding has left over: it would add up
        self._anchor: _Anchor | None = None  # the last picture whose time stamp made sense

    def restart(self) -> None:
        """A new connection: its time stamps have nothing to do with those before."""
        self._anchor = None
        self._first = None

    def stamp(self, pts: int | None, time_base: Fraction, arrived_s: float) -> int:
        """Media time of the next picture in ticks of `TIME_BASE`.

        A picture without a time stamp of its own, as it comes out of a read that was held up, moves nothing behind it.

        Args:
            pts: as the sender gave it, None where it gave none.
            time_base: seconds per tick of `pts`.
            arrived_s: monotonic clock; not before that of the picture before.
        """
        raw_s = None if pts is None else pts * time_base
        if self._last is None:
            self._last, exact = 0, 0.0
        else:
            exact = self._second(raw_s, arrived_s) or self._exact(raw_s, arrived_s)
            self._last = max(round(exact), self._last + 1)
        self._rest = exact - self._last
        self._first = self._first is None and raw_s is None
        if raw_s is not None:
            self._anchor = _Anchor(raw_s, exact, arrived_s, self._behind_s)
        self._last_arrived_s = arrived_s
        return self._last

    def _second(self, raw_s: Fraction | None, arrived_s: float) -> float | None:
        """Ticks of a second picture behind a first one without a time stamp; None for any other."""
        elapsed_s = max(arrived_s - self._last_arrived_s, 0.0)
        if not self._first or raw_s is None or not self._interval_s or elapsed_s > _NOT_LATER * self._interval_s:
            return None
        assert self._last is not None
        self._behind_s += elapsed_s - self._interval_s
        return self._last + self._rest + self._interval_s / float(TIME_BASE)

    def _exact(self, raw_s: Fraction | None, arrived_s: float) -> float:
        """Ticks, before they are rounded and made to rise."""
        anchor, elapsed_s = self._anchor, max(arrived_s - self._last_arrived_s, 0.0)
        if raw_s is not None and anchor is not None:
            step_s = raw_s - anchor.raw_s
            behind_s = anchor.behind_s + max(arrived_s - anchor.arrived_s, 0.0) - float(step_s)
            if step_s > 0 and -self._ahead_s <= behind_s <= BEHIND_S:
                self._behind_s = behind_s
                return anchor.ticks + float(step_s / TIME_BASE)
        if anchor is not None:
            self.repairs += 1
        # What media time is off is made up for by half a step at most: no jump to be seen, and never off by more.
        made_up_s = min(max(self._behind_s, -elapsed_s / 2), elapsed_s / 2)
        self._behind_s -= made_up_s
        assert self._last is not None
        return self._last + self._rest + (elapsed_s + made_up_s) / float(TIME_BASE)


class _Anchor(NamedTuple):
    """A picture by whose time stamp others are placed."""

    raw_s: Fraction
    ticks: float  # of media time, before rounding
    arrived_s: float
    behind_s: float
