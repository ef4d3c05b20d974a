"""Media time of a live source: it rises whatever the sender does, and is the sender's own while that makes sense."""

from __future__ import annotations

import itertools
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.sources.live.media_clock import AHEAD_S, BEHIND_S, TIME_BASE, MediaClock

TICK_S = float(TIME_BASE)
TIME_BASES = [Fraction(1, 90000), Fraction(1, 1000), Fraction(1, 24000), Fraction(1, 12800), Fraction(1, 44100)]
ANY_TIME_BASE = st.sampled_from(TIME_BASES)
ANY_PTS = st.one_of(
    st.none(),
    st.integers(-(2**63), 2**63 - 1),
    st.integers(-100, 100_000),
    st.integers(2**32 - 9000, 2**32 + 9000),
    st.integers(2**33 - 9000, 2**33 + 9000),
)
GAPS_S = st.one_of(st.just(0.0), st.floats(0, 0.2), st.floats(0, 60))


def stamps(clock: MediaClock, pts: list[int | None], arrivals_s: list[float], base: Fraction) -> list[int]:
    return [clock.stamp(one, base, arrived_s) for one, arrived_s in zip(pts, arrivals_s, strict=True)]


@given(
    pictures=st.lists(st.tuples(ANY_PTS, GAPS_S, st.booleans(), ANY_TIME_BASE), max_size=60), began_s=st.floats(0, 1e6)
)
def test_media_time_increases_and_stays_near_arrival(
    pictures: list[tuple[int | None, float, bool, Fraction]], began_s: float
) -> None:
    clock, arrived_s, last, first_s = MediaClock(), began_s, -1, None
    for number, (pts, gap_s, reconnects, base) in enumerate(pictures):
        arrived_s += gap_s
        if reconnects:
            clock.restart()
        ticks = clock.stamp(pts, base, arrived_s)
        assert ticks > last
        first_s = arrived_s if first_s is None else first_s
        # Each frame takes at least one tick, although all arrive at once with equal time stamps.
        ahead_s = ticks * TICK_S - (arrived_s - first_s)
        assert -BEHIND_S - 1e-3 <= ahead_s <= AHEAD_S + number * TICK_S + 1e-3
        last = ticks


