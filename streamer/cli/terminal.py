"""What a person sees in a terminal: messages, progress, the report. Used by the thread that runs the stream.

Messages and progress go to standard error, the report goes to standard output. Without a terminal, progress is a plain
line every few seconds.
"""

from __future__ import annotations

import json
import logging
import time
from typing import Any, Self

from rich.console import Console, Group
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from streamer.cli.live_status import LiveStatus
from streamer.flow.stats import RunStats
from streamer.observe.report import STATES_WITH_CAUSE, Report
from streamer.system.paths import encodable, readable
from streamer.system.secrets import SECRETS, SecretsFilter
from streamer.values.states import FrameState

log = logging.getLogger("streamer")

PLAIN_EVERY_S = 5.0
_CLASSES_SHOWN = 8
_WIDEST = 1000


class _LogLines(logging.Handler):
    """Writes each log record as one line, above a progress bar if there is one."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        """Print one record. Any thread."""
        self._console.print(f"[yellow]{record.levelname.lower()}:[/] {escape(readable(record.getMessage()))}")


class Terminal:
    """The `streamer.observe.report.Reporter` of the command line, with errors and results besides.

    Args:
        quiet: show only errors and warnings.
        json_logs: write each message as one JSON object per line, and show no progress.
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

    def message(self, text: str) -> None:
        """Show a message, unless quiet."""
        if self.quiet:
            return
        if self._json:
            log.info("%s", text)
        else:
            self.messages.print(escape(readable(SECRETS.hide(text))))

    def line(self, text: str) -> None:
        """Write one line of a result to standard output."""
        self._result(readable(SECRETS.hide(text)))

    def json(self, value: Any) -> None:
        """Write a result as JSON to standard output."""
        self._result(SECRETS.hide(json.dumps(encodable(value), indent=2)))

    def table(self, table: Table) -> None:
        """Write a table to standard output; in a file or a pipe it is as wide as its content."""
        output = self.output
        if not output.is_terminal:
            output = Console(file=output.file, highlight=False, width=_WIDEST)
            output.width = output.measure(table).maximum
        output.print(table)

    def _result(self, text: str) -> None:
        self.output.print(text, soft_wrap=True, markup=False, emoji=False)

    def error(self, text: str) -> None:
        """Show an error, also if quiet."""
        if self._json:
            log.error("%s", text)
        else:
            self.messages.print(f"[bold red]error:[/] {escape(readable(SECRETS.hide(text)))}")

    def crash(self, traceback: str) -> None:
        """Show the traceback of a bug."""
        if self._json:
            log.critical("%s", traceback)
        else:
            self.messages.print(escape(readable(SECRETS.hide(traceback), keep="\n")))

    def progress(self, total: int | None, *, live: bool = False, title: str = "") -> RunProgress | LiveStatus:
        """A progress display for `total` frames (None if unknown), or the status line of a live source.

        Args:
            title: one of several inputs.
        """
        shows = not self.quiet and not self._json
        return LiveStatus(self.messages, shows=shows) if live else RunProgress(self, total, shows=shows, title=title)

    def report(self, report: Report) -> None:
        """Show the final report; it fits a screen of 80 x 24."""
        if not self.quiet:
            self.output.print(Group(_headline(report), _stages(report.stats), *_live(report.stats)))
            for line in _tail(report):
                self.line(line)


class RunProgress:
    """Shows percent, fps, time left and lost frames during a run.

    Args:
        terminal: where they are shown.
        total: number of frames; None if unknown.
        shows: False shows nothing.
        title: begins the line; empty for a single input.
    """

    def __init__(self, terminal: Terminal, total: int | None, *, shows: bool, title: str = "") -> None:
        self._title = readable(SECRETS.hide(title))
        self._terminal = terminal
        self._total = total
        self._began_s = self._shown_s = time.monotonic()
        self._bar: Progress | None = None
        self._shows = shows
        if shows and terminal.messages.is_terminal:
            self._bar = Progress(
                *([TextColumn("{task.description}", markup=False)] if title else []),
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
            self._task = self._bar.add_task(self._title, total=total, fps=0.0, lost=0)

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def update(self, stats: RunStats) -> None:
        """Call after each frame."""
        now_s, ledger = time.monotonic(), stats.ledger
        shown, lost = stats.shown, sum(ledger.count(state) for state in STATES_WITH_CAUSE)
        fps = shown / max(now_s - self._began_s, 1e-3)
        if self._bar is not None:
            self._bar.update(self._task, completed=shown, fps=fps, lost=lost)
        elif self._shows and now_s - self._shown_s >= PLAIN_EVERY_S:
            self._shown_s = now_s
            begin = self._title and f"{self._title}: "
            self._terminal.message(begin + _plain_line(shown, self._total, fps, lost))


def _plain_line(shown: int, total: int | None, fps: float, lost: int) -> str:
    if total is None:
        return f"frame {shown}, {fps:.1f} fps, {lost} lost"
    left_s = max(0, total - shown) / fps if fps else 0.0
    return (
        f"frame {shown} of {total} ({100 * shown // max(total, 1)}%), {fps:.1f} fps, {left_s:.0f} s left, {lost} lost"
    )


def _headline(report: Report) -> Text:
    stats, ledger = report.stats, report.stats.ledger
    carried = (FrameState.INTERPOLATED, FrameState.PREDICTED)
    parts = [f"{ledger.count(FrameState.DETECTED)} detected"]
    parts += [f"{ledger.count(state)} {state}" for state in carried if ledger.count(state)]
    for state in STATES_WITH_CAUSE:
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
    """The age of frames and other counts of a live run; nothing for a file."""
    ages = [
        f"{place} {times.percentile_s(50) * 1e3:.0f} / {times.percentile_s(95) * 1e3:.0f} ms"
        for place, times in stats.ages.items()
    ]
    counts = [f"{n} {what} ({readable(cause)})" for (what, cause), n in sorted(stats.counts.items()) if cause]
    lines = [Text("age of the frames, p50 / p95: " + ", ".join(ages))] if ages else []
    return lines + ([Text("other counts: " + ", ".join(counts))] if counts else [])


def _tail(report: Report) -> list[str]:
    counts = sorted(((count, name) for name, count in report.stats.tracks.by_class.items()), reverse=True)
    shown = [f"{name} {count}" for count, name in counts[:_CLASSES_SHOWN]]
    if len(counts) > _CLASSES_SHOWN:
        shown.append(f"{len(counts) - _CLASSES_SHOWN} more classes")
    lines = ["tracks: " + (", ".join(shown) or "none")]
    lines += [f"note: {note}" for note in report.notes]
    return lines + [f"written: {path}" for path in report.outputs]
