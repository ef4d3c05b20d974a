"""The quality of a picture of an object: each factor, in each pixel format."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from streamer.clips.picture_quality import quality_without_sharpness, sharpness
from tests.render.scenes import painted

SIZE = (320, 240)
BOX = (100.0, 60.0, 200.0, 180.0)


def chessboard(blur: int = 1) -> np.ndarray:
    rows, columns = np.indices((SIZE[1], SIZE[0])) // 6
    grey = np.where((rows + columns) % 2 == 0, 180, 60).astype(np.uint8)
    return cv2.blur(cv2.merge([grey] * 3), (blur, blur))


@pytest.mark.parametrize(
    "pixel_format",
    [
        "yuv420p",
        "yuvj420p",
        "nv12",
        "yuv422p10le",
        "p010le",
        "yuyv422",
        "uyvy422",
        "rgb24",
        "gbrp",
        "gray",
        "yuv444p16be",
    ],
)
def test_sharpness_is_that_of_the_luma_in_every_pixel_format(pixel_format: str) -> None:
    sharp, blurred = (sharpness(painted(chessboard(blur), pixel_format), BOX) for blur in (1, 7))
    assert sharp == pytest.approx(sharpness(painted(chessboard()), BOX), abs=0.08)
    assert blurred < 0.5 * sharp


@pytest.mark.parametrize("box", [(-50.0, -50.0, 0.0, 0.0), (10.0, 10.0, 12.0, 90.0), (400.0, 10.0, 500.0, 90.0)])
def test_a_box_without_pixels_is_not_sharp(box: tuple[float, ...]) -> None:
    assert sharpness(painted(chessboard()), box) == 0.0


def test_a_large_object_is_as_sharp_as_a_small_one() -> None:
    small, large = (sharpness(painted(cv2.resize(chessboard(5), None, fx=scale, fy=scale)), box)
                    for scale, box in ((1, BOX), (3, tuple(3 * edge for edge in BOX))))  # fmt: skip
    assert large == pytest.approx(small, abs=0.15)


def test_the_whole_object_counts_more_than_a_part_of_it() -> None:
    whole = quality_without_sharpness(BOX, 0.8, 0.0, SIZE)
    at_the_edge = quality_without_sharpness((0.0, 60.0, 100.0, 180.0), 0.8, 0.0, SIZE)
    half_outside = quality_without_sharpness((-50.0, 60.0, 50.0, 180.0), 0.8, 0.0, SIZE)
    assert whole > at_the_edge > half_outside > 0
    assert quality_without_sharpness((-90.0, 60.0, -10.0, 180.0), 0.8, 0.0, SIZE) == 0.0


def test_a_box_that_was_not_detected_lately_counts_less() -> None:
    assert quality_without_sharpness(BOX, 0.8, 1.0, SIZE) < quality_without_sharpness(BOX, 0.6, 0.0, SIZE)


def test_a_nearer_object_counts_more() -> None:
    near = quality_without_sharpness((50.0, 30.0, 250.0, 210.0), 0.8, 0.0, SIZE)
    assert near > 1.5 * quality_without_sharpness(BOX, 0.8, 0.0, SIZE)
