"""The status line of a live run: one line on a terminal, nothing without a terminal."""

from __future__ import annotations

import io
from types import SimpleNamespace

import pytest
from rich.console import Console

from streamer.cli.progress import live_status
from streamer.cli.progress.live_status import LiveStatus, line
from streamer.flow.stats import RunStats
from streamer.values.states import FrameState


def some_stats() -> RunStats:
    stats = RunStats()
    stats.ledger.enter(100)
    stats.ledger.settle(FrameState.DETECTED, frames=10)
    stats.ledger.settle(FrameState.PREDICTED, frames=80)
    stats.ledger.settle(FrameState.DROPPED, "output late", 2)
    stats.ledger.settle(FrameState.CORRUPT, "packet loss", 5)
    stats.ledger.settle(FrameState.CORRUPT, "before key frame", 1)
    stats.ledger.settle(FrameState.LOST, "detector error", 2)
    stats.add_age("shown", 0.05)
    stats.shown = 92
    return stats


def test_the_line_has_rates_age_and_losses() -> None:
    stats = some_stats()
    stats.count("reconnect", "stalled", 2)
    stats.count("reconnect", "ended")
    stats.count("skipped", "encode", 7)
    shown = line(stats, 24.96, 3.04).split(" · ")
    assert shown[:2] == ["25.0 fps shown", "3.0 detected"]
    assert shown[2] in ("age 49 ms", "age 50 ms", "age 51 ms")  # a percentile is exact to 2.5%
    assert shown[3:] == ["2 dropped", "6 corrupt", "2 lost", "3 reconnects", "7 skipped"]


def test_zero_counts_are_not_shown() -> None:
    assert line(RunStats(), 0.0, 0.0) == "0.0 fps shown · 0.0 detected"
    stats = RunStats()
    stats.count("reconnect", "ended")
    assert line(stats, 0.0, 0.0).endswith("1 reconnect")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The monotonic clock of the status line; its only item is the time."""
    now_s = [1000.0]
    monkeypatch.setattr(live_status, "time", SimpleNamespace(monotonic=lambda: now_s[0]))
    return now_s


def console(*, terminal: bool) -> tuple[Console, io.StringIO]:
    written = io.StringIO()
    return Console(file=written, force_terminal=terminal, width=200, color_system=None), written


def test_rates_are_those_since_the_last_update(clock: list[float]) -> None:
    to, written = console(terminal=True)
    stats = some_stats()
    with LiveStatus(to, shows=True) as status:
        clock[0] += 4.0
        status.update(stats)
        stats.shown += 50
        stats.ledger.enter(6)
        stats.ledger.settle(FrameState.DETECTED, frames=6)
        clock[0] += 2.0
        status.update(stats)
    assert "25.0 fps shown · 3.0 detected" in written.getvalue()


def test_it_is_not_updated_with_every_frame(clock: list[float]) -> None:
    to, written = console(terminal=True)
    with LiveStatus(to, shows=True) as status:
        clock[0] += 0.1
        status.update(some_stats())
    assert "waiting for the first frame" in written.getvalue()
    assert "fps" not in written.getvalue()


@pytest.mark.parametrize(("terminal", "shows"), [(False, True), (True, False)])
def test_it_is_silent_without_a_terminal_and_if_disabled(clock: list[float], terminal: bool, shows: bool) -> None:
    to, written = console(terminal=terminal)
    with LiveStatus(to, shows=shows) as status:
        clock[0] += 5.0
        status.update(some_stats())
    assert written.getvalue() == ""
