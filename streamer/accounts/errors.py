"""Why a request is refused, and why accounts cannot be used."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from streamer.errors import StreamerError


class AccountsError(StreamerError):
    """The file of accounts cannot be read or written now."""

    exit_code = 2


class Refused(Exception):
    """A request is refused because of who sends it, from where, or how often.

    Args:
        status: of the answer: 401, 403, 421 or 429.
        detail: what is wrong and what to do, one line. It does not say whether a user exists.
        headers: of the answer, such as `Retry-After`.
    """

    def __init__(self, status: HTTPStatus, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = dict(headers or {})
