"""The policies: who is next, and that no stream waits longer than its bound."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.inference.policies import GainPolicy, RoundRobin
from streamer.inference.policy import Candidate, Policy
from streamer.inference.turn_record import TurnRecord

ROUNDING_S = 1e-6


def candidate(
    stream: int, *, gain: float = 1.0, age_s: float = 0.5, turns: int = 1, priority: float = 1.0
) -> Candidate:
    return Candidate(stream, turns, age_s, gain, detect_s=0.1, max_age_s=2.0, priority=priority)


def chosen(policy: Policy, *candidates: Candidate, workers: int = 1) -> int:
    """The number of the chosen stream, whatever the order of the candidates."""
    found = {policy.choose(order, workers).stream for order in (candidates, candidates[::-1])}
    assert len(found) == 1
    return found.pop()


def test_gain_prefers_the_stream_whose_screen_is_probably_worst() -> None:
    assert chosen(GainPolicy(), candidate(1, gain=0.2), candidate(2, gain=0.9), candidate(3, gain=0.5)) == 2


def test_priority_is_a_factor_of_the_gain() -> None:
    assert chosen(GainPolicy(), candidate(1, gain=0.2, priority=5.0), candidate(2, gain=0.9)) == 1


def test_of_equal_gains_the_oldest_is_first_then_the_first_to_join() -> None:
    assert chosen(GainPolicy(), candidate(1), candidate(2, age_s=0.6), candidate(3)) == 2
    assert chosen(GainPolicy(), candidate(3), candidate(2), candidate(4)) == 2


def test_a_stream_near_its_bound_precedes_every_gain() -> None:
    assert chosen(GainPolicy(), candidate(1, gain=100.0), candidate(2, gain=0.0, age_s=1.9)) == 2


def test_streams_near_their_bounds_together_begin_in_time() -> None:
    old = [candidate(number, gain=0.0, age_s=1.4) for number in range(2, 8)]
    assert chosen(GainPolicy(), candidate(1, gain=100.0), *old) == 2
    assert chosen(GainPolicy(), candidate(1, gain=100.0), *old, workers=4) == 1


def test_round_robin_serves_the_oldest_and_new_streams_first() -> None:
    assert chosen(RoundRobin(), candidate(1, age_s=0.3), candidate(2, age_s=0.4), candidate(3, age_s=0.2)) == 2
    assert chosen(RoundRobin(), candidate(1, age_s=0.9), candidate(2, age_s=0.0, turns=0)) == 2


@dataclass
class Camera:
    """A stream whose frames arrive at `first_s + n * interval_s`."""

    record: TurnRecord
    first_s: float
    interval_s: float
    gains: Sequence[float]
    busy_until_s: float = 0.0
    taken: int = -1

    def newest(self, now_s: float) -> int:
        return math.floor((now_s - self.first_s) / self.interval_s + ROUNDING_S)

    def waits(self, now_s: float) -> bool:
        return now_s + ROUNDING_S >= self.busy_until_s and self.newest(now_s) > self.taken

    def next_s(self, now_s: float) -> float:
        """When a frame waits next, if none does."""
        return max(self.first_s + max(self.newest(now_s) + 1, 0) * self.interval_s, self.busy_until_s)

    def gain(self) -> float:
        return self.gains[self.record.turns % len(self.gains)]


def longest_wait_s(
    cameras: Sequence[Camera], policy: Policy, workers: int, detect_s: float, max_age_s: float, until_s: float
) -> float:
    """Run the cameras on a simulated clock; returns the longest time between two turns of one of them."""
    free_s, now_s = [0.0] * workers, 0.0
    while now_s < until_s:
        for camera in cameras:
            if camera.newest(now_s) >= 0:
                camera.record.wait(max(camera.first_s, 0.0))
        waiting = [one for one in cameras if one.waits(now_s)]
        if min(free_s) > now_s + ROUNDING_S:
            now_s = min(free_s)
        elif not waiting:
            now_s = min(one.next_s(now_s) for one in cameras)
        else:
            found = [one.record.candidate(now_s, one.gain(), detect_s, max_age_s) for one in waiting]
            number = policy.choose(found, workers).stream
            camera = next(one for one in waiting if one.record.stream == number)
            camera.record.begin(now_s)
            camera.taken, camera.busy_until_s = camera.newest(now_s), now_s + detect_s
            free_s[free_s.index(min(free_s))] = now_s + detect_s
    return max(max(one.record.longest_wait_s, one.record.age_s(now_s)) for one in cameras)


@st.composite
def all_cameras(draw: st.DrawFn) -> list[Camera]:
    gains = st.lists(st.floats(0, 100), min_size=1, max_size=5)
    interval_s, first_s = st.sampled_from([1 / 30, 0.04, 0.1, 1 / 7, 0.5]), st.floats(0, 1)
    count = draw(st.integers(1, 12))
    return [Camera(TurnRecord(each), draw(first_s), draw(interval_s), draw(gains)) for each in range(count)]


@given(all_cameras(), st.integers(1, 4), st.floats(0.01, 0.5), st.floats(1.0, 2.0))
def test_no_stream_waits_longer_than_a_bound_that_can_be_kept(
    cameras: list[Camera], workers: int, detect_s: float, slack: float
) -> None:
    rounds_s = (math.ceil(len(cameras) / workers) + 1) * detect_s
    max_age_s = slack * (rounds_s + max(one.interval_s for one in cameras))
    waited_s = longest_wait_s(cameras, GainPolicy(), workers, detect_s, max_age_s, until_s=20 * max_age_s)
    assert waited_s <= max_age_s + ROUNDING_S


@pytest.mark.parametrize("policy", [GainPolicy(), RoundRobin()])
def test_a_policy_depends_on_its_candidates_alone(policy: Policy) -> None:
    found = [candidate(number, gain=number / 7, age_s=number / 9) for number in range(1, 6)]
    assert {policy.choose(found, 1) for _ in range(3)} == {policy.choose(found[::-1], 1)}
