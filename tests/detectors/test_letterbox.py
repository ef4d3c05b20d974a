"""A frame in a square input, and its boxes back in the frame."""

from __future__ import annotations

import numpy as np
import pytest

from streamer.detectors.letterbox import Letterbox


@pytest.mark.parametrize(
    ("width", "height", "place"),
    [
        (416, 416, (0, 0, 416, 416)),
        (1280, 720, (0, 91, 416, 234)),
        (720, 1280, (91, 0, 234, 416)),
        (480, 360, (0, 52, 416, 312)),
        (333, 251, (0, 51, 416, 314)),
        (3000, 20, (0, 206, 416, 3)),
        (20, 3000, (206, 0, 3, 416)),
        (5000, 1, (0, 207, 416, 1)),
        (1, 1, (0, 0, 416, 416)),
    ],
)
def test_frames_of_any_shape_fit(width: int, height: int, place: tuple[int, int, int, int]) -> None:
    assert Letterbox.fit(width, height, 416, 416) == place


@pytest.mark.parametrize("size", [(416, 416), (1280, 720), (720, 1280), (333, 251), (3000, 20), (1, 1), (17, 5000)])
def test_the_edges_of_the_place_are_those_of_the_frame(size: tuple[int, int]) -> None:
    width, height = size
    place = Letterbox.fit(width, height, 416, 416)
    right, low = place.left + place.width, place.top + place.height
    middle = [place.left + place.width / 2, place.top + place.height / 2]
    boxes = np.array([[place.left, place.top, right, low], [*middle, right, low]], np.float32)
    expected = np.array([[0, 0, width, height], [width / 2, height / 2, width, height]])
    np.testing.assert_allclose(place.in_frame(boxes, width, height), expected, rtol=1e-6)


def test_no_boxes_stay_no_boxes() -> None:
    assert Letterbox.fit(640, 480, 416, 416).in_frame(np.empty((0, 4), np.float32), 640, 480).shape == (0, 4)
