"""Whether boxes are moved on or left where they were is learned from what came later."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from tracking.motion import MovingBoxes
from tracking.velocity_trust import VelocityTrust

Array = npt.NDArray[np.float64]
INTERVAL_S = 0.4
SIZE = np.array([40.0, 80.0])
EVERYBODY = np.arange(6)


def corners(centres: Array) -> Array:
    boxes: Array = np.concatenate([centres - SIZE / 2, centres + SIZE / 2], axis=1)
    return boxes[np.argsort(boxes[:, 0])]


def lived_through(places: Callable[[int], Array], updates: int, *, interval_s: float = INTERVAL_S) -> VelocityTrust:
    """What is known after some updates with boxes that are followed by a filter."""
    hindsight = VelocityTrust()
    sizes = np.tile(SIZE, (len(EVERYBODY), 1))
    boxes = MovingBoxes(np.concatenate([places(0), sizes], axis=1))
    for k in range(updates):
        if k:
            hindsight.look_back(corners(places(k)), k * interval_s)
            boxes.advance(interval_s)
            boxes.correct(EVERYBODY, np.concatenate([places(k), sizes], axis=1))
        hindsight.remember(boxes, EVERYBODY, k * interval_s)
    return hindsight


def apart(k: int) -> Array:
    """Far from each other."""
    return np.stack([300.0 * EVERYBODY, np.zeros(len(EVERYBODY))], axis=1) + 0.0 * k


def walking(k: int) -> Array:
    """Half a width between two updates."""
    places: Array = apart(k) + np.array([20.0 * k, 0.0])
    return places


def swaying(k: int) -> Array:
    """There and back: a velocity is always wrong."""
    places: Array = apart(k) + np.array([18.0 * (k % 2), 0.0])
    return places


def test_steady_walkers_are_moved_on() -> None:
    assert lived_through(walking, 15).doubt < 0.3


def test_whoever_goes_to_and_fro_is_left_where_he_was() -> None:
    assert lived_through(swaying, 15).doubt >= 3.0


def test_it_is_learned_anew_when_things_change() -> None:
    def first_this_then_that(k: int) -> Array:
        return walking(k) if k < 15 else walking(15) + swaying(k) - apart(k)

    assert lived_through(first_this_then_that, 14).doubt < 0.3
    assert lived_through(first_this_then_that, 60).doubt >= 3.0


def test_before_anything_is_known_velocities_count_and_have_to_prove_themselves() -> None:
    assert 0 < VelocityTrust().doubt < 1


def test_who_comes_back_once_in_a_second_rests_until_the_contrary_is_known() -> None:
    assert math.isinf(lived_through(apart, 2, interval_s=1.2).doubt)
    assert lived_through(walking, 15, interval_s=1.2).doubt < 0.3


@pytest.mark.parametrize("seen", [np.empty((0, 4)), corners(apart(0) + 5000.0)], ids=["nothing", "others"])
def test_nothing_is_learned_where_nobody_is_found_again(seen: Array) -> None:
    hindsight = lived_through(walking, 15)
    before = hindsight.doubt
    hindsight.look_back(seen, 15 * INTERVAL_S)
    assert hindsight.doubt == before


def test_a_time_that_does_not_go_forward_does_no_harm() -> None:
    hindsight = lived_through(walking, 15)
    before = hindsight.doubt
    for time_s in (14 * INTERVAL_S, 0.0, -50.0, 1e9):
        hindsight.look_back(corners(walking(14)), time_s)
    assert hindsight.doubt == before
