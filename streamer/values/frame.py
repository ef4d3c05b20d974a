"""A decoded frame with its exact time, as it is passed through the pipeline.

A frame is created by the capture thread and read by all others. Its picture is immutable: it is copied before something
is drawn on it (`streamer.render`).
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

import av
import cv2
import numpy as np
import numpy.typing as npt
from av.video.reformatter import ColorRange, VideoReformatter

from streamer.values import colour

RgbArray = npt.NDArray[np.uint8]
"""uint8 `(height, width, 3)`: red, green and blue, full range."""
Plane = npt.NDArray[np.uint8]
"""uint8 `(height, width)`: one colour."""
BgrArray = npt.NDArray[np.uint8]
"""The same with blue first, as OpenCV reads and writes pictures."""


class _Scaler(threading.local):
    """One swscale context per thread: a new one takes 0.3 ms per frame at 1280x720."""

    def __init__(self) -> None:
        self.reformatter = VideoReformatter()


_scaler = _Scaler()


def held_bytes(picture: av.VideoFrame) -> int:
    """The memory of a decoded frame."""
    return sum(plane.buffer_size for plane in picture.planes)


class FrameKey(NamedTuple):
    """The number of a stream and of a frame in it; both count from 0, over all connections of a run."""

    stream: int
    number: int


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """A decoded frame in its native pixel format.

    Attributes:
        picture: the decoded frame, upright (rotation applied). Must not be changed.
        index: 0-based number of the frame.
        pts: presentation time in units of `time_base`, exactly as in the container.
        time_base: seconds per tick of `pts`, an exact rational.
        captured_s: monotonic clock at arrival, seconds; before decoding where the source is live.
        segment: +1 at each reconnection, loop of the sender's video or change of format; trackers are reset there.
        duration: display time in ticks of `time_base`, 0 if unknown.
        corrupt: the decoder flagged the frame as damaged.
        damage: why detectors must not use it (`packet loss`); empty if there is no reason.
        raw_pts: the sender's time, if `pts` was corrected or moved; otherwise None.
        wall_clock_s: the sender's wall clock, seconds since 1970, if the protocol has it; else None.
        arrival_wall_clock_s: this machine's wall clock at arrival, seconds since 1970; None if the source is not live.
        sample_aspect_ratio: width of a displayed pixel by its height; None if it is that of `StreamInfo`.
        interlaced: the rows alternate between two fields; `rgb` returns the first field only.
        key: the frame in a recording of the packets; None if there is none.
        stream: name of the stream in a program that runs several; else empty.
        file: name of the picture, within the folder that is read and with / between folders; empty for a video.

    Raises:
        ValueError: a negative index or segment, or a time base that is not positive.
    """

    picture: av.VideoFrame
    index: int
    pts: int
    time_base: Fraction
    captured_s: float
    segment: int = 0
    duration: int = 0
    corrupt: bool = False
    damage: str = ""
    raw_pts: int | None = None
    wall_clock_s: float | None = None
    arrival_wall_clock_s: float | None = None
    key: FrameKey | None = None
    sample_aspect_ratio: Fraction | None = None
    interlaced: bool = False
    stream: str = ""
    file: str = ""

    def __post_init__(self) -> None:
        if self.index < 0 or self.segment < 0:
            raise ValueError("index and segment count from 0")
        if self.time_base <= 0:
            raise ValueError(f"time base must be positive, not {self.time_base}")

    @property
    def time_s(self) -> float:
        """Media time in seconds: `pts * time_base`."""
        # Python rounds the quotient of two integers correctly: the same number as that of the fraction, but faster.
        return self.pts * self.time_base.numerator / self.time_base.denominator

    @property
    def width(self) -> int:
        """Width in pixels, upright."""
        return self.picture.width

    @property
    def height(self) -> int:
        """Height in pixels, upright."""
        return self.picture.height

    def rgb(self, size: tuple[int, int] | None = None) -> RgbArray:
        """The frame as full-range RGB.

        Converted from the native planes in one step with the stream's colour matrix and range. Only the upper field of
        an interlaced frame is used, which avoids combing.

        Args:
            size: `(width, height)` in pixels to scale to, without keeping the aspect ratio: by area averaging if both
                shrink, else bilinear. The frame's own size if None.

        Returns:
            uint8 `(height, width, 3)`, contiguous; a new array on each call.
        """
        size = size or (self.width, self.height)
        # swscale takes 0.52 ms to scale 1280x720 to 300x300 with 4 bytes per pixel, 0.84 ms with 3 bytes.
        shrinks = self._shrinks(size)
        array = self._converted(size, "rgba" if shrinks else "rgb24").to_ndarray()
        return np.ascontiguousarray(cv2.cvtColor(array, cv2.COLOR_RGBA2RGB) if shrinks else array, np.uint8)

    def rgb_planes(self, size: tuple[int, int]) -> tuple[Plane, Plane, Plane]:
        """The frame as three planes, for models that take one plane a colour; scaled like `rgb`.

        Args:
            size: `(width, height)` in pixels.

        Returns:
            Red, green and blue, each uint8 `(height, width)`; rows may be padded. Must not be changed.
        """
        converted = self._converted(size, "gbrp")
        rows = (np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size) for plane in converted.planes)
        green, blue, red = (plane[: size[1], : size[0]] for plane in rows)
        return red, green, blue

    def _converted(self, size: tuple[int, int], pixel_format: str) -> av.VideoFrame:
        """The frame in this size and RGB format, from the native planes in one step."""
        return _scaler.reformatter.reformat(
            _upper_field(self.picture) if self.interlaced else self.picture,
            width=size[0],
            height=size[1],
            format=pixel_format,
            src_colorspace=colour.swscale_matrix(self.picture),
            src_color_range=ColorRange.JPEG if colour.is_full_range(self.picture) else ColorRange.MPEG,
            dst_color_range=ColorRange.JPEG,
            interpolation="AREA" if self._shrinks(size) else "BILINEAR",
            threads=1,
        )

    def _shrinks(self, size: tuple[int, int]) -> bool:
        return size[0] < self.width and size[1] < self.height

    def bgr(self) -> BgrArray:
        """`rgb` with the channels in the order that OpenCV uses."""
        return bgr_of(self.rgb())


def bgr_of(rgb: RgbArray) -> BgrArray:
    """A contiguous copy with blue first."""
    return np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), np.uint8)


def _upper_field(picture: av.VideoFrame) -> av.VideoFrame:
    """Every second row of each plane, from the first: a frame of half the height with the same colour tags and time.

    Args:
        picture: of any format whose planes hold rows of pixels.
    """
    field = av.VideoFrame(picture.width, (picture.height + 1) // 2, picture.format.name)
    for source, target in zip(picture.planes, field.planes, strict=True):
        rows = np.frombuffer(memoryview(source), np.uint8).reshape(-1, source.line_size)[: source.height : 2]
        copied = np.frombuffer(memoryview(target), np.uint8).reshape(-1, target.line_size)
        width = min(source.line_size, target.line_size)
        height = min(len(rows), target.height)
        copied[:height, :width] = rows[:height, :width]
        copied[height : target.height] = copied[height - 1]
    field.colorspace, field.color_range = picture.colorspace, picture.color_range
    field.pts, field.time_base = picture.pts, picture.time_base or field.time_base
    return field
