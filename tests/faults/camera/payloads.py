"""Splits encoded frames into RTP payloads: H.264 (RFC 6184), H.265 (RFC 7798) and JPEG (RFC 2435).

Pure functions.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

MOST_BYTES = 1400
"""Of one payload: with IP, UDP and RTP headers it fits an Ethernet frame."""


def nal_units(annex_b: bytes) -> list[bytes]:
    """The data between the start codes of an H.264 or H.265 byte stream."""
    parts = annex_b.split(b"\x00\x00\x01")[1:]
    # The zero of a four-byte start code belongs to the unit before it here, and no unit ends in a zero.
    return [part.rstrip(b"\x00") for part in parts]


def h264_payloads(units: list[bytes]) -> list[bytes]:
    """One payload per unit; long units as fragmentation units A."""
    payloads: list[bytes] = []
    for unit in units:
        if len(unit) <= MOST_BYTES:
            payloads.append(unit)
            continue
        indicator, kind = unit[0] & 0xE0 | 28, unit[0] & 0x1F
        for piece, position in _pieces(unit[1:], MOST_BYTES - 2):
            payloads.append(bytes((indicator, position | kind)) + piece)
    return payloads


def h265_payloads(units: list[bytes]) -> list[bytes]:
    """One payload per unit; long units as fragmentation units."""
    payloads: list[bytes] = []
    for unit in units:
        if len(unit) <= MOST_BYTES:
            payloads.append(unit)
            continue
        indicator, kind = bytes((unit[0] & 0x81 | 49 << 1, unit[1])), unit[0] >> 1 & 0x3F
        for piece, position in _pieces(unit[2:], MOST_BYTES - 3):
            payloads.append(indicator + bytes((position | kind,)) + piece)
    return payloads


def jpeg_payloads(jpeg: bytes, size: tuple[int, int]) -> list[bytes]:
    """The scan of a baseline 4:2:0 JPEG with the standard Huffman tables; its quantization tables are in the first
    payload.
    """
    tables, scan = _jpeg_parts(jpeg)
    quantization = struct.pack(">BBH", 0, 0, len(tables)) + tables
    payloads = []
    at = 0
    while at < len(scan):
        # Type 1: 4:2:0; quality 255: every frame has its tables.
        header = struct.pack(">IBBBB", at, 1, 255, size[0] // 8, size[1] // 8) + (b"" if at else quantization)
        piece = scan[at : at + MOST_BYTES - len(header)]
        payloads.append(header + piece)
        at += len(piece)
    return payloads


def _pieces(content: bytes, length: int) -> Iterator[tuple[bytes, int]]:
    """Pieces of a unit with the start (0x80) and end (0x40) bits of their headers."""
    for at in range(0, len(content), length):
        first, last = at == 0, at + length >= len(content)
        yield content[at : at + length], first << 7 | last << 6


def _jpeg_parts(jpeg: bytes) -> tuple[bytes, bytes]:
    """The two quantization tables (64 bytes each) and the entropy-coded scan."""
    tables: dict[int, bytes] = {}
    at = 2
    while True:
        marker, length = struct.unpack_from(">HH", jpeg, at)
        segment = jpeg[at + 4 : at + 2 + length]
        at += 2 + length
        if marker == 0xFFDB:
            for start in range(0, len(segment), 65):
                tables[segment[start] & 15] = segment[start + 1 : start + 65]
        if marker == 0xFFDA:
            return tables[0] + tables.get(1, tables[0]), jpeg[at:]
