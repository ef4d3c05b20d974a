"""Answers of a server, and failed requests in words, without a login. Pure; any thread."""

from __future__ import annotations

import http.client
import json
import os
import socket
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from streamer.detectors.kserve.address import ModelAddress
from streamer.network import certificates
from streamer.system.secrets import redacted

LOGIN = (401, 403)
_AWAY = (407, 408, 425, 429, 502, 503, 504)
"""Codes about the server at this moment, not about the request."""
_REDIRECTS = (301, 302, 303, 307, 308)
_TUNNEL = "Tunnel connection failed: "
"""What http.client says of the answer of a proxy."""
_SHOWN = 200
"""Characters of an answer in a message."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server answered.

    Attributes:
        status: such as 200.
        headers: by name; names in any case.
        body: the whole body.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def is_success(self) -> bool:
        """Whether the server did what was asked."""
        return 200 <= self.status < 300

    def json(self) -> dict[str, Any] | None:
        """The body, if it is a JSON object; else None."""
        try:
            value = json.loads(self.body)
        except (ValueError, RecursionError):  # also a body that is no text
            return None
        return value if isinstance(value, dict) else None


def late(address: ModelAddress, limit_s: float) -> str:
    """There was no whole answer in time."""
    return f"{address} gave no answer within {limit_s:.3g} s"


def too_long(address: ModelAddress, most: int) -> str:
    """The answer was not read to its end."""
    return f"{address} gave an answer of more than {most / 2**20:.0f} MiB, which no detector gives"


def is_timeout(error: BaseException) -> bool:
    """Whether a limit of the library ended the request."""
    import requests
    import urllib3

    # A refused connection is a ConnectTimeoutError of urllib3, too; a TimeoutError with a number is one of the system.
    kinds = (requests.Timeout, urllib3.exceptions.ReadTimeoutError)
    return any(isinstance(one, kinds) or (isinstance(one, TimeoutError) and one.errno is None) for one in _chain(error))


def reason(address: ModelAddress, error: BaseException) -> str:
    """There was no answer, or only a part of one."""
    import requests

    through = (
        " through the proxy of HTTP_PROXY or HTTPS_PROXY" if isinstance(error, requests.exceptions.ProxyError) else ""
    )
    return f"{address} does not answer{through}: {_why(error)}"


def refusal(address: ModelAddress, answer: Answer) -> str:
    """The server answered with an error."""
    status, said = answer.status, _said(answer)
    if status in LOGIN:
        return f"{address} refuses the login ({status}): see detector.remote.token_file, user and password_file"
    if status in _REDIRECTS:
        to = redacted(answer.headers.get("Location", "")) or "nowhere"
        return f"{address} redirects to {to}; requests are not redirected: give that address"
    return f"{address} answers {status}{said and f': {said}'}"


def is_about_login(answer: Answer) -> bool:
    """Whether the server wants another login."""
    return answer.status in LOGIN


def is_away(answer: Answer) -> bool:
    """Whether the error is about the server at this moment: overloaded, behind a proxy that does not reach it."""
    return answer.status in (*_AWAY, *LOGIN)


def _said(answer: Answer) -> str:
    """The beginning of the text of an error, in one line."""
    found = answer.json() or {}
    text = found.get("error") or found.get("detail") or answer.body[: 4 * _SHOWN].decode("utf-8", "replace")
    return " ".join(str(text).split())[:_SHOWN]


def _why(error: BaseException) -> str:
    chain = list(_chain(error))
    for one in chain:
        if isinstance(one, ssl.SSLCertVerificationError):
            return certificates.distrust(one.verify_message, "detector.remote.verify")
        if isinstance(one, socket.gaierror):
            return "its name is not known"
        if isinstance(one, http.client.IncompleteRead) or "IncompleteRead" in type(one).__name__:
            return "it closed the connection in the middle of its answer"
        if isinstance(one, http.client.RemoteDisconnected):
            return "it closed the connection"
        if isinstance(one, ssl.SSLError):
            return f"no TLS connection ({one.reason or one}); is it kserve+http?"
        if isinstance(one, OSError) and str(one).startswith(_TUNNEL):
            return f"it answers {str(one).removeprefix(_TUNNEL)}"
        if isinstance(one, http.client.HTTPException):
            return "it does not speak HTTP"
    for one in chain:
        if isinstance(one, OSError) and one.errno is not None and one.errno > 0:
            return os.strerror(one.errno).lower()
    return type(chain[-1]).__name__


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An error and those that it was made of; requests and urllib3 keep some among the arguments only."""
    waiting, seen = [error], set[int]()
    while waiting:
        one = waiting.pop(0)
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        inner = [one.__cause__, one.__context__, getattr(one, "reason", None), *getattr(one, "args", ())]
        waiting += [each for each in inner if isinstance(each, BaseException)]
