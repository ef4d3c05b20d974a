"""What a person sees in a terminal: messages, progress, the report. Used by the thread that runs the stream.

Messages and progress go to standard error, the report goes to standard output. Without a terminal, progress is a plain
line every few seconds.
"""

from __future__ import annotations

import json
import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from streamer.cli import report_text
from streamer.cli.progress.bars import ProgressBars, RunProgress
from streamer.cli.progress.live_status import LiveStatus
from streamer.cli.run_options import with_options
from streamer.observe.report import Report
from streamer.observe.run_name import RunNameFilter, with_camera
from streamer.system.paths import encodable, readable
from streamer.system.secrets import SECRETS, SecretsFilter

log = logging.getLogger("streamer")

_WIDEST = 1000
_WARNINGS_REMEMBERED = 100
_INDENT = "  "


class _LogLines(logging.Handler):
    """Writes each log record as one line, and below it the traceback if it has one, above a progress bar.

    The text is appended to `written`.
    """

    def __init__(self, console: Console, written: deque[str], shown: Callable[[str], str]) -> None:
        super().__init__()
        self._shown = shown
        self._console = console
        self._written = written

    def emit(self, record: logging.LogRecord) -> None:
        """Print one record. Any thread."""
        self._written.append(record.getMessage())
        _paragraph(self._console, self._shown(record.getMessage()), f"{record.levelname.lower()}:", "yellow")
        if record.exc_text:  # `SecretsFilter` writes it
            self._console.print(Text(readable(record.exc_text, keep="\n")), soft_wrap=True)


def _paragraph(console: Console, text: str, label: str = "", style: str = "") -> None:
    """Print one line. A terminal gets line ends between words, and the rest indented."""
    words = f"{label} {readable(text)}".lstrip(" ").split(" ")
    lines = [words[0]]
    for word in words[1:]:
        if console.is_terminal and cell_len(lines[-1]) + 1 + cell_len(word) > console.width:
            lines.append(_INDENT + word)
        else:
            lines[-1] += f" {word}"
    shown = Text("\n".join(lines))
    shown.stylize(style, 0, len(label))
    console.print(shown, soft_wrap=True)


class Terminal:
    """The `streamer.observe.report.Reporter` of the command line, with errors and results besides.

    Args:
        quiet: show only errors and warnings.
        json_logs: write each message as one JSON object per line, and show no progress.
        has_options: the command has the options of `run`; messages name those behind settings.
    """

    def __init__(self, *, quiet: bool = False, json_logs: bool = False, has_options: bool = True) -> None:
        self.quiet = quiet
        self._shown = with_options if has_options else str
        self.messages = Console(stderr=True, highlight=False, soft_wrap=True)
        self.output = Console(highlight=False)
        self._json = json_logs
        self._beside: Callable[[], str] = str
        self._warned: deque[str] = deque(maxlen=_WARNINGS_REMEMBERED)
        handler: logging.Handler = _LogLines(self.messages, self._warned, self._shown)
        if json_logs:
            from streamer.observe.json_logs import json_handler

            handler = json_handler()
        handler.addFilter(RunNameFilter(has_fields=json_logs))
        handler.addFilter(SecretsFilter())
        logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
        log.setLevel(logging.INFO if json_logs else logging.NOTSET)

    @property
    def shows_progress(self) -> bool:
        """Whether progress is shown: neither quiet nor JSON."""
        return not self.quiet and not self._json

    def leave_output(self) -> None:
        """Show results on standard error from now on: an output of the run is standard output."""
        self.output = self.messages

    def message(self, text: str) -> None:
        """Show a message, unless quiet."""
        if self.quiet:
            return
        if self._json:
            log.info("%s", text)
        else:
            _paragraph(self.messages, SECRETS.hide(with_camera(text)))

    def started(self, destinations: Sequence[str]) -> None:
        """Show where the results go, unless quiet."""
        for line in destinations:
            self.message(line)

    def paragraph(self, text: str) -> None:
        """Write one line of a report to standard output; a terminal gets line ends between words."""
        _paragraph(self.output, SECRETS.hide(text))

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
            _paragraph(self.messages, SECRETS.hide(with_camera(self._shown(text))), "error:", "bold red")

    def crash(self, traceback: str) -> None:
        """Show the traceback of a bug."""
        if self._json:
            log.critical("%s", traceback)
        else:
            self.messages.print(escape(readable(SECRETS.hide(traceback), keep="\n")))

    def bars(self, *, has_titles: bool) -> ProgressBars | None:
        """The progress displays of several runs; None if none is shown."""
        if not self.shows_progress:
            return None
        return ProgressBars(self.messages, has_titles=has_titles, beside=self._beside)

    @contextmanager
    def beside_progress(self, text: Callable[[], str]) -> Iterator[None]:
        """While entered, progress displays that begin show this text, too.

        Args:
            text: short; any thread may call it.
        """
        self._beside = text
        try:
            yield
        finally:
            self._beside = str

    def progress(self, total: int | None, *, live: bool = False) -> RunProgress | LiveStatus:
        """A progress display for `total` frames (None if unknown), or the status line of a live source."""
        return LiveStatus(self.messages, shows=self.shows_progress) if live else self.file_progress(total)

    def file_progress(self, total: int | None, *, title: str = "", bars: ProgressBars | None = None) -> RunProgress:
        """A progress display for `total` frames.

        Args:
            total: None if it is unknown.
            title: begins the line.
            bars: those of several inputs.
        """
        shown = readable(SECRETS.hide(title))
        return RunProgress(total, message=self.message, bars=bars or self.bars(has_titles=bool(title)), title=shown)

    def report(self, report: Report) -> None:
        """Show the final report; it fits a screen of 80 x 24, and a line is one line in a file or a pipe."""
        if self.quiet:
            return
        both_on_screen = self.messages.is_terminal and self.output.is_terminal
        notes = report_text.notes(report, self._warned if both_on_screen else ())
        for line in report_text.head(report):
            _paragraph(self.output, line)
        self.table(report_text.stages(report.stats))
        for line in (*report_text.figures(report.stats), *report_text.rules(report), *notes):
            _paragraph(self.output, SECRETS.hide(line))
        for line in report_text.destinations(report):  # names of files are exact
            _paragraph(self.output, line)
