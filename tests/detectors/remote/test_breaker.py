"""The circuit breaker: when calls are refused, and who probes."""

from __future__ import annotations

import pytest

from streamer.detectors.remote.breaker import FAILURES, PROBE_EVERY_S, CircuitBreaker
from streamer.errors import DetectorUnreachable
from tests.detectors.remote.scripted import Clock

GONE = DetectorUnreachable("connection refused")


def opened(clock: Clock) -> CircuitBreaker:
    breaker = CircuitBreaker(clock)
    for _ in range(FAILURES):
        assert not breaker.admit()
        breaker.failed(GONE)
    return breaker


def test_single_failures_do_not_open_it() -> None:
    breaker = CircuitBreaker(Clock())
    for _ in range(10):
        assert not breaker.admit()
        assert breaker.failed(GONE)
        assert not breaker.admit()
        breaker.succeeded()


def test_an_open_circuit_refuses_calls_with_the_last_reason() -> None:
    breaker = opened(Clock())
    with pytest.raises(DetectorUnreachable, match="connection refused"):
        breaker.admit()


def test_one_caller_at_a_time_probes() -> None:
    clock = Clock()
    breaker = opened(clock)
    clock.now_s += PROBE_EVERY_S
    assert breaker.admit()
    with pytest.raises(DetectorUnreachable):
        breaker.admit()
    breaker.failed(GONE)
    with pytest.raises(DetectorUnreachable):
        breaker.admit()
    clock.now_s += PROBE_EVERY_S
    assert breaker.admit()


def test_a_success_closes_it_and_tells_how_long_it_was_open() -> None:
    clock = Clock()
    breaker = opened(clock)
    clock.now_s += 30
    assert breaker.admit()
    assert breaker.succeeded() == 30
    assert not breaker.admit()
    assert breaker.succeeded() is None


def test_a_failure_after_a_successful_probe_opens_it_again() -> None:
    clock = Clock()
    breaker = opened(clock)
    clock.now_s += PROBE_EVERY_S
    assert breaker.admit()
    assert not breaker.failed(GONE)
    with pytest.raises(DetectorUnreachable):
        breaker.admit()
