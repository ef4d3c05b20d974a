"""Waits between retries grow, stay within bounds, and differ between instances."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.system.backoff import FIRST_S, LONGEST_S, Backoff

SEEDS = st.integers(0, 2**32)


class Without(random.Random):
    """No jitter: the middle of each range."""

    def uniform(self, a: float, b: float) -> float:
        return (a + b) / 2


def waits(backoff: Backoff, count: int) -> list[float]:
    return [backoff.next_s() for _ in range(count)]


def test_waits_grow_by_half_up_to_the_longest() -> None:
    got = waits(Backoff(jitter=Without()), 20)
    assert got[0] == FIRST_S
    growing = [wait_s for wait_s in got if wait_s < LONGEST_S]
    assert all(after == pytest.approx(1.5 * before) for before, after in itertools.pairwise(growing))
    assert len(growing) < len(got)
    assert got[len(growing) :] == [LONGEST_S] * (len(got) - len(growing))


@given(seed=SEEDS, first_s=st.floats(0.01, 10), factor=st.floats(1, 1000), count=st.integers(1, 40))
def test_jitter_is_a_quarter_and_never_exceeds_the_longest_wait(
    seed: int, first_s: float, factor: float, count: int
) -> None:
    longest_s = first_s * factor
    exact = waits(Backoff(first_s, longest_s, jitter=Without()), count)
    for got, middle in zip(waits(Backoff(first_s, longest_s, jitter=random.Random(seed)), count), exact, strict=True):
        assert 0.75 * middle - 1e-9 <= got <= min(1.25 * middle, longest_s) + 1e-9


@given(seed=SEEDS, tries=st.integers(1, 30))
def test_reset_returns_to_the_first_wait(seed: int, tries: int) -> None:
    backoff = Backoff(jitter=random.Random(seed))
    waits(backoff, tries)
    backoff.reset()
    assert backoff.next_s() <= 1.25 * FIRST_S


def test_two_instances_have_different_waits() -> None:
    assert waits(Backoff(), 5) != waits(Backoff(), 5)


def test_jitter_covers_its_whole_range() -> None:
    firsts = [Backoff(jitter=random.Random(seed)).next_s() / FIRST_S for seed in range(500)]
    assert min(firsts) < 0.8
    assert max(firsts) > 1.2


@pytest.mark.parametrize(("first_s", "longest_s"), [(0.0, 1.0), (-1.0, 1.0), (2.0, 1.0)])
def test_invalid_waits_are_refused(first_s: float, longest_s: float) -> None:
    with pytest.raises(ValueError, match="at most the longest wait"):
        Backoff(first_s, longest_s)
