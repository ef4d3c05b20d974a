"""What one sees of a running site: a table in a terminal, else a line when the state of a camera changes. Main thread.

The table is refreshed in place; log lines of other threads appear above it. Errors of cameras are log lines, so that
they are complete and none is missed.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Self

from rich.console import Console
from rich.control import Control
from rich.live import Live
from rich.segment import ControlType, Segment

from streamer.cli.serve.status_table import detector_line, table
from streamer.cli.terminal import Terminal
from streamer.observe.log_tail import LogTail
from streamer.observe.run_name import camera_name
from streamer.serve.rates import CameraRates, SiteRates, of_detectors
from streamer.serve.status import CameraState, CameraStatus
from streamer.system.suggestions import counted

SUMMARY_EVERY_S = 60.0


class SiteStatus:
    """The `streamer.serve.site.SiteReporter` of the command line; it shows the table from entering to leaving.

    Args:
        terminal: where they are shown.
        tail: keeps what is shown, and the changes of the cameras' states.
    """

    def __init__(self, terminal: Terminal, tail: LogTail | None = None) -> None:
        self._terminal = terminal
        self._tail = tail or LogTail()
        console = terminal.messages
        self._live: Live | None = None
        if terminal.shows_progress and console.is_terminal and not console.is_dumb_terminal:
            self._live = _live(console)
        self._width = console.width
        self._rates = SiteRates()
        self._told: dict[str, CameraState] = {}
        self._summed_s: float | None = None

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: object) -> None:
        if self._live is not None:
            self._live.stop()

    def say(self, text: str) -> None:
        """One line about the site. Any thread."""
        self._tail.note(text)
        self._terminal.message(text)

    def error(self, text: str) -> None:
        """One line about a request that is refused. Any thread."""
        self._tail.note(f"error: {text}")
        self._terminal.error(text)

    def message(self, name: str, text: str) -> None:
        """One line about a camera. Any thread."""
        self._tail.note(text, name)
        self._show(name, text)

    def _show(self, name: str, text: str) -> None:
        with camera_name(name):
            self._terminal.message(text)

    def refresh(self, cameras: Sequence[CameraStatus]) -> None:
        """Show the cameras. The main thread calls it about twice a second, and when a state has changed."""
        now_s, changes = time.monotonic(), self._changes(cameras)
        for name, line in changes.items():
            self._tail.note(line, name)
        if self._live is not None:
            self._live = self._fitting(self._live)
            size = self._live.console.size
            shown = table(cameras, self._rates.update(cameras, now_s), size.width, size.height)
            self._live.update(shown, refresh=True)
            return
        for name, line in changes.items():
            self._show(name, line)
        if self._terminal.shows_progress:
            self._sum_up(cameras, now_s)

    def _fitting(self, live: Live) -> Live:
        """A display for the terminal's width; a narrower terminal has wrapped the lines of the one before."""
        console, before = live.console, self._width
        self._width = console.width
        if self._width >= before:
            return live
        lines = console.render_lines(live.renderable, console.options.update(width=before), pad=False)
        more = sum(max(Segment.get_line_length(line) - 1, 0) // self._width for line in lines)
        live.stop()  # erases as many lines as it wrote
        console.control(Control(*[(ControlType.CURSOR_UP, 1), (ControlType.ERASE_IN_LINE, 2)] * more))
        again = _live(console)
        again.start()
        return again

    def _changes(self, cameras: Sequence[CameraStatus]) -> Mapping[str, str]:
        """A line about each camera whose state has changed, by name."""
        told, self._told = self._told, {camera.name: camera.state for camera in cameras}
        lines = {name: "removed" for name in told if name not in self._told}
        lines |= {camera.name: change(camera, told.get(camera.name)) for camera in cameras}
        return {name: line for name, line in lines.items() if line}

    def _sum_up(self, cameras: Sequence[CameraStatus], now_s: float) -> None:
        """A summary about once a minute; the first call begins the first minute."""
        if self._summed_s is None or now_s - self._summed_s >= SUMMARY_EVERY_S:
            rates, is_first, self._summed_s = self._rates.update(cameras, now_s), self._summed_s is None, now_s
            if not is_first:
                self._terminal.message(summary(cameras, rates))


def _live(console: Console) -> Live:
    # The main thread refreshes it: a thread of its own would show old figures.
    return Live(console=console, auto_refresh=False, transient=True)


def change(camera: CameraStatus, before: CameraState | None) -> str:
    """The line of a new state; empty if it is no news: a camera that waits, or begins again, has logged its error.

    Args:
        camera: its state now.
        before: its state when it was seen before; None if it was not.
    """
    if camera.state is before or camera.state is CameraState.WAITING:
        return ""
    if camera.state is CameraState.STARTING:
        return "" if before is CameraState.WAITING else f"starting, {camera.source}"
    shown = f"{counted(camera.stats.shown, 'frame')} shown"
    event = camera.last_event if camera.state is CameraState.RUNNING else shown
    return f"{camera.state}, {event}" if event else str(camera.state)


def summary(cameras: Sequence[CameraStatus], rates: Mapping[str, CameraRates]) -> str:
    """All cameras and detectors in one line."""
    states = Counter(camera.shown_state for camera in cameras)
    parts = [f"{counted(len(cameras), 'camera')}: {', '.join(f'{n} {state}' for state, n in states.most_common())}"]
    parts.append(f"{sum(one.shown_fps for one in rates.values()):.1f} fps shown")
    return "; ".join([*parts, *(detector_line(one.name, figures) for one, figures in of_detectors(cameras, rates))])
