"""What a person sees: messages, progress, the report. Owned by the main thread.

Messages and progress go to standard error, the report to standard output. Without a terminal, progress is a plain line
now and then.
"""

from __future__ import annotations

import json
import logging
import time
from types import TracebackType
from typing import Any, Self

from rich.console import Console, Group
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from streamer.cli.live_status import LiveStatus
from streamer.flow.stats import RunStats
from streamer.observe.report import Report
from streamer.system.paths import encodable, readable
from streamer.system.secrets import SECRETS, SecretsFilter
from streamer.values.states import FrameState

log = logging.getLogger("streamer")

PLAIN_EVERY_S = 5.0
_CLASSES_SHOWN = 8
_STATES_WITH_CAUSE = (FrameState.LOST, FrameState.DROPPED, FrameState.CORRUPT)


class _LogLines(logging.Handler):
    """Log records as one line each, above a progress bar that may be showing."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        """Print one record; may come from any thread."""
        self._console.print(f"[yellow]{record.levelname.lower()}:[/] {escape(readable(record.getMessage()))}")


class Terminal:
    """The two streams of a terminal.

    Args:
        quiet: only errors and warnings.
        json_logs: messages are JSON objects, one a line, and there is no progress display.
    """

    def __init__(self, *, quiet: bool = False, json_logs: bool = False) -> None:
        self.quiet = quiet
        self.messages = Console(stderr=True, highlight=False, soft_wrap=True)
        self.output = Console(highlight=False)
        self._json = json_logs
        handler: logging.Handler = _LogLines(self.messages)
        if json_logs:
            from streamer.observe.json_logs import json_handler

            handler = json_handler()
        handler.addFilter(SecretsFilter())
        logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
        log.setLevel(logging.INFO if json_logs else logging.NOTSET)

    def say(self, line: str) -> None:
        """A message, unless quiet."""
        if self.quiet:
            return
        if self._json:
            log.info("%s", line)
        else:
            self.messages.print(escape(readable(SECRETS.hide(line))))

    def line(self, text: str) -> None:
        """A line of a result, on standard output."""
        self._result(readable(SECRETS.hide(text)))

    def json(self, value: Any) -> None:
        """A result as JSON, on standard output."""
        self._result(SECRETS.hide(json.dumps(encodable(value), indent=2)))

    def _result(self, text: str) -> None:
        self.output.print(text, soft_wrap=True, markup=False, emoji=False)

    def error(self, line: str) -> None:
        """An error; always shown."""
        if self._json:
            log.error("%s", line)
        else:
            self.messages.print(f"[bold red]error:[/] {escape(readable(SECRETS.hide(line)))}")

    def crash(self, traceback: str) -> None:
        """What Python says of a mistake in the program."""
        if self._json:
            log.critical("%s", traceback)
        else:
            self.messages.print(escape(readable(SECRETS.hide(traceback), keep="\n")))

    def progress(self, total: int | None, *, live: bool = False) -> RunProgress | LiveStatus:
        """A progress display for `total` frames, None if that is not known; of a live source, what matters there."""
        shows = not self.quiet and not self._json
        return LiveStatus(self.messages, shows=shows) if live else RunProgress(self, total, shows=shows)

    def report(self, report: Report) -> None:
        """The final report; fits a screen of 80 x 24."""
        if not self.quiet:
            self.output.print(Group(_headline(report), _stages(report.stats), *_live(report.stats)))
            for line in _tail(report):
                self.line(line)


class RunProgress:
    """Percent, fps, time left and losses while a run goes on."""

    def __init__(self, terminal: Terminal, total: int | None, *, shows: bool) -> None:
        self._terminal = terminal
        self._total = total
        self._began_s = self._said_s = time.monotonic()
        self._bar: Progress | None = None
        self._shows = shows
        if shows and terminal.messages.is_terminal:
            self._bar = Progress(
                BarColumn(),
                TaskProgressColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[fps]:.1f} fps"),
                TimeRemainingColumn(),
                TextColumn("{task.fields[lost]} lost"),
                console=terminal.messages,
                refresh_per_second=4,
                transient=True,
            )
            self._task = self._bar.add_task("", total=total, fps=0.0, lost=0)

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def update(self, stats: RunStats) -> None:
        """Call after each frame."""
        now_s, ledger = time.monotonic(), stats.ledger
        shown, lost = stats.shown, sum(ledger.count(state) for state in _STATES_WITH_CAUSE)
        fps = shown / max(now_s - self._began_s, 1e-3)
        if self._bar is not None:
            self._bar.update(self._task, completed=shown, fps=fps, lost=lost)
        elif self._shows and now_s - self._said_s >= PLAIN_EVERY_S:
            self._said_s = now_s
            self._terminal.say(_plain_line(shown, self._total, fps, lost))


def _plain_line(shown: int, total: int | None, fps: float, lost: int) -> str:
    if total is None:
        return f"frame {shown}, {fps:.1f} fps, {lost} lost"
    left_s = max(0, total - shown) / fps if fps else 0.0
    return (
        f"frame {shown} of {total} ({100 * shown // max(total, 1)}%), {fps:.1f} fps, {left_s:.0f} s left, {lost} lost"
    )


def _headline(report: Report) -> Text:
    stats, ledger = report.stats, report.stats.ledger
    parts = [f"{ledger.count(FrameState.DETECTED)} detected"]
    parts += [
        f"{ledger.count(state)} {state}"
        for state in (FrameState.INTERPOLATED, FrameState.PREDICTED)
        if ledger.count(state)
    ]
    for state in _STATES_WITH_CAUSE:
        parts += [f"{frames} {state} ({cause})" for cause, frames in ledger.causes(state).items()]
    if stats.flagged_corrupt:
        parts.append(f"{stats.flagged_corrupt} shown although flagged as damaged")
    text = Text(f"{report.state}: {ledger.entered} frames in {stats.wall_s:.1f} s, {stats.throughput_fps:.1f} fps\n")
    text.append("frames: " + ", ".join(parts))
    return text


def _stages(stats: RunStats) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("stage")
    for heading in ("p50 ms", "p95 ms", "busy"):
        table.add_column(heading, justify="right")
    for name, times in stats.stages.items():
        if times.count:
            busy = times.total_s / stats.threads.get(name, 1) / max(stats.wall_s, 1e-9)
            slowest = "  <- bottleneck" if name == stats.bottleneck else ""
            p50, p95 = times.percentile_s(50) * 1e3, times.percentile_s(95) * 1e3
            table.add_row(name, f"{p50:.2f}", f"{p95:.2f}", f"{busy:.0%}{slowest}")
    return table


def _live(stats: RunStats) -> list[Text]:
    """How old pictures were, and what happened besides; nothing for a file."""
    ages = [
        f"{where} {times.percentile_s(50) * 1e3:.0f} / {times.percentile_s(95) * 1e3:.0f} ms"
        for where, times in stats.ages.items()
    ]
    counts = [f"{n} {what} ({readable(cause)})" for (what, cause), n in sorted(stats.counts.items()) if cause]
    lines = [Text("age of the picture, p50 / p95: " + ", ".join(ages))] if ages else []
    return lines + ([Text("besides: " + ", ".join(counts))] if counts else [])


def _tail(report: Report) -> list[str]:
    counts = sorted(((count, name) for name, count in report.stats.tracks.by_class.items()), reverse=True)
    shown = [f"{name} {count}" for count, name in counts[:_CLASSES_SHOWN]]
    if len(counts) > _CLASSES_SHOWN:
        shown.append(f"{len(counts) - _CLASSES_SHOWN} more classes")
    lines = ["tracks: " + (", ".join(shown) or "none")]
    lines += [f"note: {note}" for note in report.notes]
    return lines + [f"written: {path}" for path in report.outputs]
