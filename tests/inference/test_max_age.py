"""Bounds on the time between two detections: which can be kept, and the arithmetic of the others."""

from __future__ import annotations

import heapq
import math
import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.errors import ConfigError
from streamer.inference.max_age import check_max_age
from streamer.inference.policies import GainPolicy
from streamer.inference.policy import Candidate


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


@given(st.integers(1, 12), st.integers(1, 3), st.sampled_from([1.0, 1.01, 1.5, 2.0, 3.0]), st.integers(0, 1000))
def test_the_policy_keeps_a_bound_that_is_accepted(cameras: int, workers: int, rounds: float, seed: int) -> None:
    detect_s = 0.4
    bound_s = rounds * math.ceil(cameras / workers) * detect_s
    check_max_age({f"c{number}": bound_s for number in range(cameras)}, detect_s=detect_s, workers=workers)
    assert longest_wait_s(cameras, workers, bound_s, detect_s, random.Random(seed)) <= bound_s + 1e-6


def longest_wait_s(cameras: int, workers: int, bound_s: float, detect_s: float, chance: random.Random) -> float:
    """The longest time between two detections of a camera, of which a frame always waits, on a simulated clock."""
    policy, longest = GainPolicy(), 0.0
    began, busy_until, turns = [0.0] * cameras, [0.0] * cameras, [0] * cameras
    workers_free = [0.0] * workers
    for _ in range(40 * cameras):
        now_s = heapq.heappop(workers_free)
        waiting = [number for number in range(cameras) if busy_until[number] <= now_s + 1e-9]
        if not waiting:
            heapq.heappush(workers_free, min(until for until in busy_until if until > now_s))
            continue
        chosen = policy.choose(
            [
                Candidate(one, turns[one], now_s - began[one], chance.choice([0.0, 0.0, 5.0]), detect_s, bound_s)
                for one in waiting
            ],
            workers,
        )
        assert chosen is not None
        one = chosen.stream
        longest = max(longest, now_s - began[one])
        began[one], busy_until[one] = now_s, now_s + detect_s
        turns[one] += 1
        heapq.heappush(workers_free, now_s + detect_s)
    return longest
