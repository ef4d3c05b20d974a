"""Still images in HEIF files (HEIC, AVIF): the items of the image and their arrangement.

FFmpeg decodes the tiles of a grid as separate streams, and PyAV 18.1 does not expose their arrangement, so the file's
`meta` box is parsed here (ISO/IEC 23008-12). Used by the thread that reads the images.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

from streamer.errors import SourceUnavailable
from streamer.sources.decode.orientation import NO_CROP, UPRIGHT, Crop, Orientation

_CODED = (b"hvc1", b"hev1", b"av01", b"avc1", b"jpeg", b"vvc1")
_MOST_META_BYTES = 1 << 26
"""A larger `meta` box is damaged: that of a grid of 48 megapixels has 5 kB."""


@dataclass(frozen=True, slots=True)
class Still:
    """The structure of the primary image of a HEIF file.

    Attributes:
        tiles: the identifiers of the coded items, row by row; they are the ids of FFmpeg's streams.
        columns: number of tiles per row.
        size: width and height of the image; the tiles may exceed it. None if it is a single item.
        crop: is cut off first.
        orientation: is applied after the crop. The EXIF orientation is ignored (23008-12, 6.5.10).
        colour: H.273 codes and FFmpeg's range code that replace those of the coded items; None if absent.
    """

    tiles: tuple[int, ...]
    columns: int = 1
    size: tuple[int, int] | None = None
    crop: Crop = NO_CROP
    orientation: Orientation = UPRIGHT
    colour: tuple[int, int, int, int] | None = None


def read_still(path: Path) -> Still | None:
    """The structure of the image in a file; None if it is not a HEIF still image: another format, or a HEIF sequence.

    Raises:
        SourceUnavailable: it is a still image that is not supported.
    """
    try:
        with path.open("rb") as file:
            meta = _find_meta(file)
            return None if meta is None else _still(_Meta(meta, file))
    except OSError:
        return None  # reported when it is opened as an image
    except (_UnsupportedError, struct.error, IndexError, KeyError, OverflowError) as error:
        why = str(error) if isinstance(error, _UnsupportedError) else "its index is damaged"
        raise SourceUnavailable(f"{path}: a HEIF image that cannot be read, {why}; export it as JPEG") from error


class _UnsupportedError(Exception):
    """The image is not supported; the message has the reason in a few words."""


def _find_meta(file: BinaryIO) -> bytes | None:
    """The content of the file's `meta` box, if it describes images and the file has no movie."""
    meta, at, end = None, 0, file.seek(0, 2)
    file.seek(0)
    if file.read(12)[4:8] != b"ftyp":
        return None
    while at + 8 <= end:
        file.seek(at)
        size, name = struct.unpack(">I4s", file.read(8))
        head = 8
        if size == 1:
            (size,), head = struct.unpack(">Q", file.read(8)), 16
        size = size or end - at
        if name == b"moov" or size < head:
            return None
        if name == b"meta" and meta is None and size <= _MOST_META_BYTES:
            meta = file.read(size - head)
        at += size
    return meta if meta is not None and b"pict" in meta[:64] else None


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at + 8 <= len(data):
        size, name = struct.unpack_from(">I4s", data, at)
        if size < 8:
            raise struct.error
        yield name, data[at + 8 : at + size]
        at += size


class _Reader:
    """Reads numbers from the content of a box, after its version and flags."""

    def __init__(self, content: bytes) -> None:
        self.version = content[0]
        self.flags = int.from_bytes(content[1:4])
        self._content, self._at = content, 4

    def take(self, size: int) -> int:
        """The next unsigned number of `size` bytes; 0 for no bytes."""
        self._at += size
        if self._at > len(self._content):
            raise struct.error
        return int.from_bytes(self._content[self._at - size : self._at])

    def kind(self) -> bytes:
        """The next code of four letters."""
        return self.take(4).to_bytes(4)


