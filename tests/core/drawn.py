"""Drawn scenes: textured objects that move over a textured background."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import av
import cv2
import numpy as np
import numpy.typing as npt

from streamer.frame import Frame

SIZE = (320, 240)
FPS = 30
Grey = npt.NDArray[np.uint8]


def texture(width: int, height: int, seed: int) -> Grey:
    """Random blobs with corners everywhere, about 8 px large."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(20, 236, (height // 8 + 1, width // 8 + 1)).astype(np.uint8)
    return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)


def frame(picture: Grey, index: int, *, segment: int = 0) -> Frame:
    """A grey picture as a frame that arrived on time."""
    native = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="gray")
    return Frame(native, index, index, Fraction(1, FPS), index / FPS, segment)


def scene(index: int, places: Sequence[tuple[float, float]] = ()) -> Grey:
    """The picture of a moment: objects of 48x64 px with their top left corners at `places`, 80 px off the picture's."""
    del index
    background = texture(480, 400, 0)
    for number, (x, y) in enumerate(places):
        there = np.array([[1, 0, x], [0, 1, y]], np.float64)
        thing, mask = texture(48, 64, 100 + number), np.full((64, 48), 255, np.uint8)
        drawn = cv2.warpAffine(thing, there, (480, 400), flags=cv2.INTER_LINEAR)
        covers = cv2.warpAffine(mask, there, (480, 400), flags=cv2.INTER_LINEAR)
        background = np.where(covers > 127, drawn, background).astype(np.uint8)
    return background[80:320, 80:400]


def box_at(index: int, place: tuple[float, float]) -> npt.NDArray[np.float64]:
    """Where such an object is in the picture, `(4,)`."""
    del index
    x, y = place
    return np.array([x - 80, y - 80, x - 32, y - 16])
