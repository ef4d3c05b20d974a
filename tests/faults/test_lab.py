"""Each quick fault of the lab once: the program recovers, and ends during the fault. `make faults` runs the rest."""

from __future__ import annotations

import math

import pytest

from tests.faults.lab import result, runner
from tests.faults.lab.catalog import SCENARIOS

RECOVERS_WITHIN_S = 20.0
HEALTHY_S = 0.3
QUICK = [name for name, scenario in SCENARIOS.items() if scenario.quick]


@pytest.mark.slow
@pytest.mark.parametrize("name", QUICK)
def test_the_program_recovers_and_leaves_nothing_behind(name: str) -> None:
    scenario = SCENARIOS[name]()
    series = runner.Series(scenario, repetitions=1, stops=1, healthy_s=HEALTHY_S, lasts_most_s=0.6)
    done = series.run()
    assert done.problems == ()
    assert len(done.recovery_s) == 1
    assert done.recovery_s[0] < RECOVERS_WITHIN_S
    if scenario.ends_with is None:
        assert len(done.stop_s) == 1


@pytest.mark.slow
@pytest.mark.parametrize("name", ["loss_10", "garbage", "left_out"])
def test_damaged_frames_never_reach_the_detector(name: str) -> None:
    done = runner.Series(SCENARIOS[name](), repetitions=1, stops=0, healthy_s=HEALTHY_S, lasts_most_s=2.0).run()
    assert done.figures["damaged"] > 0
    assert done.figures["damaged in the detector"] == 0
    assert done.figures["recall"] == 1.0


def test_percentiles_are_measured_values() -> None:
    values = [float(value) for value in range(1, 21)]
    assert [result.percentile(values, percent) for percent in (0, 50, 95, 100)] == [1.0, 10.0, 19.0, 20.0]
    assert math.isnan(result.percentile([], 50))


def test_a_repetition_without_recovery_is_a_failure() -> None:
    good = result.Result("fault", 2.5, 2, (1.0, 2.0), (0.1,), (), {})
    late = result.Result("fault", 2.5, 2, (1.0, 3.0), (0.1,), (), {})
    gone = result.Result("fault", 2.5, 2, (1.0,), (0.1,), (), {})
    odd = result.Result("fault", 2.5, 2, (1.0, 2.0), (0.1,), ("media time went back",), {})
    assert [each.is_good for each in (good, late, gone, odd)] == [True, False, False, False]
    assert "too slow" in result.line(late)
    assert "media time went back" in result.line(odd)
