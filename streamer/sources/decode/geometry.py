"""The geometry of a stream: crop, orientation and sample aspect ratio of its frames.

The container's crop is the same for the whole stream; orientation and sample aspect ratio may change from frame to
frame. Used by the thread that decodes.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import Any, cast

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from streamer.media.ffmpeg_log import capture_log
from streamer.sources.decode.orientation import (
    NO_CROP,
    UPRIGHT,
    Crop,
    DisplayMatrixReader,
    Orientation,
    Rotator,
    is_oblique,
)
from streamer.sources.decode.stream_facts import container_kind

logger = logging.getLogger(__name__)

_STREAM = re.compile(r"^  Stream #\d+:(\d+)")
_PROGRESSIVE = 1  # AVFieldOrder: 0 is unknown, higher values are interlaced
_UPSIDE_DOWN = {2: 3, 3: 2, 4: 5, 5: 4}
_RATIO_TOLERANCE = Fraction(1, 100)  # track sizes are rounded to pixels
_CROPPING = re.compile(r"^ +Frame Cropping: (\d+)/(\d+)/(\d+)/(\d+)$")


@dataclass(frozen=True, slots=True)
class Shape:
    """Properties of frames that a tracker depends on: if one changes, a new segment begins."""

    width: int
    height: int
    pixel_format: str
    sample_aspect_ratio: Fraction
    orientation: Orientation

    def __str__(self) -> str:
        ratio = self.sample_aspect_ratio
        pixels = f", pixels {ratio.numerator}:{ratio.denominator}" if ratio != 1 else ""
        return f"{self.width}x{self.height} {self.pixel_format}{pixels}"


class Geometry:
    """Crops the frames of a stream and turns them upright.

    Args:
        container: open, not read yet.
        stream: its video stream.
        name: of the input.
        report: gets a line for everything that is not exact; the log by default.

    Attributes:
        orientation: of the last frame.
    """

    def __init__(
        self,
        container: InputContainer,
        stream: VideoStream,
        name: str,
        report: Callable[[str], None] = logger.warning,
    ) -> None:
        self.orientation: Orientation = UPRIGHT
        self._stream = stream
        # Not a bound method: a reference cycle would keep the container open until the garbage collector runs.
        self._report = partial(_report_for, name, report)
        self._matrix = DisplayMatrixReader()
        self._rotation = 0
        crop = container_crop(container, stream)
        self._turner = Rotator(UPRIGHT, crop, self._report)
        coded = stream.codec_context.sample_aspect_ratio or Fraction(1)
        self._ratio = _container_ratio(stream, crop, coded)
        # The display size of Matroska applies to all frames; other containers repeat the value of the stream.
        self._follows_stream = container_kind(stream) != "matroska" and coded == self._ratio

    @property
    def sample_aspect_ratio(self) -> Fraction:
        """Width of a displayed pixel of the last frame by its height."""
        return 1 / self._ratio if self.orientation.transposed else self._ratio

    @property
    def field_order(self) -> int:
        """`AVFieldOrder` of the last upright frame; progressive after a quarter turn, as the fields are columns."""
        order = int(self._stream.codec_context.field_order)
        if self.orientation.transposed:
            return min(order, _PROGRESSIVE)
        return _UPSIDE_DOWN.get(order, order) if self.orientation.flipped_y else order

    def upright(self, frame: av.VideoFrame, time_base: Fraction) -> av.VideoFrame:
        """The cropped, upright frame; see `Rotator`."""
        self._turn_as(frame)
        if frame.key_frame and self._follows_stream:
            # The decoder reports the ratio of the last packet; frames of earlier packets that are still output are no
            # keyframes.
            self._ratio = self._stream.codec_context.sample_aspect_ratio or self._ratio
        return self._turner.turn(frame, time_base)

    def shape_of(self, upright: av.VideoFrame) -> Shape:
        """The shape of the last frame, which is `upright`."""
        size = upright.width, upright.height
        return Shape(*size, upright.format.name, self.sample_aspect_ratio, self.orientation)

    def _turn_as(self, frame: av.VideoFrame) -> None:
        if frame.rotation != self._rotation and is_oblique(frame):
            self._report(f"the rotation is {frame.rotation} degrees; the nearest quarter turn is used")
        self._rotation = frame.rotation
        orientation = self._matrix.orientation_of(frame)
        if orientation != self.orientation:
            self.orientation = orientation
            if orientation.transposed and frame.interlaced_frame:
                self._report("interlaced frames are turned by a quarter: the rows of their fields become columns")
            self._turner = Rotator(orientation, self._turner.crop, self._report)


def _report_for(name: str, report: Callable[[str], None], line: str) -> None:
    report(f"{name}: {line}")


def _container_ratio(stream: VideoStream, crop: Crop, coded: Fraction) -> Fraction:
    """The sample aspect ratio of the container.

    The track size of an MP4 is that of the clean aperture, but FFmpeg 8.1 divides it by the coded size.
    """
    ratio = stream.sample_aspect_ratio or Fraction(1)
    width, height = stream.width - crop.left - crop.right, stream.height - crop.top - crop.bottom
    if ratio != coded and container_kind(stream) == "mov" and width > 0 and height > 0:
        of_aperture = ratio * Fraction(stream.width, stream.height) * Fraction(height, width)
        if abs(of_aperture / coded - 1) < _RATIO_TOLERANCE:
            return coded
    return ratio


def container_crop(container: InputContainer, stream: VideoStream) -> Crop:
    """The crop in the container: the PixelCrop elements of Matroska, the clean aperture of MP4.

    PyAV 18.1 has no access to a stream's side data, but FFmpeg writes it into its description of the input
    (libavformat/dump.c). Metadata in that description cannot be confused with it: their keys are padded to 16
    characters.
    """
    with capture_log(av.logging.INFO):
        description: str = cast(Any, container).dumps_format()  # not in PyAV's type stubs
    index = -1
    for line in description.splitlines():
        if match := _STREAM.match(line):
            index = int(match[1])
        elif index == stream.index and (match := _CROPPING.match(line)):
            left, right, top, bottom = map(int, match.groups())
            return Crop(left, top, right, bottom)
    return NO_CROP