class _Meta:
    """The parts of a `meta` box (ISO/IEC 14496-12, 8.11)."""

    def __init__(self, content: bytes, file: BinaryIO) -> None:
        self._file = file
        self.boxes = dict(reversed([*_boxes(content[4:])]))  # the first of each name
        self.primary = self._primary()
        self.kinds = dict(self._kinds())

    def _primary(self) -> int:
        pitm = _Reader(self.boxes[b"pitm"])
        return pitm.take(4 if pitm.version else 2)

    def _kinds(self) -> Iterator[tuple[int, bytes]]:
        iinf = self.boxes[b"iinf"]
        for name, content in _boxes(iinf[8 if iinf[0] else 6 :]):
            if name == b"infe":
                entry = _Reader(content)
                if entry.version >= 2:
                    item = entry.take(2 if entry.version == 2 else 4)
                    entry.take(2)  # protection
                    yield item, entry.kind()

    def sources(self, item: int) -> tuple[int, ...]:
        """The items that a derived item consists of, in order."""
        iref = self.boxes[b"iref"]
        width = 4 if iref[0] else 2
        for name, content in _boxes(iref[4:]):
            # A reference has no version and flags, so four bytes are prepended.
            reference = _Reader(bytes(4) + content)
            if name == b"dimg" and reference.take(width) == item:
                return tuple(reference.take(width) for _ in range(reference.take(2)))
        raise KeyError(item)

    def properties(self, item: int) -> list[tuple[bytes, bytes]]:
        """The properties of an item, in the order in which they are applied."""
        iprp = [*_boxes(self.boxes[b"iprp"])]
        available = [*_boxes(dict(iprp)[b"ipco"])]
        found = []
        for content in (content for name, content in iprp if name == b"ipma"):
            ipma = _Reader(content)
            for _ in range(ipma.take(4)):
                owner = ipma.take(4 if ipma.version else 2)
                for _ in range(ipma.take(1)):
                    index = ipma.take(2) & 0x7FFF if ipma.flags & 1 else ipma.take(1) & 0x7F
                    if owner == item and index:
                        found.append(available[index - 1])
        return found

    def data(self, item: int, most: int) -> bytes:
        """The beginning of an item's data."""
        iloc = _Reader(self.boxes[b"iloc"])
        sizes, more = iloc.take(1), iloc.take(1)
        for _ in range(iloc.take(4 if iloc.version == 2 else 2)):
            owner = iloc.take(4 if iloc.version == 2 else 2)
            method = iloc.take(2) & 15 if iloc.version else 0
            iloc.take(2)  # data reference: this file
            base = iloc.take(more >> 4)
            extents = []
            for _ in range(iloc.take(2)):
                iloc.take(more & 15 if iloc.version else 0)
                extents.append((base + iloc.take(sizes >> 4), iloc.take(sizes & 15)))
            if owner == item:
                offset, length = extents[0]
                if method == 1:
                    return self.boxes[b"idat"][offset : offset + length]
                self._file.seek(offset)
                return self._file.read(min(length or most, most))
        raise KeyError(item)


def _still(meta: _Meta) -> Still:
    kind = meta.kinds[meta.primary]
    if kind in _CODED:
        still = Still((meta.primary,))
    elif kind == b"grid":
        still = _grid(meta)
    else:
        raise _UnsupportedError(f"its type {kind.decode('latin-1')!r} is not supported")
    return _transformed(still, meta.properties(meta.primary))


def _grid(meta: _Meta) -> Still:
    """23008-12, 6.6.2.3.2."""
    data = meta.data(meta.primary, 12)
    width, height = struct.unpack_from(">II" if data[1] & 1 else ">HH", data, 4)
    rows, columns = data[2] + 1, data[3] + 1
    tiles = meta.sources(meta.primary)
    if len(tiles) != rows * columns or not width or not height:
        raise struct.error
    if any(meta.kinds.get(tile) not in _CODED for tile in tiles):
        raise _UnsupportedError("its tiles are not coded images")
    return Still(tiles, columns, (width, height))


def _transformed(still: Still, properties: list[tuple[bytes, bytes]]) -> Still:
    """The image with the properties of its primary item applied in order."""
    size = still.size
    for name, content in properties:
        if name == b"ispe" and size is None:
            size = struct.unpack_from(">II", content, 4)
        elif name == b"clap" and size is not None:
            if still.orientation != UPRIGHT or still.crop != NO_CROP:
                raise _UnsupportedError("it is cropped after it is turned")
            still = replace(still, crop=_clean_aperture(content, size))
        elif name == b"irot":
            for _ in range(content[0] & 3):
                still = replace(still, orientation=_turned(still.orientation))
        elif name == b"imir":
            still = replace(still, orientation=_mirrored(still.orientation, left_to_right=bool(content[0] & 1)))
        elif name == b"colr" and content[:4] == b"nclx":
            primaries, transfer, matrix, span = struct.unpack_from(">HHHB", content, 4)
            still = replace(still, colour=(primaries, transfer, matrix, 2 if span & 0x80 else 1))
    return still


def _clean_aperture(content: bytes, size: tuple[int, int]) -> Crop:
    """14496-12, 12.1.4; a border within a pixel is moved outwards, so no visible part is cut."""
    numbers = struct.unpack_from(">IIIIiIiI", content)
    if not all(numbers[1::2]):
        raise struct.error
    width, height, across, down = (Fraction(*numbers[k : k + 2]) for k in range(0, 8, 2))
    left, top = (size[0] - width) / 2 + across, (size[1] - height) / 2 + down
    right, bottom = size[0] - left - width, size[1] - top - height
    return Crop(*(max(int(edge), 0) for edge in (left, top, right, bottom)))


def _turned(given: Orientation) -> Orientation:
    """A further quarter turn anticlockwise: rows and columns are swapped, then top and bottom are mirrored."""
    return Orientation(not given.transposed, given.flipped_y, not given.flipped_x)


def _mirrored(given: Orientation, *, left_to_right: bool) -> Orientation:
    if left_to_right:
        return replace(given, flipped_x=not given.flipped_x)
    return replace(given, flipped_y=not given.flipped_y)
