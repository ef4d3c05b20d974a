"""Calls at a later time, with times that are long past or far ahead, so that no test waits for the clock."""

from __future__ import annotations

import threading
import time

import pytest

from streamer.events.timer import Timer

HOUR_S = 3600.0


def _wait(event: threading.Event) -> None:
    assert event.wait(10)


def test_calls_are_made_in_the_order_of_their_times() -> None:
    made, all_made = list[str](), threading.Event()
    now_s = time.monotonic()
    with Timer() as timer:
        timer.at(now_s - 1, lambda: made.append("first"))
        timer.at(now_s - 2, lambda: made.append("second"))
        timer.at(now_s, all_made.set)
        assert all_made.wait(10)
    assert sorted(made) == ["first", "second"]


def test_an_earlier_call_is_made_while_a_later_one_waits() -> None:
    made = threading.Event()
    with Timer() as timer:
        timer.at(time.monotonic() + HOUR_S, lambda: pytest.fail("an hour is not over"))
        timer.at(time.monotonic(), made.set)
        assert made.wait(10)


def test_a_cancelled_call_is_not_made() -> None:
    made, done = list[str](), threading.Event()
    with Timer() as timer:
        first = threading.Event()
        timer.at(time.monotonic(), lambda: _wait(first))  # keeps the thread busy meanwhile
        number = timer.at(time.monotonic(), lambda: made.append("cancelled"))
        timer.cancel(number)
        timer.at(time.monotonic(), done.set)
        first.set()
        assert done.wait(10)
    assert made == []


def test_a_call_that_fails_does_not_end_the_others(caplog: pytest.LogCaptureFixture) -> None:
    done = threading.Event()

    def fail() -> None:
        raise ZeroDivisionError

    with Timer() as timer:
        timer.at(time.monotonic() - 1, fail)
        timer.at(time.monotonic(), done.set)
        assert done.wait(10)
    assert "ZeroDivisionError" in caplog.text


def test_leaving_does_not_wait_for_calls_that_are_not_due() -> None:
    with Timer() as timer:
        timer.at(time.monotonic() + HOUR_S, lambda: pytest.fail("an hour is not over"))
    assert not [thread for thread in threading.enumerate() if thread.name == "streamer-timer" and thread.is_alive()]
