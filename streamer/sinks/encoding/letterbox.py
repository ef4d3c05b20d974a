"""Places pictures in frames of another size and sample aspect ratio, with black bars.

Used by the thread that writes the sink.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Placement:
    """Where the picture is in a frame, in pixels of the frame."""

    x: int
    y: int
    width: int
    height: int


def placement(
    picture: tuple[int, int],
    picture_ratio: Fraction,
    frame: tuple[int, int],
    frame_ratio: Fraction,
    step: tuple[int, int],
) -> Placement:
    """The largest centred rectangle of a frame that has the proportions of a picture.

    Args:
        picture, frame: width and height, pixels.
        picture_ratio, frame_ratio: sample aspect ratios, width by height.
        step: the rectangle is aligned to so many columns and rows (chroma, fields). Thinner bars are omitted, so the
            proportions are correct to that many pixels.
    """
    shape = picture_ratio / frame_ratio * picture[0] / picture[1]  # width by height in pixels of the frame
    width = _rounded(frame[1] * shape, frame[0], step[0])
    height = _rounded(frame[0] / shape, frame[1], step[1])
    x, y = ((whole - part) // 2 for whole, part in zip(frame, (width, height), strict=True))
    return Placement(x // step[0] * step[0], y // step[1] * step[1], width, height)


def _rounded(exact: Fraction, whole: int, step: int) -> int:
    rounded = max(round(exact / step), 1) * step
    return whole if rounded > whole - step else rounded


class Bars:
    """Puts pictures into black frames of the same pixel format.

    Args:
        black: a black frame.
        place: where the pictures go; aligned to the format's chroma.
    """

    def __init__(self, black: av.VideoFrame, place: Placement) -> None:
        self._black = black
        self._place = place

    def __call__(self, picture: av.VideoFrame) -> av.VideoFrame:
        """A new frame; its colour tags are the picture's."""
        frame = av.VideoFrame(self._black.width, self._black.height, picture.format.name)
        for index, plane in enumerate(frame.planes):
            rows, part = plane_rows(frame, index), plane_rows(picture, index)
            rows[:] = plane_rows(self._black, index)
            across, down = round(frame.width / plane.width), round(frame.height / plane.height)
            top, left = self._place.y // down, self._place.x // across * _pixel_bytes(frame, index)
            rows[top : top + part.shape[0], left : left + part.shape[1]] = part
        frame.colorspace, frame.color_range = picture.colorspace, picture.color_range
        return frame


def black_picture(
    size: tuple[int, int], convert: Callable[[av.VideoFrame], av.VideoFrame], *, full_range: bool
) -> av.VideoFrame:
    """A black picture of the format that `convert` makes from rgb24; not for palettes.

    Args:
        size: width and height, pixels.
        convert: takes a picture of that size.
        full_range: black is 0; otherwise it is 16 of 255.
    """
    rgb = av.VideoFrame(*size, "rgb24")
    for plane in rgb.planes:
        plane.update(bytes(plane.buffer_size))
    black = convert(rgb)
    shape = black.format
    if shape.is_rgb or not (shape.is_planar or len(shape.components) == 1):
        return black
    # swscale takes all grey for full range, and rounds the chroma of black down in some formats.
    for index in range(len(black.planes)):
        inside = [number for number, part in enumerate(shape.components) if part.plane == index]
        samples = [_black_sample(shape, number, full_range) for number in inside]
        rows, pixel = plane_rows(black, index), b"".join(samples)
        rows[:] = np.frombuffer(pixel * (rows.shape[1] // len(pixel)), np.uint8)
    return black


def _black_sample(shape: av.VideoFormat, number: int, full_range: bool) -> bytes:
    """The bytes of one component of a YUV or grey pixel."""
    part = shape.components[number]
    value = 0 if full_range else 16 << part.bits - 8
    if part.is_alpha:
        value = (1 << part.bits) - 1
    elif len(shape.components) > 2 and number > 0:  # `is_chroma` of PyAV is false without subsampling
        value = 1 << part.bits - 1
    if re.match(r"p\d", shape.name):  # P010 and the like have their bits at the upper end
        value <<= 16 - part.bits
    return value.to_bytes((part.bits + 7) // 8, "big" if shape.name.endswith("be") else "little")


def can_have_bars(pixel_format: str) -> bool:
    """Whether pictures of a format can be put into frames: whole bytes per pixel, and no palette."""
    return pixel_format != "pal8" and av.VideoFormat(pixel_format).padded_bits_per_pixel >= 8


def plane_rows(picture: av.VideoFrame, index: int) -> npt.NDArray[np.uint8]:
    """A view of the samples of one plane: uint8 `(height, bytes of a row)`."""
    plane = picture.planes[index]
    rows: npt.NDArray[np.uint8] = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)
    return rows[:, : plane.width * _pixel_bytes(picture, index)]


def _pixel_bytes(picture: av.VideoFrame, index: int) -> int:
    """Bytes that a pixel takes in a plane."""
    if len(picture.planes) == 1:
        return picture.format.padded_bits_per_pixel // 8
    inside = [part for part in picture.format.components if part.plane == index]
    return (inside[0].bits + 7) // 8 * len(inside)
