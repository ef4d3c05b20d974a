"""Crossings of generated walks, against the exact crossings of their true paths."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings

from tests.analytics.oracle import Walk, walks


@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(walks())
def test_a_walk_with_jitter_misses_and_flicker_counts_exactly(walk: Walk) -> None:
    assert walk.counted() == walk.directions


@pytest.mark.slow
@settings(max_examples=500, suppress_health_check=[HealthCheck.too_slow])
@given(walks())
def test_many_walks_count_exactly(walk: Walk) -> None:
    assert walk.counted() == walk.directions
