"""The status line of a live run: frame rates, age of the frames, lost frames.

It is shown only on a terminal. A log gets a line when something changes.
"""

from __future__ import annotations

import time
from typing import Self

from rich.console import Console
from rich.status import Status

from streamer.flow.stats import RunStats
from streamer.values.states import FrameState

_EVERY_S = 0.5
_SEPARATOR, _MORE = " · ", " …"


class LiveStatus:
    """One line that is updated in place. Used by the thread that runs the stream.

    Args:
        console: where the line is shown.
        shows: False shows nothing.
    """

    def __init__(self, console: Console, *, shows: bool) -> None:
        self._status = Status("waiting for the first frame", console=console) if shows and console.is_terminal else None
        self._updated_s = time.monotonic()
        self._shown = self._detected = 0

    def __enter__(self) -> Self:
        if self._status is not None:
            self._status.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: object) -> None:
        if self._status is not None:
            self._status.stop()

    def update(self, stats: RunStats) -> None:
        """Call after each frame."""
        now_s = time.monotonic()
        span_s = now_s - self._updated_s
        if self._status is None or span_s < _EVERY_S:
            return
        detected = stats.ledger.count(FrameState.DETECTED)
        rates = (stats.shown - self._shown) / span_s, (detected - self._detected) / span_s
        # The spinner and a space are before the line. A line that does not fit would be wrapped.
        self._status.update(fitting(line(stats, *rates), self._status.console.width - 2))
        self._updated_s, self._shown, self._detected = now_s, stats.shown, detected


def fitting(text: str, width: int) -> str:
    """A status line without the last parts, if it is longer than `width` columns."""
    while len(text) > width and _SEPARATOR in text:
        text = text.removesuffix(_MORE).rpartition(_SEPARATOR)[0] + _MORE
    return text


def line(stats: RunStats, shown_fps: float, detected_fps: float) -> str:
    """The text of the status line.

    Args:
        stats: the figures of the run.
        shown_fps: recent rate of shown frames, per second.
        detected_fps: recent rate of detected frames, per second.
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
    return _SEPARATOR.join(parts)
