"""Cropping pictures and turning them upright: an exact cut and permutation of the picture's own planes.

Used by the thread that decodes.
"""

from __future__ import annotations

import logging
import re
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import cast

import av
from av.buffer import Buffer
from av.filter import Graph
from av.sidedata.sidedata import Type
from av.video.format import VideoFormat
from av.video.reformatter import ColorRange

from streamer.media.side_data import UNREADABLE as _UNKNOWN_SIDE_DATA
from streamer.values.colour import is_full_range

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


@dataclass(frozen=True, slots=True)
class Crop:
    """Columns and rows of a stored picture, before it is turned, that are not shown."""

    left: int = 0
    top: int = 0
    right: int = 0
    bottom: int = 0

    def within(self, picture: av.VideoFrame, *, interlaced: bool = False) -> Crop:
        """The largest crop of this picture that is no larger and that its chroma samples allow.

        Chroma that is shared by two columns or rows cannot be cut between them, nor between the rows that two fields
        share by turns. None at all where nothing of the picture would be left.
        """
        if self.left + self.right >= picture.width or self.top + self.bottom >= picture.height:
            return NO_CROP
        across = 16 // picture.format.chroma_width(16)
        down = 16 // picture.format.chroma_height(16) * (2 if interlaced else 1)
        return Crop(self.left // across * across, self.top // down * down, self.right, self.bottom)


NO_CROP = Crop()


class DisplayMatrixReader:
    """Reads the display matrix of pictures, of which many in a row have the same shape."""

    def __init__(self) -> None:
        self._graph: Graph | None = None
        self._shape: tuple[int, int, str] | None = None

    def orientation_of(self, picture: av.VideoFrame) -> Orientation:
        """How the display matrix of a decoded picture wants it shown; `UPRIGHT` where it has none.

        The matrix `a b u; c d v; x y w` (libavutil/display.h) moves the pixel (p, q) to (ap + cq + x, bp + dq + y).
        Angles between quarter turns go to the nearest one. FFmpeg makes a matrix of the EXIF orientation of a picture,
        too.
        """
        matrix = self._display_matrix(picture)
        if matrix is None:
            return UPRIGHT
        a, b, _, c, d = struct.unpack_from("=5i", matrix)
        if abs(a) + abs(d) >= abs(b) + abs(c):
            return Orientation(False, a < 0, d < 0)
        return Orientation(True, c < 0, b < 0)

    def _display_matrix(self, picture: av.VideoFrame) -> bytes | None:
        # From a small copy, not from the picture itself: asking a picture for side data ties it into a reference cycle,
        # so that its memory lasts until the garbage collector comes by, and fails where there is a kind unknown to
        # PyAV.
        shape = (picture.width, picture.height, picture.format.name)
        if self._graph is None or shape != self._shape:
            stamp = (("crop", "w=min(iw,16):h=min(ih,16):x=0:y=0"), ("scale", "8:8"))
            self._graph = _graph(picture.format, picture, _TIMELESS, (*stamp, *map(_delete, _UNKNOWN_SIDE_DATA)))
            self._shape = shape
        self._graph.vpush(picture)
        # PyAV types this as a dictionary by name; it takes its own enumeration.
        side_data = cast(Mapping[Type, Buffer], self._graph.vpull().side_data)
        try:
            return bytes(side_data[Type.DISPLAYMATRIX])
        except KeyError:
            return None


def orientation_of(picture: av.VideoFrame) -> Orientation:
    """As of `DisplayMatrixReader`, for a single picture."""
    return DisplayMatrixReader().orientation_of(picture)


def is_oblique(picture: av.VideoFrame) -> bool:
    """Whether the display matrix turns by more than a degree away from a quarter turn."""
    return 1 < picture.rotation % 90 < 89


class Rotator:
    """Crops pictures and turns them upright: every plane is cut and permuted, no sample changes its value.

    The rows of what comes out follow each other in memory from top to bottom.

    What cannot be cut exactly is cut less. Formats whose planes cannot be permuted are converted first: 4:2:2, 4:1:1
    and 4:4:0 to 4:4:4 for a quarter turn, packed 4:2:2 to planar, palettes to RGB.

    Args:
        orientation: of the pictures.
        crop: what is cut off before they are turned.
        say: is told what is not exact, a line each; the log if left out.
    """

    def __init__(
        self, orientation: Orientation, crop: Crop = NO_CROP, say: Callable[[str], None] = logger.warning
    ) -> None:
        self.orientation = orientation
        self.crop = crop
        self._say = say
        self._interlaced = False
        self._filters: tuple[tuple[str, str | None], ...] = ()
        self._graph: Graph | None = None
        self._shape: tuple[int, int, str, bool, Fraction] | None = None

    def turn(self, picture: av.VideoFrame, time_base: Fraction) -> av.VideoFrame:
        """The upright picture, with the same time, duration, colour tags and metadata, and without the matrix."""
        # Some decoders give the last row first (uncompressed AVI), with a negative step from row to row.
        backwards = picture.planes[0].line_size < 0
        if self.orientation == UPRIGHT and self.crop == NO_CROP and not backwards:
            return picture
        self._interlaced = self._interlaced or picture.interlaced_frame  # some streams change from picture to picture
        shape = (picture.width, picture.height, picture.format.name, self._interlaced, time_base)
        if shape != self._shape:
            self._build(picture, time_base)
            self._shape = shape
        if not self._filters and not backwards:
            return picture
        assert self._graph is not None
        target = self._target(picture)
        self._graph.vpush(picture if target == picture.format.name else _converted(picture, target))
        turned = self._graph.vpull()
        turned.pts, turned.dts, turned.time_base = picture.pts, picture.dts, picture.time_base
        turned.duration = picture.duration
        return turned

    def _build(self, picture: av.VideoFrame, time_base: Fraction) -> None:
        self._filters = (*self._crop_filters(picture), *self.orientation.filters)
        if (target := self._target(picture)) != picture.format.name:
            self._say(f"cropping or turning {picture.format.name} pictures takes a conversion to {target}")
        stripped = (_delete("DISPLAYMATRIX"), _delete(_EXIF))
        filters = self._filters or (("copy", None),)
        if self.orientation.transposed:
            filters = (*filters, ("setfield", "prog"))  # columns are no fields
        self._graph = _graph(VideoFormat(target), picture, time_base, (*filters, *stripped))

    def _target(self, picture: av.VideoFrame) -> str:
        name = picture.format.name
        return turnable_format(picture.format, self.orientation.transposed) if self._filters else name

    def _crop_filters(self, picture: av.VideoFrame) -> tuple[tuple[str, str | None], ...]:
        crop = self.crop.within(picture, interlaced=self._interlaced)
        if crop != self.crop:
            done = f"cropped by {_sides(crop)}" if crop != NO_CROP else "they are shown whole"
            self._say(
                f"the container crops {_sides(self.crop)} of {picture.width}x{picture.height} {picture.format.name} "
                f"pictures, which cannot be cut there: {done}"
            )
        if crop == NO_CROP:
            return ()
        width, height = picture.width - crop.left - crop.right, picture.height - crop.top - crop.bottom
        # The crop filter only moves the pointers; planes that begin inside a buffer could be read beyond its end.
        return ("crop", f"{width}:{height}:{crop.left}:{crop.top}:exact=1"), ("copy", None)


def _sides(crop: Crop) -> str:
    sides = ("left", crop.left), ("top", crop.top), ("right", crop.right), ("bottom", crop.bottom)
    return ", ".join(f"{count} {side}" for side, count in sides if count) or "nothing"


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
