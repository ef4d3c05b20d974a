"""The measured delay: it rises at once, and falls slowly after a minute of quicker detections."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from itertools import pairwise

import pytest

from streamer.presentation.delay import FALL_SPEED, QUICK_S, Delay

INTERVAL_S = 0.04


def needed_s(wait_s: float) -> float:
    return wait_s * 1.1 + INTERVAL_S


class Frames:
    """Frames that arrive every 40 ms; the detection that a frame waits for takes `wait_s(now_s)`."""

    def __init__(self, delay: Delay | None = None) -> None:
        self.delay = delay or Delay()
        self.now_s = 0.0
        self.shown: list[tuple[float, float]] = []
        """Arrival and time of display."""
        self._waiting: deque[float] = deque()
        self._next_result_s = 0.0

    def run(self, duration_s: float, wait_s: Callable[[float], float]) -> None:
        end_s = self.now_s + duration_s
        while self.now_s < end_s:
            self._waiting.append(self.now_s)
            if self.now_s >= self._next_result_s:
                wait = wait_s(self.now_s)
                self.delay.add(wait, INTERVAL_S, now_s=self.now_s, next_s=self._waiting[0])
                self._next_result_s = self.now_s + wait
            self.now_s += INTERVAL_S
            while self._waiting and (due_s := self.due_s(self._waiting[0])) is not None and due_s <= self.now_s:
                self.shown.append((self._waiting.popleft(), due_s))

    def due_s(self, arrived_s: float) -> float | None:
        delay_s = self.delay.of(arrived_s)
        return None if delay_s is None else arrived_s + delay_s

    @property
    def held_s(self) -> float:
        """How long the last frame was held back."""
        return self.shown[-1][1] - self.shown[-1][0]


def quick(_: float) -> float:
    return 0.1


def slow(_: float) -> float:
    return 1.4


def test_the_first_delay_ignores_the_first_detection_of_a_model() -> None:
    delay = Delay()
    for wait_s in (9.0, 0.5, 0.5):
        delay.add(wait_s, INTERVAL_S, now_s=9.0, next_s=9.0)
    assert delay.chosen_s is None, "not after the first wait"
    assert delay.of(9.0) is None
    delay.add(0.5, INTERVAL_S, now_s=10.0, next_s=10.0)
    assert delay.chosen_s == pytest.approx(needed_s(0.5))


def test_the_delay_rises_at_once(caplog: pytest.LogCaptureFixture) -> None:
    frames = Frames()
    frames.run(20, lambda _: 0.5)
    frames.run(20, lambda _: 0.8)
    assert frames.delay.chosen_s == pytest.approx(needed_s(0.8))
    assert caplog.messages[1:] == [
        "frames are shown 0.92 s after they arrive: they wait up to 0.80 s for the next detection; "
        "the delay falls after a minute of shorter waits"
    ]


def test_a_single_slow_detection_does_not_raise_the_delay() -> None:
    frames = Frames()
    frames.run(30, lambda now_s: 3.0 if now_s == 0 else 0.5)
    frames.run(0.5, lambda _: 3.0)
    frames.run(30, lambda _: 0.5)
    assert frames.delay.chosen_s == pytest.approx(needed_s(0.5))


def test_after_a_stall_the_delay_falls_back_to_its_former_value(caplog: pytest.LogCaptureFixture) -> None:
    """A browser starts at minute 1: six detections take 1.4 s instead of 0.1 s."""
    frames = Frames()
    frames.run(60, quick)
    former_s = frames.held_s
    frames.run(6 * 1.4, slow)
    assert frames.held_s == pytest.approx(needed_s(1.4))
    frames.run(QUICK_S, quick)
    assert frames.held_s == pytest.approx(needed_s(1.4)), "not before detections have been quicker for a minute"
    frames.run(45, quick)
    assert frames.held_s == pytest.approx(former_s)
    (lowered,) = caplog.messages[2:]
    assert lowered == "frames are shown 0.15 s after they arrive from now on: waits for detections are shorter"


def test_while_the_delay_falls_frames_are_played_5_percent_faster() -> None:
    frames = Frames()
    frames.run(60, quick)
    frames.run(6 * 1.4, slow)
    began = len(frames.shown)
    frames.run(120, quick)
    shown = frames.shown[began:]
    intervals_s = [after[1] - before[1] for before, after in pairwise(shown)]
    assert min(intervals_s) == pytest.approx(INTERVAL_S / FALL_SPEED)
    assert max(intervals_s) == pytest.approx(INTERVAL_S)
    faster_s = sum(interval_s < 0.99 * INTERVAL_S for interval_s in intervals_s) * INTERVAL_S
    assert faster_s == pytest.approx((needed_s(1.4) - needed_s(0.1)) / (1 - 1 / FALL_SPEED), rel=0.02)


def test_a_detector_that_is_hardly_quicker_does_not_change_the_delay() -> None:
    frames = Frames()
    frames.run(30, lambda _: 0.5)
    frames.run(600, lambda _: 0.42)
    assert frames.delay.chosen_s == pytest.approx(needed_s(0.5))


def test_a_detector_that_is_often_slow_gets_a_steady_delay(caplog: pytest.LogCaptureFixture) -> None:
    """Twenty slow seconds every two minutes: each fall would be followed by two rises, which stop the picture."""
    frames = Frames()
    frames.run(60, quick)
    frames.run(3600, lambda now_s: 0.1 if now_s % 120 > 20 else 0.8 if now_s % 120 < 10 else 1.4)
    assert len(caplog.messages) <= 6
    assert frames.held_s == pytest.approx(needed_s(1.4))


def test_rare_stalls_do_not_keep_the_delay_high(caplog: pytest.LogCaptureFixture) -> None:
    """Ten slow seconds every half hour."""
    frames = Frames()
    frames.run(4 * 1800 - 1, lambda now_s: 1.4 if 60 < now_s % 1800 < 70 else 0.1)
    raised = [message for message in caplog.messages if "they wait up to" in message]
    lowered = [message for message in caplog.messages if "from now on" in message]
    assert (len(raised), len(lowered)) == (5, 4), "the first one is the first delay"
    assert frames.held_s == pytest.approx(needed_s(0.1))


def test_a_fixed_delay_is_kept() -> None:
    frames = Frames(Delay(0.3))
    frames.run(120, slow)
    assert frames.delay.chosen_s == 0.3
    assert frames.held_s == pytest.approx(0.3)
