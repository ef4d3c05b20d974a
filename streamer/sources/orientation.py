"""Turning pictures upright: from a display matrix to an exact permutation of the picture's own planes.

Used by the thread that decodes.
"""

from __future__ import annotations

import logging
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import cast

import av
from av.buffer import Buffer
from av.filter import Graph
from av.sidedata.sidedata import Type
from av.video.format import VideoFormat
from av.video.reformatter import ColorRange

from streamer.colour import is_full_range
from streamer.side_data import UNREADABLE as _UNKNOWN_SIDE_DATA

logger = logging.getLogger(__name__)


_EXIF = 31  # AVFrameSideDataType
_TIMELESS = Fraction(1, 25)


@dataclass(frozen=True, slots=True)
class Orientation:
    """One of the eight ways a picture can lie: swap rows and columns, then mirror.

    Attributes:
        transposed: rows and columns change places (mirrored on the main diagonal), so width and height do too.
        flipped_x: then mirrored left to right.
        flipped_y: then mirrored top to bottom.
    """

    transposed: bool = False
    flipped_x: bool = False
    flipped_y: bool = False

    @property
    def filters(self) -> tuple[tuple[str, str | None], ...]:
        """Names and arguments of the FFmpeg filters that do it; none for a picture that is upright already."""
        if self.transposed:
            # libavfilter/transpose.h: cclock_flip is the main diagonal, each flip after it makes one of the others.
            directions = {
                (False, False): "cclock_flip",
                (True, False): "clock",
                (False, True): "cclock",
                (True, True): "clock_flip",
            }
            return (("transpose", f"dir={directions[self.flipped_x, self.flipped_y]}"),)
        if not self.flipped_y:
            return (("hflip", None),) if self.flipped_x else ()
        # vflip copies nothing but makes the rows run backwards in memory, which hardly anybody expects.
        return (("vflip", None), ("hflip", None) if self.flipped_x else ("copy", None))

    @property
    def rotation(self) -> int:
        """Degrees clockwise by which the picture is turned for showing, 0, 90, 180 or 270; a mirror comes on top."""
        if self.transposed:
            return 90 if self.flipped_x else 270
        return 180 if self.flipped_x and self.flipped_y else 0

    @property
    def mirrored(self) -> bool:
        """Whether it takes a mirror, not only a rotation."""
        return (self.transposed + self.flipped_x + self.flipped_y) % 2 == 1


UPRIGHT = Orientation()


def orientation_of(picture: av.VideoFrame) -> Orientation:
    """How the display matrix of a decoded picture wants it shown; `UPRIGHT` where it has none.

    The matrix `a b u; c d v; x y w` (libavutil/display.h) moves the pixel (p, q) to (ap + cq + x, bp + dq + y).
    Angles between quarter turns go to the nearest one. FFmpeg makes a matrix of the EXIF orientation of a picture, too.
    """
    matrix = _display_matrix(picture)
    if matrix is None:
        return UPRIGHT
    a, b, _, c, d = struct.unpack_from("=5i", matrix)
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return Orientation(False, a < 0, d < 0)
    return Orientation(True, c < 0, b < 0)


def _display_matrix(picture: av.VideoFrame) -> bytes | None:
    # From a small copy, not from the picture itself: asking a picture for side data ties it into a reference cycle, so
    # that its memory lasts until the garbage collector comes by, and fails where there is a kind unknown to PyAV.
    stamp = (("crop", "w=min(iw,16):h=min(ih,16):x=0:y=0"), ("scale", "8:8"))
    graph = _graph(picture.format, picture, _TIMELESS, (*stamp, *map(_delete, _UNKNOWN_SIDE_DATA)))
    graph.vpush(picture)
    # PyAV types this as a dictionary by name; it takes its own enumeration.
    side_data = cast(Mapping[Type, Buffer], graph.vpull().side_data)
    try:
        return bytes(side_data[Type.DISPLAYMATRIX])
    except KeyError:
        return None


