"""Sockets with one limit for a request: all addresses of a host together, the TLS handshake, and `close` in between."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from streamer.detectors.remote.time_limit import TimeLimit

LONG_S = 3600.0


@pytest.fixture
def silent() -> Iterator[int]:
    """A port at which 127.0.0.2 and 127.0.0.3 answer no request for a connection: their queues are full."""
    with ExitStack() as stack:
        port = 0
        for host in ("127.0.0.2", "127.0.0.3"):
            listening = stack.enter_context(socket.create_server((host, port), backlog=0))
            port = listening.getsockname()[1]
            for _ in range(3):
                waiting = stack.enter_context(socket.socket())
                waiting.setblocking(False)
                waiting.connect_ex((host, port))
        yield port


def addresses(monkeypatch: pytest.MonkeyPatch, *hosts: tuple[str, int]) -> None:
    """Let the name `host` have these addresses."""
    found = [(socket.AF_INET, socket.SOCK_STREAM, 0, "", address) for address in hosts]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)


def test_the_addresses_of_a_host_share_one_limit(silent: int, monkeypatch: pytest.MonkeyPatch) -> None:
    addresses(monkeypatch, ("127.0.0.2", silent), ("127.0.0.3", silent))
    waits: list[float] = []
    settimeout = socket.socket.settimeout

    def note(self: socket.socket, value: float) -> None:
        waits.append(value)
        settimeout(self, value)

    monkeypatch.setattr(socket.socket, "settimeout", note)
    limit = TimeLimit()
    limit.begin(0.6)
    with pytest.raises(TimeoutError):
        limit.connect("host", silent)
    assert len(waits) == 2
    assert sum(waits) <= 0.6


def test_an_address_that_does_not_answer_leaves_time_for_the_next(silent: int, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        addresses(monkeypatch, ("127.0.0.2", silent), listening.getsockname())
        limit = TimeLimit()
        limit.begin(LONG_S, connect_s=0.4)
        limit.connect("host", silent).close()


def test_closing_ends_an_attempt_to_connect(silent: int) -> None:
    limit, errors = TimeLimit(), list[OSError]()

    def connect() -> None:
        limit.begin(LONG_S, connect_s=LONG_S)
        try:
            limit.connect("127.0.0.2", silent)
        except OSError as error:
            errors.append(error)

    thread = threading.Thread(target=connect)
    thread.start()
    while thread.is_alive():  # the attempt begins at any moment
        limit.close()
        thread.join(0.05)
    assert len(errors) == 1
    with pytest.raises(ConnectionAbortedError):
        limit.connect("127.0.0.2", silent)


def test_closing_ends_a_tls_handshake() -> None:
    """The server takes the connection and sends nothing."""
    limit, errors = TimeLimit(), list[BaseException]()
    context = ssl.create_default_context()
    limit.limit(context)
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def connect() -> None:
            limit.begin(LONG_S)
            try:
                context.wrap_socket(limit.connect(*listening.getsockname()), server_hostname="host")
            except (OSError, ValueError) as error:
                errors.append(error)

        thread = threading.Thread(target=connect)
        thread.start()
        with listening.accept()[0] as connected:
            assert connected.recv(1)  # the handshake has begun
            limit.close()
            thread.join(20)
    assert len(errors) == 1


def test_a_tls_handshake_obeys_the_limit() -> None:
    limit = TimeLimit()
    context = ssl.create_default_context()
    limit.limit(context)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        limit.begin(0.3)
        connected = limit.connect(*listening.getsockname())
        connected.settimeout(LONG_S)
        with pytest.raises(TimeoutError):
            context.wrap_socket(connected, server_hostname="host")
        assert time.monotonic() >= limit._ends_s
