"""The NAL units in a packet of H.264 or H.265, as needed before decoding. Pure functions."""

from __future__ import annotations

from itertools import pairwise

_H264_SLICES = frozenset({1, 2, 3, 4, 5, 20})
"""H.264, table 7-1: coded slices, data partitions, the slice extension."""
_H265_FIRST_NON_VCL = 32
"""H.265, table 7-1."""


def holds_picture(codec: str, data: bytes) -> bool:
    """Whether a packet has coded picture data.

    Some cameras send parameter sets, supplemental information (SEI), delimiters or private units with a time stamp of
    their own. FFmpeg returns these as packets, from which no frame can be decoded.

    Args:
        codec: FFmpeg's name.
        data: of the packet: units after start codes, or each after its length in 4 bytes.

    Returns:
        True for other codecs, and if the units cannot be found.
    """
    if codec not in ("h264", "hevc"):
        return True
    starts = unit_starts(data)
    if codec == "h264":
        return not starts or any(data[at] & 0x1F in _H264_SLICES for at in starts)
    return not starts or any(data[at] >> 1 & 0x3F < _H265_FIRST_NON_VCL for at in starts)


def unit_starts(data: bytes) -> list[int]:
    """The offset of the first byte of each unit in a packet; empty if the units cannot be found."""
    starts: list[int] = []
    at = 0
    # Lengths are tried first: a length of 256 to 511 bytes looks like a start code.
    while at + 4 < len(data):
        starts.append(at + 4)
        at += 4 + int.from_bytes(data[at : at + 4], "big")
    if at == len(data):
        return starts
    if not data.startswith((b"\0\0\1", b"\0\0\0\1")):
        return []
    starts, at = [], 0
    while (at := data.find(b"\0\0\1", at)) >= 0 and at + 3 < len(data):
        at += 3
        starts.append(at)
    return starts


def unit_spans(data: bytes) -> list[tuple[int, int]]:
    """Begin and end of each unit; the end may include up to 4 bytes of the next start code or length."""
    starts = unit_starts(data)
    return list(pairwise([*starts, len(data)])) if starts else []


def extradata_units(extradata: bytes) -> list[bytes]:
    """H.264 parameter sets from a container: after start codes, or as in MP4 (ISO 14496-15, 5.3.3.1)."""
    if not extradata.startswith(b"\1"):
        return [extradata[at:end] for at, end in unit_spans(extradata)]
    units: list[bytes] = []
    at = 5
    for mask in (0x1F, 0xFF):
        if at >= len(extradata):
            break
        count = extradata[at] & mask
        at += 1
        for _ in range(count):
            length = int.from_bytes(extradata[at : at + 2], "big")
            units.append(extradata[at + 2 : at + 2 + length])
            at += 2 + length
    return units
