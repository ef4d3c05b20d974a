"""Times in an output video: which clock a container gets, and times that never go back.

Pure; used by the thread that writes the video sink.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction
from typing import Any

_MAX_TIMESCALE = 2**31 - 1  # mvhd holds 32 bits (ISO/IEC 14496-12, 8.2.2), FFmpeg takes an int
_TS_NONSTRICT = 0x20000  # AVFMT_TS_NONSTRICT: the muxer takes times that repeat
_MIN_TRACK_TIMESCALE = 10_000  # FFmpeg's mov muxer doubles a video track's clock until it reaches this


def video_time_base(kind: str, time_base: Fraction, fps: Fraction | None, *, constant: bool) -> Fraction:
    """Seconds per tick of an output video's frame times.

    Every container gets the input's clock, but AVI: it has no times, only equal steps, and an entry for each step
    without a frame. One step a frame suits a constant rate, a millisecond a variable one.

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
    """Ticks a second of an MP4's movie clock, in which the starts of its tracks are written.

    It is a common multiple of the tracks' clocks, so that no start is rounded; FFmpeg's default is a millisecond.

    Args:
        video: time base of the video track.
        others: time bases of the other tracks; they count as far as 32 bits reach.
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
    """Makes the times of one stream rise, moving as few frames by as little as that takes.

    A time that repeats or goes back a little is set one tick after the one before it. One that goes back by `jump` or
    more is a clock that started anew: it and all that follow are moved to go on after the last one.

    Args:
        jump: ticks.
        offset: ticks added to every time.
        step: by how much times rise at least; 0 lets them repeat.

    Attributes:
        offset: ticks that are added at present.
        moved: how many times were set one tick later.
        restarts: how often the clock started anew.
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
        """The time to write for the next frame.

        Args:
            ticks: its own time.
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
    """Times in the ticks of an output stream, which rise as its muxer wants them to.

    Some containers have one tick a packet, and times of an input that are rounded may fall onto the same.

    Args:
        stream: of PyAV's, in an output whose header is written.
    """

    def __init__(self, stream: Any) -> None:
        self.time_base: Fraction = stream.time_base
        self._step = 0 if stream.container.format.flags & _TS_NONSTRICT else 1
        self._last: int | None = None

    def place(self, time: Fraction) -> int:
        """The tick for the next packet, which is decoded at a time in seconds."""
        ticks = round(time / self.time_base)
        if self._last is not None:
            ticks = max(ticks, self._last + self._step)
        self._last = ticks
        return ticks
