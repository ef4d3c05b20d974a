"""Adaptation to the scores and the flicker of a detector."""

from __future__ import annotations

import numpy as np

from tracking.adaptation import Adaptation


def test_weak_is_relative_to_the_usual_score() -> None:
    for usual in (0.95, 0.5):
        experience = Adaptation()
        experience.take_scores(np.full(50, usual), 0.04)
        assert experience.are_weak(np.array([usual * 0.7, usual * 0.9]), 0.8).tolist() == [True, False]


def test_no_score_is_weak_before_the_first_detection() -> None:
    assert not Adaptation().are_weak(np.array([0.01]), 0.8).any()


def test_old_scores_fade() -> None:
    experience = Adaptation()
    experience.take_scores(np.full(1000, 0.9), 0.0)
    experience.take_scores(np.full(10, 0.4), 120.0)
    assert not experience.are_weak(np.array([0.4]), 0.8).any()


def test_misses_are_flicker_if_at_least_half_are_found_again() -> None:
    experience = Adaptation()
    assert experience.misses_are_flicker
    experience.take_misses(0, 5)
    assert not experience.misses_are_flicker
    # Only about the last twenty misses count.
    experience.take_misses(0, 10_000)
    experience.take_misses(25, 0)
    assert experience.misses_are_flicker
