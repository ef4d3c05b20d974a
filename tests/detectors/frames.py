"""Frames made of arrays, for tests of detectors."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import numpy.typing as npt

from streamer.values.frame import Frame

UInt8Array = npt.NDArray[np.uint8]


def frame_of(rgb: UInt8Array, *, pixel_format: str = "rgb24", index: int = 0) -> Frame:
    """A frame that shows uint8 RGB `(h, w, 3)`, stored in `pixel_format`."""
    picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), "rgb24")
    if pixel_format != "rgb24":
        picture = picture.reformat(format=pixel_format)
    return Frame(picture, index, index, Fraction(1, 25), float(index))


def blank(width: int, height: int) -> UInt8Array:
    """A black frame."""
    return np.zeros((height, width, 3), np.uint8)


def street(width: int, height: int, seed: int = 0) -> UInt8Array:
    """Many overlapping blocks of colour, which give many detections of low score."""
    random = np.random.default_rng(seed)
    rgb = np.full((height, width, 3), 120, np.uint8)
    for _ in range(40):
        x, y = int(random.integers(width)), int(random.integers(height))
        w, h = int(random.integers(1, max(2, width // 3))), int(random.integers(1, max(2, height // 3)))
        rgb[y : y + h, x : x + w] = random.integers(0, 256, 3)
    return rgb
