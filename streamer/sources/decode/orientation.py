"""Crops frames and turns them upright: the planes are cut and permuted, so no sample changes its value.

Used by the thread that decodes.
"""

from __future__ import annotations

import logging
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import av
from av.filter import Graph
from av.sidedata.sidedata import Type
from av.video.format import VideoFormat
from av.video.reformatter import ColorRange

from streamer.media.filters import Filter, Shape, SideDataCopy, filter_graph, shape_of, without_side_data
from streamer.values.colour import is_full_range

logger = logging.getLogger(__name__)

_EXIF = 31  # AVFrameSideDataType


@dataclass(frozen=True, slots=True)
class Orientation:
    """One of the eight orientations of a frame: swap rows and columns, then mirror.

    Attributes:
        transposed: rows and columns are swapped (mirrored on the main diagonal), and so are width and height.
        flipped_x: then mirrored left to right.
        flipped_y: then mirrored top to bottom.
    """

    transposed: bool = False
    flipped_x: bool = False
    flipped_y: bool = False

    @property
    def filters(self) -> tuple[Filter, ...]:
        """The FFmpeg filters that turn a frame upright; none if it is upright already."""
        if self.transposed:
            # libavfilter/transpose.h: cclock_flip is the main diagonal, each flip after it gives one of the others.
            directions = {
                (False, False): "cclock_flip",
                (True, False): "clock",
                (False, True): "cclock",
                (True, True): "clock_flip",
            }
            return (("transpose", f"dir={directions[self.flipped_x, self.flipped_y]}"),)
        if not self.flipped_y:
            return (("hflip", None),) if self.flipped_x else ()
        # vflip does not copy but reverses the rows in memory, which few programs expect.
        return (("vflip", None), ("hflip", None) if self.flipped_x else ("copy", None))

    @property
    def rotation(self) -> int:
        """The rotation for display in degrees clockwise: 0, 90, 180 or 270; a mirror is applied afterwards."""
        if self.transposed:
            return 90 if self.flipped_x else 270
        return 180 if self.flipped_x and self.flipped_y else 0

    @property
    def mirrored(self) -> bool:
        """Whether it includes a mirror."""
        return (self.transposed + self.flipped_x + self.flipped_y) % 2 == 1


UPRIGHT = Orientation()


