"""The choice of points: on objects first, one per cell, tracked points are kept."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.motion.corners import CELL_PX, corners
from tests.motion.drawn import HEIGHT, WIDTH, Drawn, flat

PICTURE = Drawn().picture(0)
NO_POINTS = np.empty((0, 2), np.float32)
NOWHERE = np.empty((0, 4))


def cells(points: np.ndarray) -> list[tuple[int, int]]:
    return [(int(x), int(y)) for x, y in np.floor_divide(points, CELL_PX)]


coordinate = st.floats(-500, 800, allow_nan=False)
rectangles = st.lists(st.tuples(coordinate, coordinate, st.floats(0, 300), st.floats(0, 300)), max_size=6)


@settings(max_examples=60, deadline=None)
@given(rectangles=rectangles, most=st.integers(0, 300), share=st.floats(0, 1))
def test_objects_get_points_first_and_a_cell_at_most_one(
    rectangles: list[tuple[float, float, float, float]], most: int, share: float
) -> None:
    boxes = np.array([(x, y, x + w, y + h) for x, y, w, h in rectangles]).reshape(-1, 4)
    most_inside = int(share * most)
    found = corners(PICTURE, NO_POINTS, boxes, most, most_inside)
    assert len(found.points) <= most
    assert found.inside.sum() <= most_inside
    assert len(set(cells(found.points))) == len(found.points)
    assert (found.origins == -1).all()
    for (x, y), inside in zip(found.points, found.inside, strict=True):
        column, row = x // CELL_PX * CELL_PX, y // CELL_PX * CELL_PX
        covered = (boxes[:, 0] < column + CELL_PX) & (boxes[:, 2] > column)
        covered &= (boxes[:, 1] < row + CELL_PX) & (boxes[:, 3] > row)
        if inside != covered.any():  # a box that only touches a cell may count or not
            touching = (boxes[:, :2] <= (column + CELL_PX, row + CELL_PX)) & (boxes[:, 2:] >= (column, row))
            assert touching.all(axis=1).any()


def test_the_remaining_points_are_placed_elsewhere() -> None:
    small = np.array([[100.0, 100, 120, 120]])
    found = corners(PICTURE, NO_POINTS, small, 200, 150)
    assert len(found.points) == 200
    assert 4 <= found.inside.sum() <= 16


def test_a_small_object_gets_more_points_than_its_share() -> None:
    box = np.array([[60.0, 60, 120, 150]])
    known = corners(PICTURE, NO_POINTS, box, 200, 150)
    unknown = corners(PICTURE, NO_POINTS, NOWHERE, 200, 150)
    within = ((unknown.points > box[0, :2]) & (unknown.points < box[0, 2:])).all(axis=1)
    assert known.inside.sum() > 3 * within.sum()


def test_tracked_points_keep_their_places() -> None:
    first = corners(PICTURE, NO_POINTS, NOWHERE, 200, 0)
    drifted = first.points + np.float32(0.3)
    found = corners(PICTURE, drifted, NOWHERE, 200, 0)
    known = found.origins >= 0
    assert known.mean() > 0.7
    assert found.points[known] == pytest.approx(drifted[found.origins[known]])


def test_points_outside_the_frame_are_dropped() -> None:
    outside = np.array([(-3, 20), (WIDTH + 1, 20), (20, HEIGHT + 9), (20, -1)], np.float32)
    assert (corners(PICTURE, outside, NOWHERE, 5000, 0).origins == -1).all()


def test_a_uniform_frame_has_no_corners() -> None:
    assert len(corners(flat(128), NO_POINTS, NOWHERE, 200, 0).points) == 0