@given(
    steps=st.lists(st.integers(1, 3000), min_size=1, max_size=100),
    first=st.integers(-(2**40), 2**40),
    delays_s=st.lists(st.floats(0, 0.99), min_size=101, max_size=101),
    base=ANY_TIME_BASE,
)
def test_spacing_is_the_senders_with_arrival_jitter_up_to_a_second(
    steps: list[int], first: int, delays_s: list[float], base: Fraction
) -> None:
    # No step below a tick, or two pictures would have to share one.
    pts = [first, *(first + total * max(1, base.denominator // 1000) for total in itertools.accumulate(steps))]
    arrivals_s, arrived_s = [], 0.0
    for one, delay_s in zip(pts, delays_s, strict=False):
        arrived_s = max(arrived_s, float((one - first) * base) + delay_s)  # TCP keeps the order
        arrivals_s.append(arrived_s)
    clock = MediaClock()
    ticks = stamps(clock, list(pts), arrivals_s, base)
    exact = [(one - first) * base / TIME_BASE for one in pts]
    assert max(abs(tick - right) for tick, right in zip(ticks, exact, strict=True)) <= 1
    assert clock.repairs == 0


@pytest.mark.parametrize("hiccup_s", [2.0, 5.0, 9.0])
def test_a_burst_after_a_hiccup_keeps_the_senders_spacing(hiccup_s: float) -> None:
    pts = list(range(0, 3600 * 1000, 3600))
    held_until_s = 10.0 + hiccup_s
    arrivals_s = [held_until_s if 10 <= k / 25 < held_until_s else k / 25 for k in range(1000)]
    clock = MediaClock()
    assert stamps(clock, list(pts), arrivals_s, TIME_BASE) == pts
    assert clock.repairs == 0


@pytest.mark.parametrize(
    "jump", [3600 * 90000, -3600 * 90000, -(2**32), -(2**33), 2**32, 2 * 90000], ids=lambda jump: f"{jump / 90000:g} s"
)
def test_a_jump_of_the_senders_clock_costs_one_repair_and_no_gap(jump: int) -> None:
    raw = [k * 3600 + (jump if k >= 50 else 0) for k in range(100)]
    clock = MediaClock()
    ticks = stamps(clock, list(raw), [k / 25 for k in range(100)], TIME_BASE)
    assert ticks == [k * 3600 for k in range(100)]
    assert clock.repairs == 1


def test_a_forward_step_that_arrival_confirms_is_no_jump() -> None:
    clock = MediaClock()
    assert stamps(clock, [0, 3600, 3600 + 60 * 90000], [0.0, 0.04, 60.04], TIME_BASE)[-1] == 3600 + 60 * 90000
    assert clock.repairs == 0


def test_frames_without_time_stamps_are_timed_by_arrival() -> None:
    clock = MediaClock()
    assert stamps(clock, [None] * 4, [5.0, 5.1, 5.1, 5.5], TIME_BASE) == [0, 9000, 9001, 45000]


def test_a_missing_time_stamp_does_not_shift_other_frames() -> None:
    pts = [k * 3600 if k % 7 != 3 else None for k in range(60)]
    clock = MediaClock()
    assert stamps(clock, pts, [k / 25 for k in range(60)], TIME_BASE) == [k * 3600 for k in range(60)]
    assert clock.repairs > 0


def test_after_a_reconnection_time_follows_arrival_then_the_new_clock() -> None:
    clock = MediaClock()
    before = stamps(clock, [10**9, 10**9 + 40], [100.0, 100.04], Fraction(1, 1000))
    clock.restart()
    after = stamps(clock, [7, 7 + 12800], [103.04, 104.04], Fraction(1, 12800))
    assert before == [0, 3600]
    assert after == [3600 + 3 * 90000, 3600 + 4 * 90000]
    assert clock.repairs == 0


@pytest.mark.parametrize("drift", [0.02, -0.02])
def test_a_drifting_clock_is_kept_near_arrival_without_a_visible_jump(drift: float) -> None:
    pts = [round(k * 3600 * (1 + drift)) for k in range(25 * 600)]
    arrivals_s = [k / 25 for k in range(len(pts))]
    ticks = stamps(MediaClock(), list(pts), arrivals_s, TIME_BASE)
    off_s = [tick * TICK_S - arrived_s for tick, arrived_s in zip(ticks, arrivals_s, strict=True)]
    assert -BEHIND_S - 0.1 <= min(off_s) <= max(off_s) <= AHEAD_S + 0.1
    assert max(b - a for a, b in itertools.pairwise(ticks)) <= 1.5 * 3600 * 1.02


def test_rounding_does_not_add_up() -> None:
    # 24000/1001 frames a second are 3753.75 ticks each.
    frames = 5000
    pts = [k * 1001 for k in range(frames)]
    ticks = stamps(MediaClock(), list(pts), [k * 1001 / 24000 for k in range(frames)], Fraction(1, 24000))
    assert abs(ticks[-1] - Fraction(pts[-1], 24000) / TIME_BASE) <= 1


def test_a_repeated_time_stamp_is_replaced_by_arrival() -> None:
    clock = MediaClock()
    raw = [70 + step * 3600 for step in (0, 1, 1, 2, 3, 3, 3, 4)]
    assert stamps(clock, list(raw), [9 + k / 25 for k in range(8)], TIME_BASE) == [k * 3600 for k in range(8)]
    assert clock.repairs == 3


@given(
    missing=st.sets(st.integers(1, 98), max_size=20),
    delays_s=st.lists(st.floats(0, 0.9), min_size=100, max_size=100),
)
def test_frames_without_a_time_stamp_do_not_shift_later_frames(missing: set[int], delays_s: list[float]) -> None:
    pts: list[int | None] = [None if k in missing else 500 + k * 3600 for k in range(100)]
    arrivals_s = list(itertools.accumulate((7.0 + k / 25 + late_s for k, late_s in enumerate(delays_s)), max))
    ticks = stamps(MediaClock(), pts, arrivals_s, TIME_BASE)
    assert ticks[0] == 0
    for number, (before, at) in enumerate(itertools.pairwise(ticks), 1):
        assert at > before
        if number not in missing:  # in its own place, but behind one that was put too late
            assert abs(at - max(number * 3600, before + 1)) <= 1


@pytest.mark.parametrize("arrived_s", [0.0, 0.002, 0.03, 0.055])
def test_the_second_frame_follows_an_untimed_first_frame_at_the_interval(arrived_s: float) -> None:
    clock = MediaClock(interval_s=0.04)
    pts: list[int | None] = [None, 3600, 7200, 10800]
    assert stamps(clock, pts, [0.0, arrived_s, arrived_s, arrived_s + 0.04], Fraction(1, 90000)) == [
        0,
        3600,
        7200,
        10800,
    ]
    clock.restart()
    before = clock.stamp(None, Fraction(1, 90000), 10.0)
    assert clock.stamp(999_000, Fraction(1, 90000), 10.0 + arrived_s) == before + 3600


def test_a_much_later_second_frame_is_not_the_next_one() -> None:
    clock = MediaClock(interval_s=0.04)
    assert stamps(clock, [None, 90000, 93600], [0.0, 0.5, 0.54], Fraction(1, 90000)) == [0, 45000, 48600]


def test_frames_of_a_slow_camera_that_are_read_at_once_keep_their_times() -> None:
    clock = MediaClock(interval_s=2.0)
    assert stamps(clock, [0, 180_000, 360_000, 540_000], [4.0, 4.0, 4.0, 6.0], Fraction(1, 90000)) == [
        0,
        180_000,
        360_000,
        540_000,
    ]
