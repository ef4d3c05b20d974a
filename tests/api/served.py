"""Operations of the API on a real server, and a client that sends any request."""

from __future__ import annotations

import http.client
import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from email.message import Message
from pathlib import Path
from typing import Any, NamedTuple

from streamer.accounts.account_store import AccountStore
from streamer.accounts.guard import Guard
from streamer.api.openapi import BASE
from streamer.api.operation import Operation
from streamer.api.router import routes
from streamer.web.address import Address
from streamer.web.server import WebPages

TIMEOUT_S = 20.0


class Answer(NamedTuple):
    """What came back."""

    status: int
    headers: Message
    content: bytes

    @property
    def json(self) -> Any:
        """The content as JSON."""
        return json.loads(self.content)


class Client:
    """Sends requests to an address."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.address = address

    def __call__(
        self,
        method: str,
        path: str,
        content: bytes | Iterator[bytes] | None = None,
        *,
        base: str = BASE,
        **headers: str,
    ) -> Answer:
        """The answer to one request; `_` in the name of a header is `-`."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        with closing(http.client.HTTPConnection(*self.address, timeout=TIMEOUT_S)) as connection:
            connection.request(method, base + path, content, named)
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read())

    def get(self, path: str, **headers: str) -> Any:
        """The JSON of a path, which is there."""
        answer = self("GET", path, None, **headers)
        assert answer.status == 200, answer
        return answer.json

    def send(self, method: str, path: str, value: object, **headers: str) -> Answer:
        """Send JSON."""
        return self(method, path, json.dumps(value).encode(), Content_Type="application/json", **headers)


@contextmanager
def served(operations: Sequence[Operation]) -> Iterator[Client]:
    """Serve operations on a free port, for everybody on this machine: there are no users."""
    with ExitStack() as stack:
        local = stack.enter_context(guard(Path(stack.enter_context(tempfile.TemporaryDirectory()))))
        yield Client(stack.enter_context(WebPages("the API", "127.0.0.1", 0, routes(operations, local))).address)


def guard(folder: Path) -> Guard:
    """The guard of a server on loopback."""
    return Guard(AccountStore(folder / "accounts.db"), Address("", 0))
