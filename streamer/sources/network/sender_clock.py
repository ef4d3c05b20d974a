"""The sender's wall clock for each frame, from RTCP sender reports. Owned by the thread that reads."""

from __future__ import annotations

import struct
from fractions import Fraction

from av.packet import Packet
from av.video.stream import VideoStream

_PRODUCER_REFERENCE = struct.Struct("=qii")
"""AVProducerReferenceTime (libavformat/avformat.h): wall clock in microseconds since 1970, flags."""
_MICROSECOND = 1e-6


class SenderClock:
    """Keeps the last pair of wall clock and time stamp.

    FFmpeg attaches the wall clock to packets after a sender report has arrived (RFC 3550, section 6.4.1).
    """

    def __init__(self, stream: VideoStream) -> None:
        self._time_base = stream.time_base or Fraction(1, 90000)
        self._pair: tuple[int, float] | None = None

    def take(self, packet: Packet[VideoStream]) -> None:
        """Read the clock from a packet, if it has one."""
        if packet.pts is None or not packet.has_sidedata("prft"):
            return
        data = packet.get_sidedata("prft")
        if data is not None and data.buffer_size >= _PRODUCER_REFERENCE.size:
            wall_clock_us, _, _ = _PRODUCER_REFERENCE.unpack_from(bytes(data))
            self._pair = packet.pts, wall_clock_us * _MICROSECOND

    def wall_clock_s(self, pts: int | None) -> float | None:
        """The sender's wall clock at a time stamp, seconds since 1970; None while it is unknown."""
        if pts is None or self._pair is None:
            return None
        known, wall_clock_s = self._pair
        return wall_clock_s + float((pts - known) * self._time_base)
