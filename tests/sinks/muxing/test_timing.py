"""Monotonic times, and the time bases of containers."""

from __future__ import annotations

import itertools
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from streamer.sinks.muxing.timing import Timeline, movie_timescale, video_time_base

JUMP = 1000


@given(st.lists(st.integers(-5000, 5000)), st.integers(0, 50))
def test_times_increase_for_any_input(ticks: list[int], duration: int) -> None:
    timeline = Timeline(JUMP)
    placed = [timeline.place(one, duration) for one in ticks]
    assert all(a < b for a, b in itertools.pairwise(placed))


@given(st.lists(st.integers(-5000, 5000), unique=True), st.integers(-100, 100))
def test_increasing_times_are_kept(ticks: list[int], offset: int) -> None:
    timeline = Timeline(JUMP, offset)
    rising = sorted(ticks)
    assert [timeline.place(one) for one in rising] == [one + offset for one in rising]
    assert timeline.moved == timeline.restarts == 0


def test_a_repeated_time_moves_one_frame_by_one_tick() -> None:
    timeline = Timeline(JUMP)
    assert [timeline.place(one, 40) for one in (0, 40, 40, 80)] == [0, 40, 41, 80]
    assert (timeline.moved, timeline.restarts) == (1, 0)


def test_a_timeline_continues_after_a_clock_restart() -> None:
    timeline = Timeline(JUMP)
    assert [timeline.place(one, 40) for one in (2000, 2040, 0, 40, 80)] == [2000, 2040, 2080, 2120, 2160]
    assert (timeline.moved, timeline.restarts) == (0, 1)


def test_every_container_except_avi_has_the_input_time_base() -> None:
    fps = Fraction(30000, 1001)
    assert video_time_base("mp4", Fraction(1, 90000), fps, constant=True) == Fraction(1, 90000)
    assert video_time_base("avi", Fraction(1, 90000), fps, constant=True) == 1 / fps
    assert video_time_base("avi", Fraction(1, 90000), fps, constant=False) == Fraction(1, 1000)
    assert video_time_base("avi", Fraction(1, 90000), None, constant=True) == Fraction(1, 1000)


def test_the_movie_time_scale_is_exact_for_every_track() -> None:
    assert movie_timescale(Fraction(1, 25), []) == 12800
    assert movie_timescale(Fraction(1, 12800), [Fraction(1, 48000)]) % 48000 == 0
    assert movie_timescale(Fraction(1, 1_000_000_000), [Fraction(1, 44100)]) == 1_000_000_000
