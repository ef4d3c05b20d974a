"""The filter works in seconds, not in steps."""

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
def test_the_velocity_is_in_pixels_per_second_at_any_rate(fps: int) -> None:
    boxes = walk(np.arange(0, 2, 1 / fps), np.array([60.0, -20.0, 0.0, 0.0]))
    assert boxes.velocity[0, :2] == pytest.approx([60, -20], rel=0.1)


def test_extrapolation_is_pure_and_gives_valid_boxes() -> None:
    boxes = walk(np.array([0.0, 0.1, 0.2]), np.array([0.0, 0.0, -100.0, -100.0]))
    before = boxes.state.copy()
    assert (boxes.extrapolate(10.0)[:, 2:] == 0).all()
    assert np.array_equal(boxes.state, before)


def mean_error_px(observed: Array, truth: Array, *, learns: bool) -> float:
    """The mean error of the filter over the last half of the true boxes; both `(T, N, 4)`, 10 per second."""
    boxes, rows = MovingBoxes(observed[0], 0.5, adapts_noise=learns), np.arange(observed.shape[1])
    errors = []
    for seen, true in zip(observed[1:], truth[1:], strict=True):
        boxes.advance(0.1)
        errors.append(np.abs(boxes.state - true)[:, :2].mean())
        boxes.correct(rows, seen)
    return float(np.mean(errors[len(errors) // 2 :]))


def crowd(places: Array) -> Array:
    """Boxes of 40x80 px at places `(T, N, 2)`."""
    return np.concatenate([places, np.broadcast_to([40.0, 80.0], places.shape)], axis=2)


def test_noise_rises_for_objects_that_turn_quickly() -> None:
    angle = np.arange(150)[:, None] / 3 + np.arange(5)
    turning = crowd(np.stack([60 * np.cos(angle), 60 * np.sin(angle)], axis=2) + 500)
    assert mean_error_px(turning, turning, learns=True) < 0.8 * mean_error_px(turning, turning, learns=False)


def test_noise_falls_if_the_detector_jitters() -> None:
    rng = np.random.default_rng(0)
    steady = crowd(np.arange(150)[:, None, None] * np.array([6.0, 0.0]) + np.zeros((1, 5, 2)) + 500)
    jittering = steady + rng.normal(0, 5, steady.shape) * (1, 1, 0, 0)
    assert mean_error_px(jittering, steady, learns=True) < 0.9 * mean_error_px(jittering, steady, learns=False)


def test_expected_boxes_lie_between_rest_and_the_full_velocity() -> None:
    boxes = walk(np.arange(20) / 10, np.array([30.0, 0, 0, 0]))
    here, there = boxes.state[0, 0], boxes.extrapolate(1.0)[0, 0]
    guesses = [float(boxes.expect(1.0, doubt)[0, 0]) for doubt in (0.0, 0.3, 3.0, float("inf"))]
    assert guesses[0] == pytest.approx(there)
    assert guesses[-1] == pytest.approx(here)
    assert guesses == sorted(guesses, reverse=True)
    assert len(set(guesses)) == 4
