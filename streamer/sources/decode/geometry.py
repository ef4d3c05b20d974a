"""How the pictures of one stream are to be shown: which part of them, which way up, with which pixels.

The container's crop holds for the whole stream; rotation, mirror and the shape of the pixels may change from one
picture to the next. Used by the thread that decodes.
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
_PROGRESSIVE = 1  # AVFieldOrder: 0 is unknown, all above are interlaced
_UPSIDE_DOWN = {2: 3, 3: 2, 4: 5, 5: 4}
_RATIO_TOLERANCE = Fraction(1, 100)  # sizes of tracks are rounded to pixels
_CROPPING = re.compile(r"^ +Frame Cropping: (\d+)/(\d+)/(\d+)/(\d+)$")


@dataclass(frozen=True, slots=True)
class Shape:
    """What makes pictures of one kind: of another size, format, shape of pixels or orientation they are others."""

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
    """Follows the pictures of a stream and gives each as it is to be shown.

    Args:
        container: open, and not read yet.
        stream: its video stream.
        name: of the input.
        say: is told what is not exact, a line each; the log if left out.

    Attributes:
        orientation: of the last picture.
    """

    def __init__(
        self,
        container: InputContainer,
        stream: VideoStream,
        name: str,
        say: Callable[[str], None] = logger.warning,
    ) -> None:
        self.orientation: Orientation = UPRIGHT
        self._stream = stream
        # Not a method: a cycle would keep the container open until the garbage collector comes by.
        self._say = partial(_say_of, name, say)
        self._matrix = DisplayMatrixReader()
        self._rotation = 0
        crop = container_crop(container, stream)
        self._turner = Rotator(UPRIGHT, crop, self._say)
        coded = stream.codec_context.sample_aspect_ratio or Fraction(1)
        self._ratio = _told_ratio(stream, crop, coded)
        # The display size of Matroska holds for all pictures; elsewhere the container repeats what the stream says.
        self._follows_stream = container_kind(stream) != "matroska" and coded == self._ratio

    @property
    def sample_aspect_ratio(self) -> Fraction:
        """Width of a pixel of the last picture by its height, as it is shown."""
        return 1 / self._ratio if self.orientation.transposed else self._ratio

    @property
    def field_order(self) -> int:
        """`AVFieldOrder` of the last picture as it is shown; turned by a quarter, its fields are no rows any more."""
        order = int(self._stream.codec_context.field_order)
        if self.orientation.transposed:
            return min(order, _PROGRESSIVE)
        return _UPSIDE_DOWN.get(order, order) if self.orientation.flipped_y else order

    def upright(self, picture: av.VideoFrame, time_base: Fraction) -> av.VideoFrame:
        """The part of the picture that is to be shown, upright; see `Rotator`."""
        self._turn_as(picture)
        if picture.key_frame and self._follows_stream:
            # The decoder tells of what it read last; pictures from before that still come out of it are no key frames.
            self._ratio = self._stream.codec_context.sample_aspect_ratio or self._ratio
        return self._turner.turn(picture, time_base)

    def shape_of(self, upright: av.VideoFrame) -> Shape:
        """All that must stay as it is for a tracker to go on, of the last picture."""
        size = upright.width, upright.height
        return Shape(*size, upright.format.name, self.sample_aspect_ratio, self.orientation)

    def _turn_as(self, picture: av.VideoFrame) -> None:
        if picture.rotation != self._rotation and is_oblique(picture):
            self._say(f"asks to be turned by {picture.rotation} degrees; the nearest quarter turn is used")
        self._rotation = picture.rotation
        orientation = self._matrix.orientation_of(picture)
        if orientation != self.orientation:
            self.orientation = orientation
            if orientation.transposed and picture.interlaced_frame:
                self._say("interlaced pictures are turned by a quarter: the rows of their fields become columns")
            self._turner = Rotator(orientation, self._turner.crop, self._say)


def _say_of(name: str, say: Callable[[str], None], line: str) -> None:
    say(f"{name}: {line}")


def _told_ratio(stream: VideoStream, crop: Crop, coded: Fraction) -> Fraction:
    """The sample aspect ratio that the container tells.

    The size that an MP4 gives its track is that of the clean aperture, but FFmpeg 8.1 divides it by the coded size.
    """
    ratio = stream.sample_aspect_ratio or Fraction(1)
    width, height = stream.width - crop.left - crop.right, stream.height - crop.top - crop.bottom
    if ratio != coded and container_kind(stream) == "mov" and width > 0 and height > 0:
        of_aperture = ratio * Fraction(stream.width, stream.height) * Fraction(height, width)
        if abs(of_aperture / coded - 1) < _RATIO_TOLERANCE:
            return coded
    return ratio


def container_crop(container: InputContainer, stream: VideoStream) -> Crop:
    """What the container says is not to be shown: the PixelCrop elements of Matroska, the clean aperture of MP4.

    PyAV 18.1 gives no access to a stream's side data, but FFmpeg writes it into its own description of the input
    (libavformat/dump.c). Metadata in that description cannot be taken for it: their keys are padded to 16 characters.
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
