"""Small grey copies of frames, and the detection of cuts. Pure functions, called by the display thread."""

from __future__ import annotations

import math
from typing import NamedTuple

import av
import cv2
import numpy as np
import numpy.typing as npt

from streamer.values.frame import Frame

Grey = npt.NDArray[np.uint8]

_PIXELS = 480 * 270
_LOST = 0.6
_FLAT_LEVELS = 4.0
_LIKENESS = 0.5
# Formats whose first plane is luma with one byte per sample.
_LUMA_FIRST = ("yuv4", "yuvj4", "nv", "gray")


class Thumbnail(NamedTuple):
    """A small grey copy of a frame.

    Attributes:
        grey: uint8 `(H, W)`.
        scale: thumbnail pixels per pixel of the frame.
        time_s: media time.
        segment: of the frame.
    """

    grey: Grey
    scale: float
    time_s: float
    segment: int


def thumbnail_of(frame: Frame) -> Thumbnail:
    """The luma of a frame, reduced to about 480x270 pixels; a smaller frame is not scaled."""
    grey = luma_of(frame.picture)
    height, width = grey.shape
    # Halving averages four pixels exactly and is fast; the rest is interpolated.
    while width * height >= 4 * _PIXELS:
        grey = np.asarray(cv2.resize(grey, (width // 2, height // 2), interpolation=cv2.INTER_AREA), np.uint8)
        height, width = grey.shape
    share = math.sqrt(_PIXELS / (width * height))
    if share < 1:
        size = round(width * share), round(height * share)
        grey = np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_LINEAR), np.uint8)
    return Thumbnail(grey, grey.shape[1] / frame.width, frame.time_s, frame.segment)


def luma_of(picture: av.VideoFrame) -> Grey:
    """The luma of a frame, uint8 `(H, W)`; a view of the frame where its format allows it."""
    if not picture.format.name.startswith(_LUMA_FIRST) or picture.format.components[0].bits != 8:
        picture = picture.reformat(format="gray")
    plane = picture.planes[0]
    rows: Grey = np.frombuffer(memoryview(plane), np.uint8)[: plane.line_size * picture.height].reshape(
        picture.height, -1
    )
    return rows[:, : picture.width]


def is_cut(before: Grey, after: Grey, tracked: float) -> bool:
    """Whether a cut lies between two thumbnails: hardly any point is found again, and light and dark areas differ.

    A flash or a change of exposure hides the points too, but does not move light and dark areas.

    Args:
        before: the earlier thumbnail.
        after: the later one, of the same shape.
        tracked: share of the points that were found again, 0 to 1.
    """
    if tracked > _LOST:
        return False
    tiny = [cv2.resize(grey, (16, 9), interpolation=cv2.INTER_AREA).astype(np.float64) for grey in (before, after)]
    one, other = (grey - grey.mean() for grey in tiny)
    spread = one.std() * other.std()
    flat = min(one.std(), other.std()) <= _FLAT_LEVELS
    return not flat and bool((one * other).mean() < _LIKENESS * spread)
