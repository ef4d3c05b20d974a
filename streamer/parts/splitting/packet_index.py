"""The packets of a video in file order, as far as a plan needs them: one pass of the demuxer. Main thread.

A packet takes 21 bytes of memory, so ten hours at 30 fps take 23 MB.
"""

from __future__ import annotations

import hashlib
import zlib
from array import array
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from av.packet import Packet
from av.video.stream import VideoStream

NO_TIME = -(2**63)
"""In place of a time that a packet does not have."""
_KEYFRAME, _DAMAGED, _HIDDEN = 1, 2, 4
_COMPARED = 8
"""How many packets after a seek are compared with the plan."""

Times = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class PacketIndex:
    """All packets of a video, in file order.

    Attributes:
        pts, dts: int64 `(N,)`, ticks, or `NO_TIME`.
        flags: uint8 `(N,)`.
        checksums: uint32 `(N,)`, of the data.
    """

    pts: Times
    dts: Times
    flags: npt.NDArray[np.uint8]
    checksums: npt.NDArray[np.uint32]

    @property
    def keyframes(self) -> npt.NDArray[np.bool_]:
        """Which packets a decoder may begin with, and whose frame is shown."""
        return np.asarray(self.flags & (_KEYFRAME | _HIDDEN) == _KEYFRAME, np.bool_)

    @property
    def damaged(self) -> npt.NDArray[np.bool_]:
        """Which packets the demuxer flagged as corrupt."""
        return np.asarray(self.flags & _DAMAGED, np.bool_)

    @property
    def shown(self) -> npt.NDArray[np.bool_]:
        """Which packets become a frame: not those outside of an edit list, and not the hidden frames of VP8."""
        return np.asarray(self.flags & _HIDDEN == 0, np.bool_)

    def digest_at(self, number: int) -> str:
        """The digest of the packets from this one; equal to `digest_of` of the same packets."""
        window = slice(number, number + _COMPARED)
        return _digest(self.pts[window], self.checksums[window])


def read_index(packets: Iterable[Packet[VideoStream]], codec: str, progress: Callable[[int], None]) -> PacketIndex:
    """Read all packets.

    Args:
        packets: of the video, from the demuxer.
        codec: FFmpeg's name.
        progress: gets the number of packets, from time to time.
    """
    pts, dts, flags, checksums = array("q"), array("q"), bytearray(), array("I")
    for packet in packets:
        if not packet.size:
            continue
        pts.append(NO_TIME if packet.pts is None else packet.pts)
        dts.append(NO_TIME if packet.dts is None else packet.dts)
        hidden = packet.is_discard or (codec == "vp8" and not bytes(packet)[0] & 0x10)  # RFC 6386, 9.1: show_frame
        flags.append(_KEYFRAME * packet.is_keyframe | _DAMAGED * packet.is_corrupt | _HIDDEN * hidden)
        checksums.append(zlib.crc32(packet))
        if len(flags) % 1000 == 0:
            progress(len(flags))
    progress(len(flags))
    return PacketIndex(
        np.frombuffer(pts, np.int64),
        np.frombuffer(dts, np.int64),
        np.frombuffer(flags, np.uint8),
        np.frombuffer(checksums, np.uint32),
    )


def digest_of(packets: Iterable[Packet[VideoStream]]) -> str:
    """The digest of the first packets, with as many of them as are compared."""
    times, checksums = [], []
    for packet in packets:
        if packet.size:
            times.append(NO_TIME if packet.pts is None else packet.pts)
            checksums.append(zlib.crc32(packet))
        if len(times) == _COMPARED:
            break
    return _digest(np.array(times, np.int64), np.array(checksums, np.uint32))


def _digest(pts: Times, checksums: npt.NDArray[np.uint32]) -> str:
    # Not the decoding times: Matroska has none, and those that FFmpeg derives are missing after a seek.
    return hashlib.blake2b(pts.tobytes() + checksums.tobytes(), digest_size=16).hexdigest()
