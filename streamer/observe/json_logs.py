"""Log records as one JSON object a line, for machines that read on. Used by whichever thread logs."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TextIO

from pythonjsonlogger.json import JsonFormatter

from streamer.system.paths import encodable, readable
from streamer.system.secrets import SECRETS, Secrets, SecretsFilter


class JsonLineFormatter(JsonFormatter):
    """Keys: `time` (RFC 3339 in UTC, microseconds), `level` (`warning`), `logger`, `message`, then the record's extra
    fields, and `exc_info` with the traceback where there is one.

    Only ASCII is written, the rest as JSON escapes: a terminal or a pipe of another encoding cannot break a line.
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
