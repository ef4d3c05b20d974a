"""The jitter buffer of a webcam's video: a frame leaves it with its last packet, and a slow decoder does not get all.

aiortc's own buffer keeps a frame until the first packet of the next one arrives, which is a frame interval later (67 ms
at 15 fps), and its queue for the decoder has no limit. Web server's thread.
"""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from aiortc.jitterbuffer import JitterBuffer, JitterFrame

if TYPE_CHECKING:
    from aiortc import RTCRtpReceiver
    from aiortc.rtp import RtpPacket

CAPACITY = 512
"""Packets, as in aiortc."""
MOST_UNDECODED = 4
"""Frames in the queue of the decoder. Beyond that, frames are dropped up to the next keyframe."""
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
        self._skipped = 0  # since the last frame for the decoder

    def add(self, packet: RtpPacket) -> tuple[bool, JitterFrame | None]:
        """A packet arrived.

        Returns:
            Whether to request a keyframe, and a frame that is complete now.
        """
        wants_keyframe, frame = super().add(packet)
        if frame is None or not frame.data:  # a frame of padding alone
            frame = self._complete()
        if frame is None:
            return wants_keyframe, None
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
