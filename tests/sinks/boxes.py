"""Reads the tracks of an MP4 or QuickTime file box by box (ISO/IEC 14496-12), without FFmpeg; and changes them."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_PARENTS = (b"moov", b"trak", b"mdia", b"minf", b"stbl")


@dataclass(frozen=True)
class Track:
    """One track.

    Attributes:
        handler: four characters such as `meta`.
        name: of the handler.
        tag: of the sample entry, such as `gpmd`; empty where there is none.
        samples: their bytes.
        durations: of the samples, seconds.
    """

    handler: str
    name: str
    tag: str
    samples: list[bytes]
    durations: list[float]


def tracks_in(path: Path) -> list[Track]:
    """All tracks of a file that is not fragmented."""
    content = path.read_bytes()
    return [_track(content, start, end) for name, start, end in _walk(content, 0, len(content)) if name == b"trak"]


def retag(path: Path, target: Path, tag: bytes, handler: bytes) -> Path:
    """A copy whose last track has another kind, such as a data track of a phone or camera."""
    content = bytearray(path.read_bytes())
    entry = content.rindex(b"stsd") + 16
    content[entry : entry + 4] = tag
    kind = content.index(b"hdlr", content.rindex(b"mdhd")) + 12
    content[kind : kind + 4] = handler
    target.write_bytes(content)
    return target


def _walk(content: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Name, start and end of the content of every box; parents before their children."""
    while start + 8 <= end:
        size, name = struct.unpack(">I4s", content[start : start + 8])
        head = 8
        if size == 1:
            size, head = struct.unpack(">Q", content[start + 8 : start + 16])[0], 16
        yield name, start + head, start + size
        if name in _PARENTS:
            yield from _walk(content, start + head, start + size)
        start += size or end


def _track(content: bytes, start: int, end: int) -> Track:
    found = {name: content[first:last] for name, first, last in reversed(list(_walk(content, start, end)))}
    # The media's own handler comes before that of its data.
    name = found[b"hdlr"][24:]
    if name and name[0] == len(name) - 1:  # QuickTime counts, MP4 ends with a zero
        name = name[1:]
    tag = found[b"stsd"][12:16]
    times = struct.unpack(f">{len(found[b'stts']) // 4}I", found[b"stts"])
    scale = int.from_bytes(found[b"mdhd"][12:16], "big")
    durations = [step / scale for count, step in zip(times[2::2], times[3::2], strict=True) for _ in range(count)]
    return Track(
        found[b"hdlr"][8:12].decode("latin1"),
        name.rstrip(b"\0").decode("latin1"),
        tag.decode("latin1"),
        list(_samples(content, found)),
        durations,
    )


def _samples(content: bytes, found: dict[bytes, bytes]) -> Iterator[bytes]:
    size, count = struct.unpack(">2I", found[b"stsz"][4:12])
    sizes = [size] * count if size else list(struct.unpack(f">{count}I", found[b"stsz"][12 : 12 + 4 * count]))
    if b"co64" in found:
        places = struct.unpack(f">{len(found[b'co64']) // 8 - 1}Q", found[b"co64"][8:])
    else:
        places = struct.unpack(f">{len(found[b'stco']) // 4 - 2}I", found[b"stco"][8:])
    runs = struct.unpack(f">{len(found[b'stsc']) // 4}I", found[b"stsc"])[2:]
    starts, counts = runs[0::3], runs[1::3]
    remaining = iter(sizes)
    for number, place in enumerate(places, 1):
        run = max(index for index, start in enumerate(starts) if start <= number)
        for _ in range(counts[run]):
            length = next(remaining)
            yield content[place : place + length]
            place += length
