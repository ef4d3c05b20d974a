"""The frame ledger balances, and stage times are right within their bins."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.stats import Ledger, RunStats, StageTimes


@given(st.lists(st.tuples(st.sampled_from(["detected", "dropped", "corrupt"]), st.integers(1, 5)), max_size=30))
def test_what_entered_is_settled_or_in_flight(events: list[tuple[str, int]]) -> None:
    ledger = Ledger()
    for state, frames in events:
        ledger.enter(frames + 1)
        ledger.settle(state, "cause", frames)
    states = ("detected", "dropped", "corrupt")
    assert ledger.entered == ledger.in_flight + sum(ledger.count(state) for state in states)
    assert ledger.in_flight == len(events)


def test_a_frame_cannot_be_settled_twice() -> None:
    ledger = Ledger()
    ledger.enter()
    ledger.settle("detected")
    with pytest.raises(ValueError, match="in flight"):
        ledger.settle("dropped", "twice")


@given(st.lists(st.floats(1e-6, 100), min_size=1, max_size=200), st.sampled_from([50, 95, 100]))
def test_percentiles_are_exact_to_two_and_a_half_percent(durations_s: list[float], percent: int) -> None:
    times = StageTimes()
    for duration_s in durations_s:
        times.add(duration_s)
    exact = sorted(durations_s)[math.ceil(len(durations_s) * percent / 100) - 1]
    assert times.percentile_s(percent) == pytest.approx(exact, rel=0.025)
    assert times.total_s == pytest.approx(sum(durations_s))


def test_merged_times_are_those_of_both() -> None:
    one, other = StageTimes(), StageTimes()
    one.add(0.1)
    other.add(10.0)
    one.merge(other)
    assert one.count == 2
    assert one.percentile_s(100) == pytest.approx(10.0, rel=0.025)


def test_the_bottleneck_is_the_busiest_stage_for_its_threads() -> None:
    stats = RunStats()
    stats.add_time("detect", 3.0)
    stats.add_time("encode", 2.0)
    assert stats.bottleneck == "detect"
    stats.threads["detect"] = 2
    assert stats.bottleneck == "encode"
