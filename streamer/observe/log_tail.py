"""The last messages of the program, in memory. Any thread adds and reads.

It is a handler for the root logger. Messages that are no log records, such as a camera that runs, are added with
`note`.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime

from streamer.observe.run_name import RunNameFilter
from streamer.system.paths import encodable, readable
from streamer.system.secrets import SECRETS, SecretsFilter

MOST_LINES = 1000
_MOST_CHARACTERS = 2000
"""Of one message; a traceback is longer, and its end says most."""


@dataclass(frozen=True, slots=True)
class LogLine:
    """One message.

    Attributes:
        time: ISO 8601 in UTC, ms.
        level: `info`, `warning`, `error` or `critical`.
        camera: its name; empty for a message of the site.
        text: without credentials; a traceback has several lines.
    """

    time: str
    level: str
    camera: str
    text: str


class LogTail(logging.Handler):
    """Keeps the last messages.

    Args:
        lines: how many.
    """

    def __init__(self, lines: int = MOST_LINES) -> None:
        super().__init__()
        self.addFilter(RunNameFilter(has_fields=True))
        self.addFilter(SecretsFilter())
        self._lines_lock = threading.Lock()  # guards the deque
        self._lines: deque[LogLine] = deque(maxlen=lines)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one record, which the filters have changed. Any thread."""
        if record.name == "streamer" and record.levelno == logging.INFO:
            return  # a message of the terminal with JSON lines, which was noted
        camera = getattr(record, "camera", "")
        message = record.getMessage().removeprefix(f"{camera}: ")  # the filter of another handler may have named it
        text = "\n".join(filter(None, [message, record.exc_text]))
        self._add(record.created, record.levelname.lower(), camera, text)

    def note(self, text: str, camera: str = "") -> None:
        """Keep a message that is no log record. Any thread."""
        self._add(time.time(), "info", camera, SECRETS.hide(text))

    def last(self, lines: int) -> list[LogLine]:
        """The last messages, the newest at the end. Any thread."""
        with self._lines_lock:
            return list(self._lines)[-lines:]

    def _add(self, time_s: float, level: str, camera: str, text: str) -> None:
        if len(text) > _MOST_CHARACTERS:
            text = f"… {text[-_MOST_CHARACTERS:]}"
        moment = datetime.fromtimestamp(time_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line = LogLine(moment, level, camera, encodable(readable(text, keep="\n")))
        with self._lines_lock:
            self._lines.append(line)
