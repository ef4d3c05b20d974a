"""Writes HEIF stills like those of phones: coded tiles under a `grid` item, a thumbnail, transformations, EXIF.

ISO/IEC 23008-12 and 14496-12, 8.11. The tiles are coded by FFmpeg, HEVC without loss.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import av
import numpy as np

from tests.clips import UInt8Array
from tests.sources.decode.box_editing import box

_CODECS = {
    "hevc": ("libx265", {"preset": "ultrafast", "x265-params": "lossless=1:log-level=none"}, b"hvcC", b"hvc1"),
    "av1": ("libsvtav1", {"preset": "10", "crf": "10", "svtav1-params": "lp=1"}, b"av1C", b"av01"),
}


@dataclass(frozen=True)
class Written:
    """The properties of a written still.

    Attributes:
        codec: `hevc` or `av1`.
        grid: columns and rows of tiles; None where one coded item is the picture.
        size: of the whole picture, which the tiles may overhang; theirs together if None.
        properties: boxes of the primary item, in order.
        exif: orientation that the EXIF item tells; 0 writes none.
        thumbnail: whether there is one.
        in_idat: the grid's own data is in an `idat` box, with 32 bits for each number.
        kind: of the derived item.
    """

    codec: str = "hevc"
    grid: tuple[int, int] | None = (2, 2)
    size: tuple[int, int] | None = None
    properties: Sequence[bytes] = ()
    exif: int = 0
    thumbnail: bool = True
    in_idat: bool = False
    kind: bytes = b"grid"


def full(name: bytes, version: int, flags: int, *parts: bytes) -> bytes:
    """A box with a version and flags."""
    return box(name, struct.pack(">I", version << 24 | flags), *parts)


def irot(quarters: int) -> bytes:
    """Quarter turns anticlockwise."""
    return box(b"irot", bytes([quarters]))


def imir(axis: int) -> bytes:
    """0 swaps top and bottom, 1 left and right."""
    return box(b"imir", bytes([axis]))


def write_heif(path: Path, tiles: Sequence[UInt8Array], how: Written = Written()) -> Path:
    """Write a still of tiles, each uint8 RGB `(height, width, 3)`, row by row."""
    _, _, _, coded_kind = _CODECS[how.codec]
    coded = [_coded(tile, how.codec) for tile in tiles]
    height, width = tiles[0].shape[:2]
    columns, rows = how.grid or (1, 1)
    size = how.size or (width * columns, height * rows)
    shared: list[bytes] = []
    owned: dict[int, list[int]] = {}
    items: list[tuple[int, bytes, int, bytes]] = []  # identifier, kind, flags, data
    references: list[bytes] = []

    def give(item: int, *boxes: bytes) -> None:
        owned.setdefault(item, []).extend(range(len(shared) + 1, len(shared) + 1 + len(boxes)))
        shared.extend(boxes)

    for item, (configuration, data) in enumerate(coded, 1):
        items.append((item, coded_kind, 1 if how.grid else 0, data))
        give(item, configuration, _extent(width, height))
    primary = 1
    idat = b""
    if how.grid:
        primary = len(coded) + 1
        grid = struct.pack(">BBBBII" if how.in_idat else ">BBBBHH", 0, how.in_idat, rows - 1, columns - 1, *size)
        idat = grid if how.in_idat else b""
        items.append((primary, how.kind, 0, b"" if how.in_idat else grid))
        give(primary, _extent(*size))
        ids = struct.pack(f">{len(coded) + 2}H", primary, len(coded), *range(1, len(coded) + 1))
        references.append(box(b"dimg", ids))
    give(primary, *how.properties)
    if how.thumbnail:
        item = primary + 1
        configuration, data = _coded(np.ascontiguousarray(tiles[0][:64, :64]), how.codec)
        items.append((item, coded_kind, 0, data))
        give(item, configuration, _extent(64, 64))
        references.append(box(b"thmb", struct.pack(">HHH", item, 1, primary)))
    if how.exif:
        item = primary + 2
        tiff = b"MM\0*\0\0\0\x08\0\x01" + struct.pack(">HHIHH", 0x112, 3, 1, how.exif, 0) + bytes(4)
        items.append((item, b"Exif", 0, struct.pack(">I", 6) + b"Exif\0\0" + tiff))
        references.append(box(b"cdsc", struct.pack(">HHH", item, 1, primary)))
    path.write_bytes(_file(primary, items, shared, owned, references, idat, how.codec))
    return path


def _file(
    primary: int,
    items: Sequence[tuple[int, bytes, int, bytes]],
    shared: Sequence[bytes],
    owned: dict[int, list[int]],
    references: Sequence[bytes],
    idat: bytes,
    codec: str,
) -> bytes:
    brand = b"heic" if codec == "hevc" else b"avif"
    ftyp = box(b"ftyp", brand, bytes(4), b"mif1", brand)
    entries = [full(b"infe", 2, flags, struct.pack(">HH4s", item, 0, kind), b"\0") for item, kind, flags, _ in items]
    associations = b"".join(struct.pack(">HB", item, len(one)) + bytes(one) for item, one in sorted(owned.items()))

    def meta(begin: int) -> bytes:
        located, at = [], begin
        for item, _, _, data in items:
            in_idat = not data
            located.append(struct.pack(">HHHHII", item, in_idat, 0, 1, 0 if in_idat else at, len(data or idat)))
            at += len(data)
        return full(
            b"meta", 0, 0,
            full(b"hdlr", 0, 0, struct.pack(">I4s12x", 0, b"pict"), b"\0"),
            full(b"pitm", 0, 0, struct.pack(">H", primary)),
            full(b"iloc", 1, 0, struct.pack(">BBH", 0x44, 0, len(items)), *located),
            full(b"iinf", 0, 0, struct.pack(">H", len(items)), *entries),
            box(b"iprp", box(b"ipco", *shared), full(b"ipma", 0, 0, struct.pack(">I", len(owned)), associations)),
            *([full(b"iref", 0, 0, *references)] if references else []),
            *([box(b"idat", idat)] if idat else []),
        )  # fmt: skip

    begin = len(ftyp) + len(meta(0)) + 8
    return ftyp + meta(begin) + box(b"mdat", *(data for _, _, _, data in items))


def _extent(width: int, height: int) -> bytes:
    return full(b"ispe", 0, 0, struct.pack(">II", width, height))


def _coded(rgb: UInt8Array, codec: str) -> tuple[bytes, bytes]:
    """The configuration box and the single packet of an image."""
    return _encoded(rgb.tobytes(), rgb.shape[1], rgb.shape[0], codec)


@cache
def _encoded(content: bytes, width: int, height: int, codec: str) -> tuple[bytes, bytes]:
    rgb = np.frombuffer(content, np.uint8).reshape(height, width, 3)
    encoder, options, configuration, _ = _CODECS[codec]
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as output:
        stream: Any = output.add_stream(encoder, rate=Fraction(1), options=options)
        stream.width, stream.height = width, height
        stream.pix_fmt = "yuv420p"
        stream.codec_context.thread_count = 1
        frame = av.VideoFrame.from_ndarray(rgb, "rgb24").reformat(format="yuv420p", dst_color_range=1)
        frame.pts, frame.time_base = 0, Fraction(1)
        for packet in (*stream.encode(frame), *stream.encode(None)):
            packet.pts = packet.dts = 0  # libx265 sets a random decoding time for a single frame
            output.mux(packet)
    data = file.getvalue()
    at = data.index(configuration) - 4
    with av.open(io.BytesIO(data), "r") as container:
        packet = next(bytes(packet) for packet in container.demux(video=0) if packet.size)
    return data[at : at + struct.unpack_from(">I", data, at)[0]], packet