def is_oblique(picture: av.VideoFrame) -> bool:
    """Whether the display matrix turns by more than a degree away from a quarter turn."""
    return 1 < picture.rotation % 90 < 89


class Turner:
    """Turns pictures of one orientation upright: every plane is permuted, no sample changes its value.

    The rows of what comes out follow each other in memory from top to bottom.

    Formats whose planes cannot be permuted are converted first, and the log says so: 4:2:2, 4:1:1 and 4:4:0 to 4:4:4
    for a quarter turn, packed 4:2:2 to planar, palettes to RGB.
    """

    def __init__(self, orientation: Orientation) -> None:
        self.orientation = orientation
        self._graph: Graph | None = None
        self._shape: tuple[int, int, str, Fraction] | None = None

    def turn(self, picture: av.VideoFrame, time_base: Fraction) -> av.VideoFrame:
        """The upright picture, with the same time, duration, colour tags and metadata, and without the matrix."""
        # Some decoders give the last row first (uncompressed AVI), with a negative step from row to row.
        filters = self.orientation.filters or ((("copy", None),) if picture.planes[0].line_size < 0 else ())
        if not filters:
            return picture
        shape = (picture.width, picture.height, picture.format.name, time_base)
        target = turnable_format(picture.format, self.orientation.transposed) if self.orientation.filters else shape[2]
        if self._graph is None or shape != self._shape:
            if target != picture.format.name:
                logger.warning("turning %s pictures upright takes a conversion to %s", picture.format.name, target)
            stripped = (_delete("DISPLAYMATRIX"), _delete(_EXIF))
            self._graph = _graph(VideoFormat(target), picture, time_base, (*filters, *stripped))
            self._shape = shape
        self._graph.vpush(picture if target == picture.format.name else _converted(picture, target))
        turned = self._graph.vpull()
        turned.pts, turned.dts, turned.time_base = picture.pts, picture.dts, picture.time_base
        turned.duration = picture.duration
        return turned


def turnable_format(pixel_format: VideoFormat, transposed: bool) -> str:
    """The format in which a picture can be turned: its own where that works, else the nearest that loses nothing."""
    name = pixel_format.name
    if name in ("monow", "monob"):
        return "gray"
    if pixel_format.is_bit_stream or name == "pal8":
        return "bgra"
    square = pixel_format.chroma_width(64) == pixel_format.chroma_height(64)
    if not transposed or square:
        return "yuv422p" if name in ("uyvy422", "yuyv422", "yvyu422") else name
    wider = re.sub("422|411|440", "444", name)
    try:
        return VideoFormat(wider).name if wider != name else "yuv444p"
    except ValueError:
        return "yuv444p" if pixel_format.components[0].bits <= 8 else "yuv444p16le"


def _delete(side_data: str | int) -> tuple[str, str]:
    return "sidedata", f"mode=delete:type={side_data}"


def _graph(
    pixel_format: VideoFormat,
    picture: av.VideoFrame,
    time_base: Fraction,
    filters: tuple[tuple[str, str | None], ...],
) -> Graph:
    graph = Graph()
    graph.threads = 1
    nodes = [
        graph.add_buffer(width=picture.width, height=picture.height, format=pixel_format, time_base=time_base),
        *(graph.add(name, arguments) for name, arguments in filters),
        graph.add("buffersink"),
    ]
    graph.link_nodes(*nodes).configure()
    return graph


def _converted(picture: av.VideoFrame, target: str) -> av.VideoFrame:
    # Naming both ranges keeps swscale from stretching the values of untagged or full-range pictures.
    code = int(ColorRange.JPEG if is_full_range(picture) else ColorRange.MPEG)
    converted = picture.reformat(format=target, src_color_range=code, dst_color_range=code, threads=1)
    converted.color_range = picture.color_range
    converted.colorspace = picture.colorspace
    return converted
