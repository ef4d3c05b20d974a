"""Many connections, slow clients and large bodies: one client does not keep others waiting."""

from __future__ import annotations

import asyncio
import resource
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from unittest.mock import MagicMock

import pytest
from aiohttp import web

from streamer.web import connections, server
from streamer.web.connections import Entrance
from streamer.web.server import WebPages

TIMEOUT_S = 10.0


async def hello(_: web.Request) -> web.Response:
    return web.Response(text="hello")


async def echo(request: web.Request) -> web.Response:
    return web.Response(text=f"{len(await request.read())} bytes")


@contextmanager
def served() -> Iterator[tuple[str, int]]:
    with WebPages("the page", "127.0.0.1", 0, [web.get("/", hello), web.post("/", echo)]) as pages:
        yield pages.address


def until(condition: Callable[[], bool]) -> None:
    """The server notices new and closed connections a moment later."""
    ends_s = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < ends_s


def ask(address: tuple[str, int]) -> bytes:
    """The answer to a request; b"" if the connection is closed at once."""
    with socket.create_connection(address, TIMEOUT_S) as connection:
        try:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            return b"".join(iter(lambda: connection.recv(4096), b""))
        except ConnectionError:
            return b""


def test_slow_clients_keep_nobody_waiting() -> None:
    with served() as address, ExitStack() as stack:
        for _ in range(100):
            slow = stack.enter_context(socket.create_connection(address, TIMEOUT_S))
            slow.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nx")
            half = stack.enter_context(socket.create_connection(address, TIMEOUT_S))
            half.sendall(b"GET / HTTP/1.1\r\nHo")
        assert ask(address).endswith(b"hello")


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHo"])
def test_a_connection_without_a_request_is_closed(monkeypatch: pytest.MonkeyPatch, sent: bytes) -> None:
    monkeypatch.setattr(server, "IDLE_S", 0.2)
    with served() as address, socket.create_connection(address, TIMEOUT_S) as slow:
        slow.sendall(sent)
        assert slow.recv(1) == b""  # the timeout of the socket is much longer


def test_a_connection_is_kept_for_the_next_request() -> None:
    with served() as address, socket.create_connection(address, TIMEOUT_S) as connection:
        for _ in range(3):
            connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            content = b""
            while not content.endswith(b"hello"):
                content += connection.recv(4096)


def test_too_many_connections_are_closed_and_room_is_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections.Entrance.__init__, "__defaults__", (20, 10))
    with served() as address:
        with ExitStack() as stack:
            for _ in range(20):
                stack.enter_context(socket.create_connection(address, TIMEOUT_S))
            until(lambda: ask(address) == b"")
        until(lambda: ask(address).endswith(b"hello"))


@pytest.mark.parametrize(
    ("peers", "peer", "admitted"),
    [
        (["192.0.2.1"] * 9, "192.0.2.1", True),
        (["192.0.2.1"] * 10, "192.0.2.1", False),
        (["192.0.2.1"] * 10, "192.0.2.2", True),
        (["127.0.0.1"] * 19, "127.0.0.1", True),  # a reverse proxy
        (["127.0.0.1"] * 20, "127.0.0.1", False),
        (["192.0.2.1"] * 20, "192.0.2.2", False),
        ([""] * 19, "", True),  # a Unix socket
    ],
)
def test_one_address_does_not_take_all_connections(peers: list[str], peer: str, admitted: bool) -> None:
    handler, transport = MagicMock(), MagicMock(spec=asyncio.Transport)
    of = MagicMock(return_value=handler, connections=[MagicMock(peername=(one, 1) if one else "") for one in peers])
    transport.get_extra_info.return_value = (peer, 1) if peer else ""
    Entrance(of, most=20, most_of_address=10).connection_made(transport)
    assert handler.connection_made.called is admitted
    assert transport.abort.called is not admitted


def test_a_body_of_a_gigabyte_is_refused_and_not_kept() -> None:
    sent, chunk = 0, b"x" * 65_536
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with served() as address, socket.create_connection(address, TIMEOUT_S) as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1073741824\r\n\r\n" + 32 * chunk)
        assert client.recv(4096).startswith(b"HTTP/1.1 413 ")
        with suppress(OSError):  # the server closes the connection after a while
            while sent < 1 << 30:
                client.sendall(chunk)
                sent += len(chunk)
        assert ask(address).endswith(b"hello")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # KiB
