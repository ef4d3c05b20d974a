"""Adds elements to MP4 and Matroska files that FFmpeg's muxers cannot write: clean aperture, crop, display size."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

# RFC 9559, section 5.1.4.1.28.
PIXEL_CROP = {"bottom": 0x54AA, "top": 0x54BB, "left": 0x54CC, "right": 0x54DD}
DISPLAY_WIDTH, DISPLAY_HEIGHT, DISPLAY_UNIT = 0x54B0, 0x54BA, 0x54B2
_TO_VIDEO = (b"\x18\x53\x80\x67", b"\x16\x54\xae\x6b", b"\xae", b"\xe0")  # Segment, Tracks, TrackEntry, Video


def box(name: bytes, *parts: bytes) -> bytes:
    """A box of ISO/IEC 14496-12."""
    content = b"".join(parts)
    return struct.pack(">I4s", 8 + len(content), name) + content


def clean_aperture(width: str, height: str, across: str = "0/1", down: str = "0/1") -> bytes:
    """A `clap` box (ISO/IEC 14496-12, 12.1.4) of fractions such as `320/1`: the size and the offset of its centre."""
    numbers = [int(part) for value in (width, height, across, down) for part in value.split("/")]
    return box(b"clap", struct.pack(">IIIIiIiI", *numbers))


def add_to_sample_entry(path: Path, added: bytes, entry: bytes = b"avc1") -> Path:
    """Append a box to the sample entry of an MP4 whose `moov` is last."""
    data = bytearray(path.read_bytes())
    at = data.index(entry, data.index(b"stsd")) - 4
    end = at + struct.unpack_from(">I", data, at)[0]
    data[end:end] = added
    parents = [data.rindex(name, 0, at) - 4 for name in (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd")]
    for begin in (*parents, at):
        struct.pack_into(">I", data, begin, struct.unpack_from(">I", data, begin)[0] + len(added))
    path.write_bytes(data)
    return path


def add_to_matroska_video(path: Path, values: Mapping[int, int]) -> Path:
    """Append unsigned integers, by the element's identifier, to the Video element of the first track."""
    added = b"".join(struct.pack(">HBI", name, 0x84, value) for name, value in values.items())
    path.write_bytes(_grown(path.read_bytes(), _TO_VIDEO, added))
    return path


def _grown(data: bytes, names: Sequence[bytes], added: bytes) -> bytes:
    """The elements, with `added` appended to the element at the path `names`."""
    if not names:
        return data + added
    at = 0
    while True:
        name_end = at + 9 - data[at].bit_length()
        size_end = name_end + 9 - data[name_end].bit_length()
        size = int.from_bytes(data[name_end:size_end]) & ((1 << 7 * (size_end - name_end)) - 1)
        if data[at:name_end] == names[0]:
            content = _grown(data[size_end : size_end + size], names[1:], added)
            grown = data[at:name_end] + (len(content) | 1 << 56).to_bytes(8) + content
            return data[:at] + grown + data[size_end + size :]
        at = size_end + size