@dataclass(frozen=True, slots=True)
class Crop:
    """Columns and rows of a stored frame, before it is turned, that are not displayed."""

    left: int = 0
    top: int = 0
    right: int = 0
    bottom: int = 0

    def within(self, frame: av.VideoFrame, *, interlaced: bool = False) -> Crop:
        """The largest crop within this one that the chroma samples of the frame allow.

        A chroma sample that belongs to several columns or rows cannot be cut; in interlaced frames the rows of each
        field count separately. `NO_CROP` if nothing of the frame would be left.
        """
        if self.left + self.right >= frame.width or self.top + self.bottom >= frame.height:
            return NO_CROP
        across = 16 // frame.format.chroma_width(16)
        down = 16 // frame.format.chroma_height(16) * (2 if interlaced else 1)
        return Crop(self.left // across * across, self.top // down * down, self.right, self.bottom)


NO_CROP = Crop()


class DisplayMatrixReader:
    """Reads the display matrix of the frames of a stream."""

    def __init__(self) -> None:
        self._copy = SideDataCopy()

    def orientation_of(self, frame: av.VideoFrame) -> Orientation:
        """The orientation in the display matrix of a decoded frame; `UPRIGHT` if it has none.

        The matrix `a b u; c d v; x y w` (libavutil/display.h) moves the pixel (p, q) to (ap + cq + x, bp + dq + y).
        Angles are rounded to the nearest quarter turn. FFmpeg converts an EXIF orientation to a matrix as well.
        """
        try:
            matrix = bytes(self._copy.side_data(frame)[Type.DISPLAYMATRIX])
        except KeyError:
            return UPRIGHT
        a, b, _, c, d = struct.unpack_from("=5i", matrix)
        if abs(a) + abs(d) >= abs(b) + abs(c):
            return Orientation(False, a < 0, d < 0)
        return Orientation(True, c < 0, b < 0)


def orientation_of(frame: av.VideoFrame) -> Orientation:
    """The same for a single frame; see `DisplayMatrixReader`."""
    return DisplayMatrixReader().orientation_of(frame)


def is_oblique(frame: av.VideoFrame) -> bool:
    """Whether the display matrix differs from a quarter turn by more than a degree."""
    return 1 < frame.rotation % 90 < 89


class Rotator:
    """Crops frames and turns them upright; no sample changes its value.

    The rows of the result are stored from top to bottom. If a crop is impossible with the chroma format, less is cut.
    Formats whose planes cannot be permuted are converted first: 4:2:2, 4:1:1 and 4:4:0 to 4:4:4 for a quarter turn,
    packed 4:2:2 to planar, palettes to RGB.

    Args:
        orientation: of the frames.
        crop: is cut off before they are turned.
        report: gets a line for everything that is not exact; the log by default.
    """

    def __init__(
        self, orientation: Orientation, crop: Crop = NO_CROP, report: Callable[[str], None] = logger.warning
    ) -> None:
        self.orientation = orientation
        self.crop = crop
        self._report = report
        self._interlaced = False
        self._filters: tuple[Filter, ...] = ()
        self._graph: Graph | None = None
        self._built_for: tuple[Shape, bool, Fraction] | None = None

    def turn(self, frame: av.VideoFrame, time_base: Fraction) -> av.VideoFrame:
        """The upright frame, with the same times, duration, colour tags and metadata, and without the matrix."""
        # Some decoders return the last row first (uncompressed AVI), with a negative line size.
        backwards = frame.planes[0].line_size < 0
        if self.orientation == UPRIGHT and self.crop == NO_CROP and not backwards:
            return frame
        self._interlaced = self._interlaced or frame.interlaced_frame  # it varies from frame to frame in some streams
        wanted = (shape_of(frame), self._interlaced, time_base)
        if wanted != self._built_for:
            self._build(frame, time_base)
            self._built_for = wanted
        if not self._filters and not backwards:
            return frame
        assert self._graph is not None
        target = self._target(frame)
        self._graph.vpush(frame if target == frame.format.name else _converted(frame, target))
        turned = self._graph.vpull()
        turned.pts, turned.dts, turned.time_base = frame.pts, frame.dts, frame.time_base
        turned.duration = frame.duration
        return turned

    def _build(self, frame: av.VideoFrame, time_base: Fraction) -> None:
        self._filters = (*self._crop_filters(frame), *self.orientation.filters)
        if (target := self._target(frame)) != frame.format.name:
            self._report(f"{frame.format.name} frames are converted to {target} to crop or turn them")
        stripped = (without_side_data("DISPLAYMATRIX"), without_side_data(_EXIF))
        filters = self._filters or (("copy", None),)
        if self.orientation.transposed:
            filters = (*filters, ("setfield", "prog"))  # the fields are columns now
        self._graph = filter_graph(frame, *filters, *stripped, pixel_format=VideoFormat(target), time_base=time_base)

    def _target(self, frame: av.VideoFrame) -> str:
        name = frame.format.name
        return turnable_format(frame.format, self.orientation.transposed) if self._filters else name

    def _crop_filters(self, frame: av.VideoFrame) -> tuple[Filter, ...]:
        crop = self.crop.within(frame, interlaced=self._interlaced)
        if crop != self.crop:
            done = f"cropped by {_sides(crop)}" if crop != NO_CROP else "shown whole"
            self._report(
                f"the container crops {_sides(self.crop)}, which is impossible for {frame.format.name} frames of "
                f"{frame.width}x{frame.height}: {done}"
            )
        if crop == NO_CROP:
            return ()
        width, height = frame.width - crop.left - crop.right, frame.height - crop.top - crop.bottom
        # The crop filter only moves the pointers. The copy avoids reads beyond the end of the buffer.
        return ("crop", f"{width}:{height}:{crop.left}:{crop.top}:exact=1"), ("copy", None)


def _sides(crop: Crop) -> str:
    sides = ("left", crop.left), ("top", crop.top), ("right", crop.right), ("bottom", crop.bottom)
    return ", ".join(f"{count} {side}" for side, count in sides if count) or "nothing"


def turnable_format(pixel_format: VideoFormat, transposed: bool) -> str:
    """The format in which frames can be turned: their own if possible, else the nearest without loss."""
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


def _converted(frame: av.VideoFrame, target: str) -> av.VideoFrame:
    # With both ranges given, swscale does not rescale the values of untagged or full-range frames.
    code = int(ColorRange.JPEG if is_full_range(frame) else ColorRange.MPEG)
    converted = frame.reformat(format=target, src_color_range=code, dst_color_range=code, threads=1)
    converted.color_range = frame.color_range
    converted.colorspace = frame.colorspace
    return converted
