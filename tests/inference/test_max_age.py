"""Bounds on the time between two detections: which can be kept, and the arithmetic of the others."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.errors import ConfigError
from streamer.inference.max_age import check_max_age


def test_the_arithmetic_is_told() -> None:
    with pytest.raises(ConfigError) as caught:
        check_max_age({f"c{number}": 2.0 for number in range(8)}, detect_s=0.4, workers=1)
    assert str(caught.value) == (
        "8 cameras x 0.40 s a detection on 1 worker = 3.20 s a round; detector.max_age_s 2 cannot be kept; set it to "
        "at least 3.3, or use a faster detector, more detector.workers or fewer cameras"
    )


@pytest.mark.parametrize(
    ("bounds", "detect_s", "workers"),
    [
        ({}, 0.4, 1),
        ({"a": 0.4}, 0.4, 1),
        (dict.fromkeys("abcdefgh", 3.2), 0.4, 1),
        (dict.fromkeys("abcdefgh", 1.6), 0.4, 2),
        (dict.fromkeys("abcdefgh"), 5.0, 1),
        ({"a": 1.0, **dict.fromkeys("bcdefg")}, 0.2, 1),
    ],
)
def test_bounds_that_can_be_kept_are_accepted(bounds: dict[str, float | None], detect_s: float, workers: int) -> None:
    check_max_age(bounds, detect_s=detect_s, workers=workers)


@pytest.mark.parametrize(
    ("bounds", "workers", "expected"),
    [
        (dict.fromkeys("abc", 0.7), 2, "3 cameras x 0.40 s a detection on 2 workers = 0.80 s a round"),
        ({"front": 0.5, "yard": None, "gate": 9}, 1, "cameras.front: 0.40 s for a detection that has begun"),
        ({"front": 0.9, "yard": 0.9, "gate": 0.9, "hall": 9}, 1, "(front every 0.9 s, gate every 0.9 s, hall every "),
    ],
)
def test_bounds_of_some_cameras_are_told(bounds: dict[str, float | None], workers: int, expected: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(expected.partition(", hall")[0])):
        check_max_age(bounds, detect_s=0.4, workers=workers)


@given(st.integers(1, 30), st.integers(1, 8), st.floats(0.01, 2), st.floats(0.01, 60))
def test_the_least_bound_that_is_told_is_accepted(cameras: int, workers: int, detect_s: float, bound_s: float) -> None:
    bounds = {f"c{number}": bound_s for number in range(cameras)}
    try:
        check_max_age(bounds, detect_s=detect_s, workers=workers)
    except ConfigError as error:
        found = re.search(r"at least ([\d.]+)", str(error))
        assert found is not None
        check_max_age(dict.fromkeys(bounds, float(found[1])), detect_s=detect_s, workers=workers)
        assert bound_s < math.ceil(cameras / workers) * detect_s
