"""Detects files that are shorter than stated in their headers, as after an incomplete copy or download.

Only sizes are compared, not durations, which are often wrong in intact files. Pure functions over the bytes of a file,
used while a source opens.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

# GUID of the ASF File Properties Object (ASF specification 01.20.06, section 3.2).
_ASF_FILE_PROPERTIES = bytes.fromhex("A1DCAB8C47A9CF118EE400C00C205365")
_SEGMENT_ID = bytes.fromhex("18538067")  # RFC 9559, section 5.1
_MEDIA_BOXES = (b"mdat", b"moof", b"moov")
_TRANSPORT_PACKET_SIZES = (188, 192, 204)  # ISO/IEC 13818-1; with a time code (M2TS); with Reed-Solomon bytes


def missing_bytes(path: Path, container_format: str) -> int:
    """The number of missing bytes according to the headers; 0 if the file is complete or states no size.

    Args:
        path: a regular file.
        container_format: FFmpeg's name of the demuxer, such as `mov,mp4,m4a,3gp,3g2,mj2`.

    Raises:
        OSError: the file cannot be read.
    """
    measure = _MEASURES.get(container_format.split(",", maxsplit=1)[0])
    if measure is None:
        return 0
    size = path.stat().st_size
    with path.open("rb") as file:
        try:
            return max(measure(file, size) - size, 0)
        except struct.error:  # the header itself is truncated
            return 1


def _iso_media(file: BinaryIO, size: int) -> int:
    """End of the last box (ISO/IEC 14496-12, section 4.2)."""
    position = 0
    while position + 8 <= size:
        file.seek(position)
        length, kind = struct.unpack(">I4s", file.read(8))
        if length == 1:
            (length,) = struct.unpack(">Q", file.read(8))
        end = position + length
        if length < 8 or end > size:  # 0: to the end of the file
            return end if kind in _MEDIA_BOXES and length >= 8 else size
        position = end
    return size


def _riff(file: BinaryIO, size: int) -> int:
    """End of the last RIFF chunk; large AVI files (OpenDML) have several."""
    position = 0
    while position + 8 <= size:
        file.seek(position)
        tag, length = struct.unpack("<4sI", file.read(8))
        if tag != b"RIFF" or length in (0, 0xFFFFFFFF):  # not written if the recording was interrupted
            return size
        position += 8 + length + length % 2
    return position - 1 if position == size + 1 else position


def _matroska(file: BinaryIO, size: int) -> int:
    """End of the segment (RFC 8794, RFC 9559)."""
    file.seek(4)
    header_length, width = _variable_integer(file)
    file.seek(min(4 + width + header_length, size))
    if file.read(4) != _SEGMENT_ID:
        return size
    length, width = _variable_integer(file)
    unknown = length == (1 << 7 * width) - 1
    return size if unknown else file.tell() + length


def _variable_integer(file: BinaryIO) -> tuple[int, int]:
    """An EBML variable-size integer: its value and its number of bytes."""
    (first,) = struct.unpack("B", file.read(1))
    width = 9 - first.bit_length()
    value = first & ((1 << 8 - width) - 1) if width <= 8 else 0
    for byte in file.read(width - 1):
        value = value << 8 | byte
    return value, width


def _asf(file: BinaryIO, size: int) -> int:
    """File size of the File Properties Object."""
    file.seek(0)
    header = file.read(65536)
    at = header.find(_ASF_FILE_PROPERTIES)
    if at < 0:
        return size
    (stated,) = struct.unpack_from("<Q", header, at + 40)
    (flags,) = struct.unpack_from("<I", header, at + 88)
    return size if flags & 1 else stated  # bit 0: a broadcast without a valid size


def _flash(file: BinaryIO, size: int) -> int:
    """An FLV file ends with the length of its last tag (Video File Format Specification 10, annex E.3)."""
    file.seek(max(size - 4, 0))
    (tag_length,) = struct.unpack(">I", file.read(4))
    start = size - 4 - tag_length
    if start < 9:
        return size + 1
    file.seek(start)
    kind, high, low = struct.unpack(">BBH", file.read(4))
    return size if kind in (8, 9, 18) and (high << 16 | low) + 11 == tag_length else size + 1


def _transport(file: BinaryIO, size: int) -> int:
    """A transport stream has a whole number of packets."""
    file.seek(0)
    start = file.read(204 * 4 + 4)
    for length in _TRANSPORT_PACKET_SIZES:
        for offset in (0, 4):
            if start[offset : offset + 3 * length + 1 : length] == b"\x47" * 4:
                return -(-size // length) * length
    return size


_MEASURES: dict[str, Callable[[BinaryIO, int], int]] = {
    "mov": _iso_media,
    "avi": _riff,
    "matroska": _matroska,
    "asf": _asf,
    "flv": _flash,
    "mpegts": _transport,
}
