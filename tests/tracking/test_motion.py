"""The filter knows seconds, not steps."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking.boxes import Array
from tracking.motion import MovingBoxes

FIRST = np.array([[100.0, 50.0, 40.0, 80.0]])


def walk(times_s: Array, velocity: Array) -> MovingBoxes:
    boxes = MovingBoxes(FIRST)
    for before_s, time_s in itertools.pairwise(times_s.tolist()):
        boxes.advance(time_s - before_s)
        boxes.correct(np.array([0]), FIRST + velocity * (time_s - times_s[0]))
    return boxes


@given(steps=st.lists(st.floats(0, 0.5), min_size=1, max_size=8))
def test_many_short_steps_equal_a_long_one(steps: list[float]) -> None:
    one, many = (
        walk(np.array([0.0, 0.1]), np.array([30.0, 0, 0, 0])),
        walk(np.array([0.0, 0.1]), np.array([30.0, 0, 0, 0])),
    )
    one.advance(sum(steps))
    for step_s in steps:
        many.advance(step_s)
    for name in ("state", "velocity", "variances"):
        assert getattr(many, name) == pytest.approx(getattr(one, name), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("fps", [5, 25, 120])
def test_learns_the_speed_in_pixels_a_second_at_any_rate(fps: int) -> None:
    boxes = walk(np.arange(0, 2, 1 / fps), np.array([60.0, -20.0, 0.0, 0.0]))
    assert boxes.velocity[0, :2] == pytest.approx([60, -20], rel=0.1)


def test_extrapolating_changes_nothing_and_never_turns_a_box_inside_out() -> None:
    boxes = walk(np.array([0.0, 0.1, 0.2]), np.array([0.0, 0.0, -100.0, -100.0]))
    before = boxes.state.copy()
    assert (boxes.extrapolate(10.0)[:, 2:] == 0).all()
    assert np.array_equal(boxes.state, before)
