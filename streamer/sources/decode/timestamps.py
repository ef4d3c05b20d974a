"""Presentation times for pictures that came without one.

AVI, MPEG program streams and raw elementary streams do not time every picture. Owned by the thread that decodes.
"""

from __future__ import annotations

_SHORTEST, _LONGEST = 4, 64
"""A duration is believed from a quarter of a step to 64 steps."""
_LEAP = 1500
"""Steps (a minute at 25 fps) from which on a jump is a broken time stamp, not a hole."""


class TimestampFiller:
    """Gives every picture of one stream a presentation time; one that it has already is never changed.

    Where the container gives none, the decoding time of the picture stands in, as in FFmpeg's `best_effort_timestamp`
    (libavcodec/decode.c, `guess_correct_pts`). With B-frames that runs ahead by the decoder's delay, so a stream that
    starts without presentation times is moved back to where its first packet starts. Where there is no decoding time
    either (raw H.264), a picture follows the one before it. Durations count only where they make sense: where a stream
    tells no rate, FFmpeg's parsers make them a tick.

    Attributes:
        end: ticks at which the last picture ends.

    Args:
        step: ticks between pictures where nothing tells, from the stream's frame rate; at least 1.
    """

    def __init__(self, step: int) -> None:
        self.step = max(step, 1)
        self.end = 0
        self._delay: int | None = None
        self._last: int | None = None
        self._regular = self._irregular = self._holes = 0

    def of(self, pts: int | None, dts: int | None, duration: int, first_packet_dts: int | None) -> int:
        """The presentation time of the next picture, in ticks of the stream's time base.

        Args:
            pts: what the decoder gave.
            dts: decoding time of the packet that made the decoder give this picture.
            duration: of this picture in ticks, 0 where unknown.
            first_packet_dts: decoding time of the stream's first packet.
        """
        if self._delay is None:
            self._delay = 0
            if pts is None and dts is not None and first_packet_dts is not None:
                self._delay = max(dts - first_packet_dts, 0)
        if pts is None:
            pts = self.end if dts is None else dts - self._delay
            if self._last is not None and pts <= self._last:  # fields, or pictures that are shown twice
                pts = max(self.end, self._last + 1)
        self.end = pts + (duration if self._sensible(duration) else self.step)
        self._compare(pts)
        return pts

    def _sensible(self, duration: int) -> bool:
        return self.step <= _SHORTEST * duration and duration <= _LONGEST * self.step

    @property
    def holes(self) -> int:
        """How many pictures are missing in between, if the stream is of constant rate; 0 if it is not."""
        return max(self._holes, 0) if self._regular >= 9 * self._irregular else 0

    def _compare(self, pts: int) -> None:
        if self._last is not None:
            steps = (pts - self._last) / self.step
            if abs(steps) < _LEAP:
                self._holes += round(steps) - 1
            if 0.75 <= steps <= 1.25:
                self._regular += 1
            else:
                self._irregular += 1
        self._last = pts
