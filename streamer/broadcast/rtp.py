"""Sends the encoded frames of a camera to one viewer, as RTP (RFC 3550, RFC 6184) over the connection of aiortc.

aiortc's own sender packs, numbers and keeps every packet for each viewer. Here the payloads are shared, and a viewer
costs a header, its encryption and a system call per packet. Used by the web server's thread.
"""

from __future__ import annotations

import random
import struct
from collections import deque
from collections.abc import Callable, Sequence

from aiortc import clock, rtp

from streamer.broadcast.h264 import EncodedFrame

HISTORY_FRAMES = 64
"""Frames whose packets can be sent again."""
MOST_AGAIN = 512
"""Packets that can be sent again at once; each new packet allows one more. Else a small request had a large answer."""
WINDOW = 1000
"""Packets back to which one can be sent again: libsrtp refuses those before its window of 1024."""
_VERSION = 0x80
_HAS_EXTENSION = 0x10
_MARKER = 0x80
_ONE_BYTE_HEADERS = 0xBEDE  # RFC 8285, 4.2
_CNAME = 1


class RtpSender:
    """The video of one viewer. It begins with a keyframe.

    It is registered at aiortc's DTLS transport, which calls `_handle_rtcp_packet`.

    Args:
        payload_type: of H.264.
        playout_delay: id of the header extension that tells the browser to show frames at once; None without it.
        send: encrypts and sends packets of RTP.
        ask_keyframe: called when the viewer needs one.
        cname: name of the sender.
    """

    def __init__(
        self,
        payload_type: int,
        playout_delay: int | None,
        send: Callable[[Sequence[bytes]], bool],
        ask_keyframe: Callable[[], None],
        cname: str,
    ) -> None:
        self._ssrc = random.getrandbits(32)
        self._payload_type = payload_type
        # The extension with a least and largest delay of 0.
        self._extension = (
            b""
            if playout_delay is None
            else struct.pack("!HHBBBB", _ONE_BYTE_HEADERS, 1, playout_delay << 4 | 2, 0, 0, 0)
        )
        self._first_byte = _VERSION | (_HAS_EXTENSION if self._extension else 0)
        self._send = send
        self._ask_keyframe = ask_keyframe
        self._cname = cname
        # In the lower half: who misses the first packets must not miss the first overflow too (RFC 3711, 3.3.1).
        self._next = random.getrandbits(15)
        self._history: deque[tuple[int, EncodedFrame]] = deque(maxlen=HISTORY_FRAMES)
        self._again = MOST_AGAIN  # packets that may be sent again
        self._needs_keyframe = True
        self._rtp = self._ntp = self._packets = self._bytes = 0
        self.heard = 0
        """How many packets of RTCP the viewer has sent."""

    @property
    def ssrc(self) -> int:
        """Of its packets."""
        return self._ssrc

    @property
    def has_sent(self) -> bool:
        """Whether a frame was sent."""
        return self._packets > 0

    def send(self, frame: EncodedFrame) -> None:
        """Send a frame. It is left out until a keyframe comes, or if the network takes no more."""
        if self._needs_keyframe and not frame.keyframe:
            return
        first = self._next
        self._needs_keyframe = not self._send([self._packet(first, frame, at) for at in range(len(frame.payloads))])
        self._next = (first + len(frame.payloads)) & 0xFFFF
        self._again = min(self._again + len(frame.payloads), MOST_AGAIN)
        self._history.append((first, frame))
        self._rtp, self._ntp = frame.rtp, clock.current_ntp_time()
        self._packets += len(frame.payloads)
        self._bytes += frame.size
        if self._needs_keyframe:
            self._ask_keyframe()

    def close(self) -> None:
        """Release the frames that could be sent again."""
        self._history.clear()

    def report(self) -> bytes:
        """A sender report, with the name of the sender (RFC 3550, 6.4.1)."""
        about = rtp.RtcpSenderInfo(
            ntp_timestamp=self._ntp,
            rtp_timestamp=self._rtp,
            packet_count=self._packets & 0xFFFFFFFF,
            octet_count=self._bytes & 0xFFFFFFFF,
        )
        name = rtp.RtcpSourceInfo(ssrc=self._ssrc, items=[(_CNAME, self._cname.encode())])
        return bytes(rtp.RtcpSrPacket(ssrc=self._ssrc, sender_info=about)) + bytes(rtp.RtcpSdesPacket(chunks=[name]))

    def goodbye(self) -> bytes:
        """The end of the stream (RFC 3550, 6.6)."""
        return bytes(rtp.RtcpByePacket(sources=[self._ssrc]))

    async def _handle_rtcp_packet(self, packet: rtp.AnyRtcpPacket) -> None:
        self.heard += 1
        if isinstance(packet, rtp.RtcpRtpfbPacket) and packet.fmt == rtp.RTCP_RTPFB_NACK:
            numbers = packet.lost[: self._again]
            self._again -= len(numbers)
            again = [found for number in numbers if (found := self._find(number)) is not None]
            self._send(again)
            if len(again) < len(packet.lost):
                self._ask_keyframe()
        elif isinstance(packet, rtp.RtcpPsfbPacket) and packet.fmt in (rtp.RTCP_PSFB_PLI, rtp.RTCP_PSFB_FIR):
            self._ask_keyframe()

    def _find(self, number: int) -> bytes | None:
        """A packet that was sent, by its sequence number; None if it is too old."""
        if (self._next - number) & 0xFFFF > WINDOW:
            return None
        for first, frame in reversed(self._history):
            at = (number - first) & 0xFFFF
            if at < len(frame.payloads):
                return self._packet(first, frame, at)
        return None

    def _packet(self, first: int, frame: EncodedFrame, at: int) -> bytes:
        marker = _MARKER if at == len(frame.payloads) - 1 else 0
        number = (first + at) & 0xFFFF
        header = struct.pack("!BBHLL", self._first_byte, marker | self._payload_type, number, frame.rtp, self._ssrc)
        return b"".join((header, self._extension, frame.payloads[at]))
