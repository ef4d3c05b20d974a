"""Times for frames without one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streamer.sources.decode.timestamps import TimestampFiller

ticks = st.integers(-(2**40), 2**40)


@given(times=st.lists(st.tuples(ticks, ticks)), step=st.integers(1, 10_000))
def test_an_existing_time_is_kept(times: list[tuple[int, int]], step: int) -> None:
    clock = TimestampFiller(step)
    assert [clock.fill(pts, dts, 0, 0) for pts, dts in times] == [pts for pts, _ in times]


@given(count=st.integers(1, 50), step=st.integers(1, 10_000), first=ticks)
def test_without_any_time_frames_follow_each_other(count: int, step: int, first: int) -> None:
    clock = TimestampFiller(step)
    times = [clock.fill(first, None, 0, None), *(clock.fill(None, None, 0, None) for _ in range(count))]
    assert times == [first + k * step for k in range(count + 1)]


def test_a_known_duration_takes_precedence_over_the_frame_rate() -> None:
    clock = TimestampFiller(40)
    assert [clock.fill(None, None, duration, None) for duration in (10, 30, 0, 0)] == [0, 10, 40, 80]


@given(delay=st.integers(0, 16), start=ticks, count=st.integers(1, 50))
def test_decoding_times_are_moved_back_by_the_delay_of_the_decoder(delay: int, start: int, count: int) -> None:
    clock = TimestampFiller(1)
    assert [clock.fill(None, start + delay + k, 1, start) for k in range(count)] == [start + k for k in range(count)]


def test_gaps_are_counted_at_a_constant_rate_only() -> None:
    steady, uneven = TimestampFiller(40), TimestampFiller(40)
    for k in range(100):
        if k not in (50, 51, 70):
            steady.fill(40 * k, None, 0, None)
        uneven.fill(40 * k * k, None, 0, None)
    assert steady.gaps == 3
    assert uneven.gaps == 0


def test_times_that_jump_back_and_forth_are_not_gaps() -> None:
    clock = TimestampFiller(40)
    for k in [*range(50), 60, *range(51, 100), 10**9, *range(100, 150)]:
        clock.fill(40 * k, None, 0, None)
    assert clock.gaps == 0


def test_a_stream_that_starts_with_a_time_has_no_delay() -> None:
    clock = TimestampFiller(40)
    assert [clock.fill(pts, dts, 40, 500) for pts, dts in ((700, 620), (None, 740), (None, 780))] == [700, 740, 780]


def test_a_frame_before_the_first_packet_is_not_moved() -> None:
    clock = TimestampFiller(40)
    assert [clock.fill(None, dts, 40, 900) for dts in (820, 860)] == [820, 860]


def test_without_the_first_packet_there_is_no_delay() -> None:
    clock = TimestampFiller(40)
    assert [clock.fill(None, dts, 40, None) for dts in (820, 860)] == [820, 860]


def test_decoding_times_that_repeat_or_go_back_give_rising_times() -> None:
    times = TimestampFiller(3600)
    shown = [times.fill(None, dts, 3600, 0) for dts in (0, 3600, 3600, 1000, 20_000)]
    assert shown == [0, 3600, 7200, 10_800, 20_000]
    times = TimestampFiller(3600)
    # Without a plausible duration a frame lasts one step.
    assert [times.fill(None, dts, 1, 0) for dts in (0, 3600, 3000)] == [0, 3600, 7200]
