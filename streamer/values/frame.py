"""One decoded picture with its exact time, as every stage of the pipeline hands it on.

A frame is made by the capture thread and read by all others. Its picture is treated as immutable: whoever wants to
draw copies the planes first (`streamer.render`).
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


class _Scaler(threading.local):
    """One swscale context a thread: making it anew costs 0.3 ms a picture at 1280x720."""

    def __init__(self) -> None:
        self.reformatter = VideoReformatter()


_scaler = _Scaler()


def held_bytes(picture: av.VideoFrame) -> int:
    """What a picture holds in memory."""
    return sum(plane.buffer_size for plane in picture.planes)


class FrameKey(NamedTuple):
    """Which picture of which stream: both count from 0, over all connections of a run."""

    stream: int
    number: int


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """A decoded picture in its native pixel format.

    Attributes:
        picture: the decoder's picture, upright (rotation applied). Never written to.
        index: 0-based count of the frames that the decoder gave.
        pts: presentation time in units of `time_base`, exactly as the container gave it.
        time_base: seconds per tick of `pts`, an exact rational.
        captured_s: monotonic clock at arrival, seconds; before decoding where the source is live.
        segment: +1 at each reconnect, loop or change of format; a tracker starts anew there.
        duration: display time in ticks of `time_base`, 0 where the container does not tell.
        corrupt: the decoder flagged the picture as damaged.
        damage: why no detector should see it (`packet loss`); empty where nothing is known against it.
        raw_pts: what the sender gave where `pts` had to be repaired or moved; None if `pts` is that, or nothing came.
        wall_clock_s: the sender's wall clock, seconds since 1970, where the protocol tells it; else None.
        sample_aspect_ratio: width of a pixel by its height, as it is shown; None where it is that of `StreamInfo`.
        interlaced: the rows of the picture show two moments in turn; `rgb` gives the first of them alone.
        key: where the picture is in what a recorder keeps of the packets; None where none does.
        stream: name of the stream in a program that runs several; else empty.

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
    key: FrameKey | None = None
    sample_aspect_ratio: Fraction | None = None
    interlaced: bool = False
    stream: str = ""

    def __post_init__(self) -> None:
        if self.index < 0 or self.segment < 0:
            raise ValueError("index and segment count from 0")
        if self.time_base <= 0:
            raise ValueError(f"time base must be positive, not {self.time_base}")

    @property
    def time_s(self) -> float:
        """Media time in seconds: `pts * time_base`."""
        return float(self.pts * self.time_base)

    @property
    def width(self) -> int:
        """Width of the upright picture in pixels."""
        return self.picture.width

    @property
    def height(self) -> int:
        """Height of the upright picture in pixels."""
        return self.picture.height

    def rgb(self, size: tuple[int, int] | None = None) -> npt.NDArray[np.uint8]:
        """The picture as full-range RGB.

        Made straight from the native planes in one step, in the stream's own colour matrix and range; of an interlaced
        picture from its upper field alone, so that nothing that moves has a comb.

        Args:
            size: `(width, height)` in pixels to scale to, aspect ratio not kept: averaged over areas where both
                shrink, else bilinear; the frame's own if None.

        Returns:
            uint8 `(height, width, 3)`, contiguous; a new array on each call.
        """
        width, height = size or (self.width, self.height)
        source_range = ColorRange.JPEG if colour.is_full_range(self.picture) else ColorRange.MPEG
        shrinks = width < self.width and height < self.height
        converted = _scaler.reformatter.reformat(
            _upper_field(self.picture) if self.interlaced else self.picture,
            width=width,
            height=height,
            # Scaling into 4 bytes a pixel takes swscale 0.52 ms at 1280x720 to 300x300, into 3 bytes 0.84 ms.
            format="rgba" if shrinks else "rgb24",
            src_colorspace=colour.swscale_matrix(self.picture),
            src_color_range=source_range,
            dst_color_range=ColorRange.JPEG,
            interpolation="AREA" if shrinks else "BILINEAR",
            threads=1,
        )
        array = converted.to_ndarray()
        return np.ascontiguousarray(cv2.cvtColor(array, cv2.COLOR_RGBA2RGB) if shrinks else array, np.uint8)


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
