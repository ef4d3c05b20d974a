"""The loss of a camera is stored once it has lasted, and once only."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from streamer.events.camera_loss import CameraLoss
from streamer.events.timer import Timer
from streamer.store.records import Ending, EventRecord
from streamer.values.events import EventKind, EventPhase

NOW = 1_800_000_000.0


class ByHand(Timer):
    """A timer whose calls the test makes."""

    def __init__(self) -> None:
        self.calls: dict[int, tuple[float, Callable[[], None]]] = {}

    def at(self, time_s: float, call: Callable[[], None]) -> int:
        self.calls[len(self.calls) + 1] = time_s, call
        return len(self.calls)

    def cancel(self, number: int) -> None:
        del self.calls[number]


@pytest.fixture
def timer() -> ByHand:
    return ByHand()


@pytest.fixture
def saved() -> list[tuple[EventRecord, EventPhase]]:
    return []


def loss(timer: Timer, saved: list[tuple[EventRecord, EventPhase]], lost_s: float | None = 10.0) -> CameraLoss:
    return CameraLoss("gate", lost_s, lambda record, phase: saved.append((record, phase)), timer, now=lambda: NOW)


def test_a_long_loss_is_one_event_with_its_reason(timer: ByHand, saved: list[tuple[EventRecord, EventPhase]]) -> None:
    camera = loss(timer, saved)
    since_s = time.monotonic() - 60
    camera.begin("gate: connection refused", since_s)
    camera.begin("gate: still refused", since_s + 20)
    ((due_s, call),) = timer.calls.values()
    assert due_s == since_s + 10
    call()
    camera.begin("gate: still refused", since_s + 40)
    camera.end(since_s + 50)
    (started, first), (ended, last) = saved
    assert (first, last) == (EventPhase.START, EventPhase.END)
    assert (started.kind, started.camera, started.rule) == (EventKind.CAMERA_LOST, "gate", "camera")
    assert started.text == "gate: connection refused"
    assert started.start_time == pytest.approx(NOW - 60, abs=5)
    assert ended.end_time is not None
    assert ended.end_time - ended.start_time == pytest.approx(50, abs=5)
    assert (ended.id, ended.revision, ended.ending) == (started.id, 2, Ending.RULE)


def test_a_short_loss_is_no_event(timer: ByHand, saved: list[tuple[EventRecord, EventPhase]]) -> None:
    camera = loss(timer, saved)
    camera.begin("gone", time.monotonic())
    camera.end(time.monotonic())
    assert saved == []
    assert timer.calls == {}


def test_a_short_loss_does_not_hide_the_next_one(timer: ByHand, saved: list[tuple[EventRecord, EventPhase]]) -> None:
    camera = loss(timer, saved)
    camera.begin("gone", time.monotonic())
    camera.end(time.monotonic())
    camera.begin("gone again", time.monotonic())
    for _, call in timer.calls.values():
        call()
    assert [record.text for record, _ in saved] == ["gone again"]


def test_two_long_losses_are_two_events(timer: ByHand, saved: list[tuple[EventRecord, EventPhase]]) -> None:
    camera = loss(timer, saved)
    for _ in range(2):
        camera.begin("gone", time.monotonic())
        ((_, call),) = timer.calls.values()
        call()
        timer.calls.clear()  # it was made
        camera.end(time.monotonic())
    assert len({record.id for record, _ in saved}) == 2
    assert [phase for _, phase in saved] == [EventPhase.START, EventPhase.END] * 2


def test_a_call_of_the_timer_that_comes_too_late_stores_nothing(
    timer: ByHand, saved: list[tuple[EventRecord, EventPhase]]
) -> None:
    camera = loss(timer, saved)
    camera.begin("gone", time.monotonic())
    ((_, call),) = timer.calls.values()  # the timer has taken it already
    camera.end(time.monotonic())
    call()
    assert saved == []


def test_a_loss_at_the_end_of_the_program_is_ended(timer: ByHand, saved: list[tuple[EventRecord, EventPhase]]) -> None:
    camera = loss(timer, saved)
    camera.begin("gone", time.monotonic())
    for _, call in timer.calls.values():
        call()
    camera.end(time.monotonic(), Ending.RUN)
    assert [record.ending for record, _ in saved] == [None, Ending.RUN]


def test_a_camera_whose_losses_are_off_stores_none(timer: ByHand, saved: list[tuple[EventRecord, EventPhase]]) -> None:
    loss(timer, saved, lost_s=None).begin("gone", time.monotonic())
    assert timer.calls == {}
