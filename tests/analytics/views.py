"""Pictures of a street with passers-by, and what can happen to the camera that films it."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache

import av
import cv2
import numpy as np
import numpy.typing as npt

from streamer.values.frame import Frame

Grey = npt.NDArray[np.float64]
Effect = Callable[[Grey, int], Grey]
SIZE = (640, 360)
EVERY_S = 0.5


def street(number: int) -> Grey:
    """Houses with windows, a rough road, and three passers-by who are elsewhere in each picture; levels 0 to 255."""
    picture = _empty_street().copy()
    for walker in range(3):
        x = (number * (17 + 9 * walker) + 200 * walker) % (picture.shape[1] - 30)
        picture[170:260, x : x + 24] = 30 + 70 * walker
    return picture + np.tile(_noise(number, 2), 2)


@lru_cache
def _empty_street() -> Grey:
    generator = np.random.default_rng(3)
    width, height = 2 * SIZE[0], SIZE[1]
    picture = np.full((height, width), 180.0)
    for left in range(0, width, 80):
        top, light = int(generator.integers(20, 120)), float(generator.integers(60, 200))
        picture[top:220, left : left + int(generator.integers(50, 80))] = light
        for y in range(top + 12, 210, 30):
            x = left + int(generator.integers(4, 40))
            picture[y : y + 16, x : x + 10] = light - 50
    road = cv2.GaussianBlur(generator.normal(0, 60, (height - 220, width)), (0, 0), 2)
    picture[220:] = 110 + road
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), 0.6), np.float64)


def _noise(number: int, levels: float) -> Grey:
    return levels * _normal(number % 7)


@lru_cache
def _normal(seed: int) -> Grey:
    return np.random.default_rng(1000 + seed).normal(0, 1, (SIZE[1], SIZE[0]))


def view(picture: Grey, left: int = 0) -> Grey:
    """What a camera that is turned to the right by so many pixels sees of it."""
    return picture[:, left : left + SIZE[0]]


def frame(picture: Grey, number: int, *, time_s: float, segment: int = 0) -> Frame:
    """A frame as after decoding: levels are whole numbers, the encoder has blurred 8x8 blocks."""
    levels = np.clip(picture, 0, 255).astype(np.uint8)
    encoded = cv2.imdecode(cv2.imencode(".jpg", levels, [cv2.IMWRITE_JPEG_QUALITY, 40])[1], cv2.IMREAD_GRAYSCALE)
    return Frame(
        av.VideoFrame.from_ndarray(np.ascontiguousarray(encoded), "gray"),
        index=number,
        pts=round(time_s * 1000),
        time_base=Fraction(1, 1000),
        captured_s=time_s,
        segment=segment,
    )


def cloth(_: Grey, number: int) -> Grey:
    """A woven cloth close to the lens, with folds, that moves a little."""
    x, y = np.arange(SIZE[0]) + number % 3, np.arange(SIZE[1])[:, None]
    weave = 20 * np.sin(x * 2 * np.pi / 7) * np.sin(y * 2 * np.pi / 7)
    folds = 8 * np.sin(x / 90 + 1) + 6 * np.sin(y / 70)
    return np.asarray(60 + weave + folds + _noise(number, 2))


def hand(picture: Grey, number: int) -> Grey:
    """A hand on the lens: light that shines through."""
    return np.asarray(cv2.blur(cv2.blur(cloth(picture, number), (45, 45)), (45, 45)), np.float64)


def black(_: Grey, number: int) -> Grey:
    return 16 + _noise(number, 1)


def blinded(_: Grey, number: int) -> Grey:
    return 240 + _noise(number, 2)


def blurred(picture: Grey, _: int) -> Grey:
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), 5), np.float64)


def dark(picture: Grey, number: int) -> Grey:
    """The light is off: a tenth of the contrast, and noise."""
    return 18 + picture * 0.1 + _noise(number, 2)


def exposed(picture: Grey, _: int) -> Grey:
    """Exposure has risen until a part of the picture is white."""
    return picture * 1.6


def dimmed(picture: Grey, _: int) -> Grey:
    return picture * 0.4


def foggy(picture: Grey, _: int) -> Grey:
    return 128 + (picture - 128) * 0.25


def infrared(picture: Grey, number: int) -> Grey:
    """At night, by the camera's own lamp: bright in the middle, and edges between other levels, many swapped."""
    y, x = np.mgrid[-1 : 1 : SIZE[1] * 1j, -1 : 1 : SIZE[0] * 1j]
    local = picture - cv2.blur(picture, (101, 101))
    return np.asarray(np.exp(-(x * x + y * y)) * (130 - 0.6 * local) + _noise(number, 4))


def lorry(picture: Grey, _: int) -> Grey:
    """A lorry that stands in three quarters of the picture."""
    shown = picture.copy()
    shown[40:, 100:580] = 150
    shown[40:, 100:580:60] = 80
    shown[120:180, 100:580] = 60
    return shown
