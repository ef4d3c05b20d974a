"""The status line of a live run: how fast, how old, what was lost. Owned by the main thread.

Only on a terminal: in a log, lines come where something changes.
"""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.status import Status

from streamer.flow.stats import RunStats
from streamer.values.states import FrameState

_EVERY_S = 0.5


class LiveStatus:
    """One line that is kept up to date.

    Args:
        console: where it goes.
        shows: whether it is wanted at all.
    """

    def __init__(self, console: Console, *, shows: bool) -> None:
        self._status = (
            Status("waiting for the first picture", console=console) if shows and console.is_terminal else None
        )
        self._said_s = time.monotonic()
        self._shown = self._detected = 0

    def __enter__(self) -> Self:
        if self._status is not None:
            self._status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._status is not None:
            self._status.stop()

    def update(self, stats: RunStats) -> None:
        """Call after each frame."""
        now_s = time.monotonic()
        span_s = now_s - self._said_s
        if self._status is None or span_s < _EVERY_S:
            return
        detected = stats.ledger.count(FrameState.DETECTED)
        self._status.update(line(stats, (stats.shown - self._shown) / span_s, (detected - self._detected) / span_s))
        self._said_s, self._shown, self._detected = now_s, stats.shown, detected


def line(stats: RunStats, shown_fps: float, detected_fps: float) -> str:
    """What the status line says.

    Args:
        stats: of the run.
        shown_fps: frames shown a second, lately.
        detected_fps: frames detected a second, lately.
    """
    parts = [f"{shown_fps:.1f} fps shown", f"{detected_fps:.1f} detected"]
    ages = stats.ages
    if "shown" in ages:
        parts.append(f"age {ages['shown'].percentile_s(50) * 1e3:.0f} ms")
    for state in (FrameState.DROPPED, FrameState.CORRUPT, FrameState.LOST):
        if count := stats.ledger.count(state):
            parts.append(f"{count} {state}")
    counts = stats.counts
    for what in ("reconnect", "skipped"):
        if count := sum(n for (kind, _), n in counts.items() if kind == what):
            parts.append(f"{count} {what}{'s' if what == 'reconnect' and count > 1 else ''}")
    return " · ".join(parts)
