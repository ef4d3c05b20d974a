"""The jitter buffer of a webcam's video: frames leave it at once, and late ones are dropped.

aiortc's own buffer keeps a frame until the first packet of the next one arrives, which is a frame interval later (67 ms
at 15 fps). It waits for a lost packet until 512 others are there, and its queue for the decoder has no limit. Here a
frame leaves with its last packet, and what a lost packet or a slow decoder delays is dropped, up to the next keyframe.
Web server's thread.
"""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from aiortc.jitterbuffer import JitterBuffer, JitterFrame
from aiortc.utils import uint16_add

if TYPE_CHECKING:
    from aiortc import RTCRtpReceiver
    from aiortc.rtp import RtpPacket

CAPACITY = 512
"""Packets, as in aiortc."""
MOST_UNDECODED = 4
"""Frames in the queue of the decoder. Beyond that, frames are dropped up to the next keyframe."""
LOST_S = 0.25
"""A packet that is so late is lost; a browser sends it again within a round trip."""
_REQUEST_EVERY = 15
"""While frames are dropped, a keyframe is requested once in so many, because a request may be lost."""
_ARRIVALS = 64
_CLOCK = 1 << 32
_START_CODE = b"\x00\x00\x00\x01"
_KEYFRAME_H264 = re.compile(rb"\x00\x00\x01[\x05\x25\x45\x65]")  # a NAL unit of type 5
_BUFFER, _QUEUE = "_RTCRtpReceiver__jitter_buffer", "_RTCRtpReceiver__decoder_queue"


class NewestJitterBuffer(JitterBuffer):
    """Puts the packets of frames together.

    Args:
        undecoded: how many frames wait for the decoder.

    Attributes:
        origin: RTP timestamp of the first frame, from which aiortc counts the time of decoded frames.
        dropped: frames that the decoder did not get.
    """

    def __init__(self, undecoded: Callable[[], int]) -> None:
        super().__init__(CAPACITY, is_video=True)
        self.origin = 0
        self.dropped = 0
        self._undecoded = undecoded
        self._arrivals: deque[tuple[int, float]] = deque(maxlen=_ARRIVALS)
        self._skipped = 0  # frames since the last one for the decoder
        self._blocked_s: float | None = None  # since when a packet is missing
        self._resumes = False  # after a lost packet, up to the end of a frame

    def add(self, packet: RtpPacket) -> tuple[bool, JitterFrame | None]:
        """A packet arrived.

        Returns:
            Whether to request a keyframe, and a frame that is complete now.
        """
        if self._resumes:
            self._resume(packet)
            return False, None
        wants_keyframe, frame = super().add(packet)
        if frame is None or not frame.data:  # a frame of padding alone
            frame = self._complete()
        if frame is None:
            return self._gives_up(packet) or wants_keyframe, None
        self._blocked_s = None
        waiting = self._undecoded()
        if waiting >= MOST_UNDECODED or (self._skipped and not is_keyframe(frame.data)):
            self.dropped += 1
            self._skipped += 1
            return wants_keyframe or self._skipped % _REQUEST_EVERY == 1, None
        self._skipped = 0
        if not self._arrivals:
            self.origin = frame.timestamp
        self._arrivals.append((frame.timestamp, time.monotonic()))
        return wants_keyframe, frame

    def arrived_s(self, ticks: int) -> float:
        """When a decoded frame arrived, monotonic clock.

        Args:
            ticks: its time as aiortc counts it.
        """
        timestamp = (self.origin + ticks) % _CLOCK
        found = (arrived_s for one, arrived_s in reversed(self._arrivals) if one == timestamp)
        return next(found, time.monotonic())

    def _gives_up(self, packet: RtpPacket) -> bool:
        """Whether an earlier frame lacks a packet for too long, and is dropped with all that is there."""
        first = self._packets[(self._origin or 0) % self._capacity]
        if first is not None and first.timestamp == packet.timestamp:
            return False
        now_s = time.monotonic()
        self._blocked_s = now_s if self._blocked_s is None else self._blocked_s
        if now_s - self._blocked_s < LOST_S:
            return False
        self._blocked_s, self._resumes = None, True
        self.dropped += 1
        self._skipped += 1
        self._resume(packet)
        return True

    def _resume(self, packet: RtpPacket) -> None:
        """The packet after the end of a frame begins the next one."""
        if packet.marker:
            self.remove(self._capacity)
            self._origin = uint16_add(packet.sequence_number, 1)
            self._resumes = False

    def _complete(self) -> JitterFrame | None:
        """Take the oldest frame, if all packets up to its marker are there (RFC 3550: the marker ends a frame)."""
        packets: list[RtpPacket] = []
        for count in range(self._capacity):
            packet = self._packets[((self._origin or 0) + count) % self._capacity]
            if packet is None or (packets and packet.timestamp != packets[0].timestamp):
                return None
            packets.append(packet)
            if packet.marker:
                self.remove(len(packets))
                data = b"".join(one._data for one in packets)  # type: ignore[attr-defined]
                return JitterFrame(data, packets[0].timestamp) if data else None
        return None


def use_newest(receiver: RTCRtpReceiver) -> NewestJitterBuffer:
    """Replace the buffer of a receiver, which has received nothing yet."""
    queue = getattr(receiver, _QUEUE)
    buffer = NewestJitterBuffer(queue.qsize)
    if not hasattr(receiver, _BUFFER):
        raise RuntimeError("another version of aiortc: its receiver has no jitter buffer of that name")
    setattr(receiver, _BUFFER, buffer)
    return buffer


def is_keyframe(data: bytes) -> bool:
    """Whether a frame can be decoded without those before it.

    Args:
        data: H.264 with start codes, or VP8 (RFC 6386, 9.1: the lowest bit of a keyframe is 0).
    """
    if data.startswith(_START_CODE):
        return _KEYFRAME_H264.search(data) is not None
    return not data[0] & 1
