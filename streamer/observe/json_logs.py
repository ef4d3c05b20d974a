"""Log records as JSON, one object per line. Any thread."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TextIO

from pythonjsonlogger.json import JsonFormatter

from streamer.system.paths import encodable, readable
from streamer.system.secrets import SECRETS, Secrets, SecretsFilter


class JsonLineFormatter(JsonFormatter):
    """Writes the keys `time` (RFC 3339 in UTC, microseconds), `level` (`warning`), `logger`, `message`, then the extra
    fields of the record, and `exc_info` with the traceback if there is one.

    Lines are ASCII with JSON escapes, so the encoding of the terminal or pipe does not matter.
    """

    def __init__(self) -> None:
        super().__init__(
            ["time", "levelname", "name", "message"], rename_fields={"levelname": "level", "name": "logger"}
        )

    def process_log_record(self, log_data: dict[str, object]) -> dict[str, object]:
        """Called with the fields of one record."""
        log_data["level"] = str(log_data["level"]).lower()
        log_data["message"] = readable(str(log_data["message"]), keep="\n")
        return {str(encodable(key)): encodable(value) for key, value in log_data.items()}

    def format(self, record: logging.LogRecord) -> str:
        """The line of one record, without its newline."""
        record.time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="microseconds")
        return super().format(record)


def json_handler(stream: TextIO | None = None, secrets: Secrets = SECRETS) -> logging.Handler:
    """A handler for the root logger that writes JSON lines without passwords; to standard error if `stream` is None."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLineFormatter())
    handler.addFilter(SecretsFilter(secrets))
    return handler
