"""The small grey pictures that are compared, and whether two of them are of one shot. Pure functions; the main thread
calls them.
"""

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
# Planes whose first one is luma with a byte a sample.
_LUMA_FIRST = ("yuv4", "yuvj4", "nv", "gray")


class Thumbnail(NamedTuple):
    """What is left of a frame.

    Attributes:
        grey: uint8 `(H, W)`.
        scale: its pixels per pixel of the frame.
        time_s: media time.
        segment: of the frame.
    """

    grey: Grey
    scale: float
    time_s: float
    segment: int


def thumbnail_of(frame: Frame) -> Thumbnail:
    """The luma of a frame with about 480x270 pixels, or as many as it has."""
    grey = _luma(frame.picture)
    height, width = grey.shape
    # Halving averages four pixels exactly and is cheap; the rest is interpolated.
    while width * height >= 4 * _PIXELS:
        grey = np.asarray(cv2.resize(grey, (width // 2, height // 2), interpolation=cv2.INTER_AREA), np.uint8)
        height, width = grey.shape
    share = math.sqrt(_PIXELS / (width * height))
    if share < 1:
        size = round(width * share), round(height * share)
        grey = np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_LINEAR), np.uint8)
    return Thumbnail(grey, grey.shape[1] / frame.width, frame.time_s, frame.segment)


def _luma(picture: av.VideoFrame) -> Grey:
    if not picture.format.name.startswith(_LUMA_FIRST) or picture.format.components[0].bits != 8:
        picture = picture.reformat(format="gray")
    plane = picture.planes[0]
    rows: Grey = np.frombuffer(memoryview(plane), np.uint8)[: plane.line_size * picture.height].reshape(
        picture.height, -1
    )
    return rows[:, : picture.width]


def is_cut(before: Grey, after: Grey, followed: float) -> bool:
    """Whether these are two shots: hardly anything is recognized, and light and dark lie elsewhere.

    A flash or a change of exposure hides the points, too, but leaves light and dark where they were.

    Args:
        before: the earlier picture.
        after: the later one, of the same shape.
        followed: what share of the points was found again, 0 to 1.
    """
    if followed > _LOST:
        return False
    tiny = [cv2.resize(grey, (16, 9), interpolation=cv2.INTER_AREA).astype(np.float64) for grey in (before, after)]
    one, other = (picture - picture.mean() for picture in tiny)
    spread = one.std() * other.std()
    flat = min(one.std(), other.std()) <= _FLAT_LEVELS
    return not flat and bool((one * other).mean() < _LIKENESS * spread)
