"""Lines on the picture: the arrow shows the direction `in`, the words leave the middle free."""

from __future__ import annotations

import av
import numpy as np
import pytest

from streamer.render.canvas import Canvas
from streamer.render.overlays.rules import LineAnnotator
from streamer.values.events import LineState, Points, Watched
from tests.render.scenes import planes_of, scene, tracks

SIZE = (640, 360)


def changed_pixels(points: Points) -> np.ndarray:
    """bool `(height, width)`: where the luma of a grey picture changes."""
    picture = av.VideoFrame.from_ndarray(np.full(SIZE[::-1], 128, np.uint8), format="gray")
    canvas = Canvas(picture)
    watched = Watched(lines=(LineState("gate", points, 3, 1),))
    LineAnnotator().draw(canvas, scene(picture, tracks([]), watched=watched))
    changed: np.ndarray = planes_of(canvas.picture)[0] != planes_of(picture)[0]
    return changed


@pytest.mark.parametrize(
    ("points", "toward"),
    [
        (((0.2, 0.5), (0.8, 0.5)), (0, 1)),
        (((0.8, 0.5), (0.2, 0.5)), (0, -1)),
        (((0.5, 0.9), (0.5, 0.1)), (1, 0)),
        (((0.5, 0.1), (0.5, 0.9)), (-1, 0)),
    ],
    ids=["to the right", "to the left", "up", "down"],
)
def test_an_arrow_points_to_the_side_of_in(points: Points, toward: tuple[int, int]) -> None:
    changed = changed_pixels(points)
    x, y = SIZE[0] // 2 + 12 * toward[0], SIZE[1] // 2 + 12 * toward[1]
    assert changed[y - 1 : y + 2, x - 1 : x + 2].any()
    x, y = SIZE[0] // 2 - 12 * toward[0], SIZE[1] // 2 - 12 * toward[1]
    assert not changed[y - 1 : y + 2, x - 1 : x + 2].any()


def test_the_words_are_at_the_first_point() -> None:
    changed = changed_pixels(((0.1, 0.5), (0.9, 0.5)))
    below = changed[SIZE[1] // 2 + 6 : SIZE[1] // 2 + 16]
    assert below[:, 70:110].all()
    assert not below[:, SIZE[0] // 2 + 20 :].any()
