"""Media time that never goes back, whatever a camera's clock does. Owned by the capture thread.

A camera's time stamps are better than times of arrival, which have the network's jitter, as long as they are plausible.
Where they jump, repeat, go back, are missing, or restart after a reconnection, the time of arrival is used.
"""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

TIME_BASE = Fraction(1, 90000)
"""RTP's clock for video (RFC 3551, section 5). The input's own time base may change with a reconnection."""
AHEAD_S = 1.5
"""How far media time may be ahead of arrival: the duration of a burst. A longer forward step is a jump of the camera's
clock."""
BEHIND_S = 10.0
"""How far it may be behind: delayed frames arrive this late and then in a burst."""

_AHEAD_INTERVALS = 3
"""The same in frame intervals, for a slow camera: frames that arrived during opening are read at once."""
_NOT_LATER = 1.9
"""A frame that arrives after more intervals than this is not the next frame."""


class MediaClock:
    """Turns a sender's time stamps and times of arrival into strictly increasing ticks of `TIME_BASE`, from 0.

    Args:
        interval_s: frame interval as the sender states it; None if it does not. FFmpeg loses the time stamp of the
            first frame of an RTSP session; the second frame is placed by the interval, because in a burst both arrive
            at once.

    Attributes:
        repairs: number of frames whose own time stamp could not be used.
    """

    def __init__(self, interval_s: float | None = None) -> None:
        self._interval_s = interval_s
        self._ahead_s = max(AHEAD_S, _AHEAD_INTERVALS * (interval_s or 0.0))
        self._first: bool | None = None  # whether the last frame was the first of its connection and had no time stamp
        self.repairs = 0
        self._last: int | None = None
        self._last_arrived_s = 0.0
        self._behind_s = 0.0  # media time behind arrival, from the first frame
        self._rest = 0.0  # fraction of a tick left by rounding, which would add up
        self._anchor: _Anchor | None = None  # the last frame with a plausible time stamp

    def restart(self) -> None:
        """Start a new connection, whose time stamps are unrelated to the previous ones."""
        self._anchor = None
        self._first = None

    def stamp(self, pts: int | None, time_base: Fraction, arrived_s: float) -> int:
        """Media time of the next frame in ticks of `TIME_BASE`.

        A frame without a time stamp, as after a delayed read, does not shift later frames.

        Args:
            pts: the sender's time stamp; None if it sent none.
            time_base: seconds per tick of `pts`.
            arrived_s: monotonic clock; not earlier than that of the previous frame.
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
        """Ticks of a second frame after a first one without a time stamp; None for any other frame."""
        elapsed_s = max(arrived_s - self._last_arrived_s, 0.0)
        if not self._first or raw_s is None or not self._interval_s or elapsed_s > _NOT_LATER * self._interval_s:
            return None
        assert self._last is not None
        self._behind_s += elapsed_s - self._interval_s
        return self._last + self._rest + self._interval_s / float(TIME_BASE)

    def _exact(self, raw_s: Fraction | None, arrived_s: float) -> float:
        """Ticks before rounding, not yet strictly increasing."""
        anchor, elapsed_s = self._anchor, max(arrived_s - self._last_arrived_s, 0.0)
        if raw_s is not None and anchor is not None:
            step_s = raw_s - anchor.raw_s
            behind_s = anchor.behind_s + max(arrived_s - anchor.arrived_s, 0.0) - float(step_s)
            if step_s > 0 and -self._ahead_s <= behind_s <= BEHIND_S:
                self._behind_s = behind_s
                return anchor.ticks + float(step_s / TIME_BASE)
        if anchor is not None:
            self.repairs += 1
        # Half a step at most corrects the distance to arrival: no visible jump, and the distance never grows.
        correction_s = min(max(self._behind_s, -elapsed_s / 2), elapsed_s / 2)
        self._behind_s -= correction_s
        assert self._last is not None
        return self._last + self._rest + (elapsed_s + correction_s) / float(TIME_BASE)


class _Anchor(NamedTuple):
    """A frame by whose time stamp later frames are placed."""

    raw_s: Fraction
    ticks: float  # of media time, before rounding
    arrived_s: float
    behind_s: float
