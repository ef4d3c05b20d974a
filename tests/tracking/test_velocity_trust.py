"""The trust in velocities is learned from later detections."""

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
    """The trust after some updates of filtered boxes."""
    trust = VelocityTrust()
    sizes = np.tile(SIZE, (len(EVERYBODY), 1))
    boxes = MovingBoxes(np.concatenate([places(0), sizes], axis=1))
    for k in range(updates):
        if k:
            trust.score_guesses(corners(places(k)), k * interval_s)
            boxes.advance(interval_s)
            boxes.correct(EVERYBODY, np.concatenate([places(k), sizes], axis=1))
        trust.remember(boxes, EVERYBODY, k * interval_s)
    return trust


def apart(k: int) -> Array:
    """Far apart."""
    return np.stack([300.0 * EVERYBODY, np.zeros(len(EVERYBODY))], axis=1) + 0.0 * k


def walking(k: int) -> Array:
    """Half a width per update."""
    places: Array = apart(k) + np.array([20.0 * k, 0.0])
    return places


def swaying(k: int) -> Array:
    """To and fro: every velocity is wrong."""
    places: Array = apart(k) + np.array([18.0 * (k % 2), 0.0])
    return places


def test_steady_motion_is_extrapolated() -> None:
    assert lived_through(walking, 15).doubt < 0.3


def test_oscillating_objects_are_not_extrapolated() -> None:
    assert lived_through(swaying, 15).doubt >= 3.0


def test_the_doubt_follows_a_change_of_the_scene() -> None:
    def first_this_then_that(k: int) -> Array:
        return walking(k) if k < 15 else walking(15) + swaying(k) - apart(k)

    assert lived_through(first_this_then_that, 14).doubt < 0.3
    assert lived_through(first_this_then_that, 60).doubt >= 3.0


def test_the_prior_trusts_velocities_a_little() -> None:
    assert 0 < VelocityTrust().doubt < 1


def test_the_prior_is_rest_with_one_update_per_second() -> None:
    assert math.isinf(lived_through(apart, 2, interval_s=1.2).doubt)
    assert lived_through(walking, 15, interval_s=1.2).doubt < 0.3


@pytest.mark.parametrize("seen", [np.empty((0, 4)), corners(apart(0) + 5000.0)], ids=["nothing", "others"])
def test_updates_without_detections_change_nothing(seen: Array) -> None:
    trust = lived_through(walking, 15)
    before = trust.doubt
    trust.score_guesses(seen, 15 * INTERVAL_S)
    assert trust.doubt == before


def test_a_time_that_goes_back_is_harmless() -> None:
    trust = lived_through(walking, 15)
    before = trust.doubt
    for time_s in (14 * INTERVAL_S, 0.0, -50.0, 1e9):
        trust.score_guesses(corners(walking(14)), time_s)
    assert trust.doubt == before
