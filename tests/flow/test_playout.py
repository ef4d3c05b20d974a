"""Frames that arrive in bursts are shown at the pace at which they were filmed; others on arrival."""

from __future__ import annotations

import logging
from fractions import Fraction

import av
import numpy as np
import pytest

from streamer.flow.playout import MOST_S, Playout
from streamer.values.frame import Frame

PICTURE = av.VideoFrame(16, 16, "yuv420p")


def due_times(arrivals_s: list[float], fps: float, playout: Playout, *, segment: int = 0) -> list[float]:
    due_s = []
    for index, arrived_s in enumerate(arrivals_s):
        pts = round(index * 90000 / fps)
        due_s.append(playout.due_s(Frame(PICTURE, index, pts, Fraction(1, 90000), arrived_s, segment)))
    return due_s


def bursts(size: int, fps: float, count: int) -> list[float]:
    """Arrival times of frames that are sent when the last one of their burst was filmed."""
    return [(index // size * size + size - 1) / fps + index % size * 0.002 for index in range(count)]


@pytest.mark.parametrize("fps", [10.0, 25.0, 50.0])
@pytest.mark.parametrize("size", [2, 5, 8, 12])
def test_bursts_are_shown_evenly(size: int, fps: float) -> None:
    playout = Playout()
    due_s = due_times(bursts(size, fps, 300), fps, playout)
    steps_s = np.diff(due_s[-150:])
    if (size - 1) / fps <= MOST_S:
        assert steps_s == pytest.approx(1 / fps, abs=0.005)
        assert playout.delay_s == pytest.approx((size - 1) / fps, abs=0.025)
    assert all(steps_s >= -1e-9)


def test_the_delay_is_bounded() -> None:
    playout = Playout()
    arrivals_s = bursts(100, 25.0, 1000)
    due_s = due_times(arrivals_s, 25.0, playout)
    assert playout.delay_s == MOST_S
    assert all(0 <= due - arrived <= MOST_S for due, arrived in zip(due_s, arrivals_s, strict=True))


@pytest.mark.parametrize("jitter_s", [0.0, 0.01, 0.02])
def test_frames_that_arrive_one_by_one_are_shown_at_once(jitter_s: float) -> None:
    generator = np.random.default_rng(3)
    arrivals_s = [index / 25 + generator.uniform(0, jitter_s) for index in range(500)]
    assert due_times(arrivals_s, 25.0, Playout()) == arrivals_s


def test_occasional_pauses_cause_no_delay() -> None:
    arrivals_s = [max(index / 25, 4.0 if 50 < index < 100 else 0.0) for index in range(500)]  # delayed from 2 s to 4 s
    playout = Playout()
    due_s = due_times(arrivals_s, 25.0, playout)
    assert due_s[150:] == arrivals_s[150:]
    assert playout.delay_s == 0


def test_the_delay_ends_with_the_bursts() -> None:
    arrivals_s = bursts(10, 25.0, 250) + [index / 25 for index in range(250, 800)]
    playout = Playout()
    due_s = due_times(arrivals_s, 25.0, playout)
    assert due_s[245] > arrivals_s[245]
    assert due_s[700:] == arrivals_s[700:]


def test_a_fixed_delay_applies_to_every_frame() -> None:
    arrivals_s = [index / 25 for index in range(100)]
    assert due_times(arrivals_s, 25.0, Playout(0.3)) == pytest.approx([arrived + 0.3 for arrived in arrivals_s])
    assert due_times(bursts(5, 25.0, 100), 25.0, Playout(0.0)) == bursts(5, 25.0, 100)


def test_a_new_connection_is_measured_again() -> None:
    playout = Playout(0.1)
    due_times([index / 25 for index in range(50)], 25.0, playout)
    later_s = [900 + index / 25 for index in range(50)]  # media time begins at 0 again
    assert due_times(later_s, 25.0, playout, segment=1) == pytest.approx([one + 0.1 for one in later_s])


def test_bursts_are_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        due_times(bursts(8, 25.0, 500), 25.0, Playout())
    assert caplog.messages == [
        "frames arrive in bursts (camera, network or a busy machine): they are shown up to 0.27 s after they arrive"
    ]


def test_clock_drift_is_not_a_burst() -> None:
    for factor in (0.999, 1.001):
        arrivals_s = [index / 25 * factor for index in range(2000)]
        due_s = due_times(arrivals_s, 25.0, Playout())
        assert due_s == arrivals_s
