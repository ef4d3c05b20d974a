"""Presentation times for frames without one.

AVI, MPEG program streams and raw elementary streams do not have a time for every frame. Owned by the thread that
decodes.
"""

from __future__ import annotations

_SHORTEST, _LONGEST = 4, 64
"""A duration is accepted from a quarter of a step to 64 steps."""
_LEAP = 1500
"""From this many steps (a minute at 25 fps) a jump is a broken time stamp, not a gap."""


class TimestampFiller:
    """Gives every frame of one stream a presentation time; existing times are never changed.

    A missing time is replaced by the decoding time, as in FFmpeg's `best_effort_timestamp` (libavcodec/decode.c,
    `guess_correct_pts`). With B-frames the decoding time is ahead by the decoder's delay, so a stream that starts
    without presentation times is moved back to the start of its first packet. Without a decoding time (raw H.264) a
    frame follows the previous one. Implausible durations are ignored: FFmpeg's parsers set them to one tick if a stream
    has no rate.

    Args:
        step: default duration of a frame in ticks, from the stream's frame rate; at least 1.

    Attributes:
        end: ticks at which the last frame ends.
    """

    def __init__(self, step: int) -> None:
        self.step = max(step, 1)
        self.end = 0
        self._delay: int | None = None
        self._last: int | None = None
        self._regular = self._irregular = self._gaps = 0

    def fill(self, pts: int | None, dts: int | None, duration: int, first_packet_dts: int | None) -> int:
        """The presentation time of the next frame, in ticks of the stream's time base.

        Args:
            pts: from the decoder.
            dts: decoding time of the packet for which the decoder returned this frame.
            duration: of this frame in ticks, 0 if unknown.
            first_packet_dts: decoding time of the stream's first packet.
        """
        if self._delay is None:
            self._delay = 0
            if pts is None and dts is not None and first_packet_dts is not None:
                self._delay = max(dts - first_packet_dts, 0)
        if pts is None:
            pts = self.end if dts is None else dts - self._delay
            if self._last is not None and pts <= self._last:  # fields, or repeated frames
                pts = max(self.end, self._last + 1)
        self.end = pts + (duration if self._is_plausible(duration) else self.step)
        self._compare(pts)
        return pts

    def _is_plausible(self, duration: int) -> bool:
        return self.step <= _SHORTEST * duration and duration <= _LONGEST * self.step

    @property
    def gaps(self) -> int:
        """The number of missing frames between frames, if the rate is constant; 0 otherwise."""
        return max(self._gaps, 0) if self._regular >= 9 * self._irregular else 0

    def _compare(self, pts: int) -> None:
        if self._last is not None:
            steps = (pts - self._last) / self.step
            if abs(steps) < _LEAP:
                self._gaps += round(steps) - 1
            if 0.75 <= steps <= 1.25:
                self._regular += 1
            else:
                self._irregular += 1
        self._last = pts
