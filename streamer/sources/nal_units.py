"""What a packet of H.264 or H.265 holds, as far as one must know it before it is decoded. Pure functions."""

from __future__ import annotations

from collections.abc import Iterator

_H264_SLICES = frozenset({1, 2, 3, 4, 5, 20})
"""H.264, table 7-1: coded slices, data partitions, the slice extension."""
_H265_FIRST_NON_VCL = 32
"""H.265, table 7-1."""


def holds_picture(codec: str, data: bytes) -> bool:
    """Whether a packet has a part of a picture; without one it has only what comes along with pictures.

    Some cameras send parameter sets, supplemental information (SEI), delimiters or units of their own under a time of
    their own. FFmpeg gives that as packets, of which no picture can come.

    Args:
        codec: FFmpeg's name.
        data: of the packet: units behind start codes, or each behind its length in 4 bytes.

    Returns:
        True for other codecs, and where the units cannot be made out.
    """
    if codec not in ("h264", "hevc"):
        return True
    kinds = list(_kinds(codec, data))
    if not kinds:
        return True
    if codec == "h264":
        return any(kind in _H264_SLICES for kind in kinds)
    return any(kind < _H265_FIRST_NON_VCL for kind in kinds)


def _kinds(codec: str, data: bytes) -> Iterator[int]:
    """Types of the units; none where they cannot be made out."""
    for at in _starts(data):
        yield data[at] & 0x1F if codec == "h264" else data[at] >> 1 & 0x3F


def _starts(data: bytes) -> list[int]:
    """Where the units begin."""
    starts: list[int] = []
    at = 0
    if data.startswith((b"\0\0\1", b"\0\0\0\1")):
        while (at := data.find(b"\0\0\1", at)) >= 0 and at + 3 < len(data):
            at += 3
            starts.append(at)
        return starts
    while at + 4 < len(data):
        starts.append(at + 4)
        at += 4 + int.from_bytes(data[at : at + 4], "big")
    return starts if at == len(data) else []
