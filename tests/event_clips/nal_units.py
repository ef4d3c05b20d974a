"""Splits H.264 and H.265 packets into NAL units: a remuxed packet has other separators, but the same units."""

from __future__ import annotations

import re
from collections.abc import Iterator

_START = re.compile(rb"\x00\x00\x01")


def annex_b_units(packet: bytes) -> Iterator[bytes]:
    """The units of a packet with start codes, as cameras and transport streams send them."""
    for unit in _START.split(packet)[1:]:
        yield unit.rstrip(b"\0")


def length_prefixed_units(packet: bytes) -> Iterator[bytes]:
    """The units of a packet with lengths of four bytes, as in MP4."""
    at = 0
    while at < len(packet):
        size = int.from_bytes(packet[at : at + 4], "big")
        yield packet[at + 4 : at + 4 + size].rstrip(b"\0")
        at += 4 + size
