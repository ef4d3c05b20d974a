"""Time bases of an output, and monotonic time stamps. Pure; used by the thread that writes the sink."""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction
from typing import Any

_MAX_TIMESCALE = 2**31 - 1  # mvhd holds 32 bits (ISO/IEC 14496-12, 8.2.2), FFmpeg takes an int
_TS_NONSTRICT = 0x20000  # AVFMT_TS_NONSTRICT: the muxer accepts equal times
_MIN_TRACK_TIMESCALE = 10_000  # FFmpeg's mov muxer doubles a video track's time scale up to this


def video_time_base(kind: str, time_base: Fraction, fps: Fraction | None, *, constant: bool) -> Fraction:
    """Seconds per tick of an output video's frame times.

    Containers get the input's time base, except AVI: it has no times, only equal steps, with an entry for each step
    without a frame. A step is one frame for a constant rate, a millisecond for a variable rate.

    Args:
        kind: FFmpeg's name of the container.
        time_base: of the input's frames.
        fps: average frame rate, None where unknown.
        constant: whether the input's rate is constant.
    """
    if kind != "avi":
        return time_base
    return 1 / fps if constant and fps else Fraction(1, 1000)


def movie_timescale(video: Fraction, others: Iterable[Fraction]) -> int:
    """Ticks per second of an MP4's movie header, which is the unit of the tracks' start times.

    It is a common multiple of the tracks' time scales, so that no start is rounded; FFmpeg's default is 1000.

    Args:
        video: time base of the video track.
        others: time bases of the other tracks, included as far as 32 bits suffice.
    """
    scale = video.denominator
    while scale < _MIN_TRACK_TIMESCALE:
        scale *= 2
    for other in others:
        common = math.lcm(scale, other.denominator)
        if common <= _MAX_TIMESCALE:
            scale = common
    return scale


class Timeline:
    """Makes the times of one stream increase, with the smallest changes.

    A time that repeats or goes back a little is set one step after the one before it. A time that goes back by `jump`
    or more means that the clock restarted: it and all later times are shifted to continue after the last one.

    Args:
        jump: ticks.
        offset: ticks added to every time.
        step: the smallest increase; 0 permits equal times.

    Attributes:
        offset: ticks that are added now.
        moved: how many times were set one step after the one before.
        restarts: how often the clock restarted.
    """

    def __init__(self, jump: int, offset: int = 0, step: int = 1) -> None:
        self._jump = jump
        self._least = step
        self.offset = offset
        self._last: int | None = None
        self._step = 1
        self.moved = 0
        self.restarts = 0

    def place(self, ticks: int, duration: int = 0) -> int:
        """The output time of the next frame.

        Args:
            ticks: its input time.
            duration: in ticks, 0 where unknown.
        """
        placed = ticks + self.offset
        if self._last is not None:
            if placed <= self._last - self._jump:
                self.restarts += 1
                self.offset += self._last + self._step - placed
                placed = self._last + self._step
            elif placed < self._last + self._least:
                self.moved += 1
                placed = self._last + self._least
            self._step = duration or placed - self._last
        else:
            self._step = duration or 1
        self._last = placed
        return placed


class MonotonicTicks:
    """Increasing times in the ticks of an output stream, as its muxer requires.

    Some containers have one tick per packet, so that two rounded times of an input may be equal.

    Args:
        stream: PyAV's stream of an output whose header is written.
    """

    def __init__(self, stream: Any) -> None:
        self.time_base: Fraction = stream.time_base
        self._step = 0 if stream.container.format.flags & _TS_NONSTRICT else 1
        self._last: int | None = None

    def place(self, time: Fraction) -> int:
        """The tick of the next packet, with its decoding time in seconds."""
        ticks = round(time / self.time_base)
        if self._last is not None:
            ticks = max(ticks, self._last + self._step)
        self._last = ticks
        return ticks
