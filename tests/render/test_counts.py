"""The table of counts: what it has, where it is, and that it always fits."""

from __future__ import annotations

import numpy as np
import pytest

from streamer.render.canvas import Canvas
from streamer.render.overlays.counts import CountsAnnotator
from streamer.values.events import LineState, Watched, ZoneState
from tests.render.scenes import noise, same_pixels, scene, tracks

AREA = ((0.1, 0.1), (0.9, 0.1), (0.9, 0.9))
GATE = LineState("gate", AREA[:2], 25, 3)
DOOR = ZoneState("door", AREA, 2, 14)
BOX = (10.0, 100.0, 60.0, 180.0)


def drawn(annotator: CountsAnnotator, watched: Watched, *, size: tuple[int, int] = (640, 360), cars: int = 1) -> Canvas:
    canvas = Canvas(noise(*size))
    shown = tracks([BOX] * cars, labels=[1] * cars)
    annotator.draw(canvas, scene(canvas.picture, shown, watched=watched))
    return canvas


def test_the_table_is_in_the_upper_right_corner_and_reserves_its_place() -> None:
    canvas = drawn(CountsAnnotator(), Watched(lines=(GATE,), zones=(DOOR,)))
    (panel,) = canvas.reserved
    assert (panel[1], panel[2]) == (0, 640)
    assert panel[0] > 640 * 0.6
    assert panel[3] < 360 * 0.6
    before, after = (np.frombuffer(memoryview(one.planes[0]), np.uint8) for one in (noise(640, 360), canvas.picture))
    stride = canvas.picture.planes[0].line_size
    changed = (before != after).reshape(-1, stride)[:360, :640]
    assert not changed[:, : int(panel[0])].any()
    assert not changed[int(panel[3]) :].any()


@pytest.mark.parametrize(
    "other",
    [
        Watched(lines=(LineState("gate", AREA[:2], 26, 3),), zones=(DOOR,)),
        Watched(lines=(LineState("gate", AREA[:2], 25, 4),), zones=(DOOR,)),
        Watched(lines=(GATE,), zones=(ZoneState("door", AREA, 3, 14),)),
        Watched(lines=(GATE,), zones=(ZoneState("door", AREA, 2, 15),)),
    ],
)
def test_each_count_is_shown(other: Watched) -> None:
    annotator = CountsAnnotator()
    first = drawn(annotator, Watched(lines=(GATE,), zones=(DOOR,)))
    assert not same_pixels(first.picture, drawn(annotator, other).picture)


def test_the_objects_now_and_so_far_are_shown() -> None:
    annotator = CountsAnnotator()
    two, one = (drawn(annotator, Watched(), cars=cars) for cars in (2, 1))
    assert not same_pixels(two.picture, one.picture)  # now
    assert not same_pixels(one.picture, drawn(CountsAnnotator(), Watched(), cars=1).picture)  # so far


def test_a_table_that_is_too_tall_leaves_rows_out() -> None:
    lines = tuple(LineState(f"gate {number}", AREA[:2], number, 0) for number in range(100))
    canvas = drawn(CountsAnnotator(), Watched(lines=lines), size=(320, 240))
    (panel,) = canvas.reserved
    assert 120 < panel[3] <= 240


def test_a_table_that_is_too_wide_is_left_out() -> None:
    assert list(drawn(CountsAnnotator(), Watched(lines=(GATE,)), size=(64, 240)).reserved) == []


def test_a_long_name_is_cut() -> None:
    long = LineState("the gate behind the house of the keeper of the park", AREA[:2], 1, 2)
    (panel,) = drawn(CountsAnnotator(), Watched(lines=(long,))).reserved
    assert panel[0] > 320
