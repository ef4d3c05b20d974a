"""The last messages of the program. Web server's thread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from pydantic import Field

from streamer.accounts.roles import Access
from streamer.api.context import ApiContext
from streamer.api.operation import Answer, Call, Operation, Values
from streamer.observe.log_tail import MOST_LINES


class LogQuery(Values):
    """How much of the log."""

    lines: int = Field(default=200, ge=1, le=MOST_LINES)


class Line(Answer):
    """One message."""

    time: str
    """ISO 8601 in UTC."""
    level: str
    """`info`, `warning`, `error` or `critical`."""
    camera: str
    """Empty for a message of the site."""
    text: str


class Log(Answer):
    """The last messages, the newest at the end."""

    lines: tuple[Line, ...]


def operations(context: ApiContext) -> Sequence[Operation]:
    """The log."""

    async def log(call: Call) -> Log:
        return Log(lines=tuple(Line(**asdict(line)) for line in context.log.last(call.query.lines)))

    summary = "The last messages of the program"
    return (Operation("GET", "/log", summary, Access.ADMIN, log, query=LogQuery, answer=Log),)
