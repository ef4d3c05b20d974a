"""The UDP sockets of a connection: their ports and the addresses that the browser is told."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from contextlib import closing

import pytest
from aioice.candidate import Candidate
from aioice.ice import Connection
from pydantic import ValidationError

from streamer.broadcast import candidates
from streamer.broadcast.candidates import LOOPBACK, NoPort, gather, parse_ports
from streamer.config.web import LiveVideoSettings


async def _gathered(
    ports: range | None = None, public_address: str | None = None, near: str | None = LOOPBACK
) -> Sequence[Candidate]:
    connection = Connection(ice_controlling=False)
    try:
        await gather(connection, ports=ports, public_address=public_address, near=near)
        return connection.local_candidates
    finally:
        await connection.close()


@pytest.fixture(autouse=True)
def _one_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(candidates, "get_host_addresses", lambda **_: [])


def free_ports(count: int) -> range:
    """Ports in a row that are free."""
    for first in range(40_000, 60_000, count):
        try:
            for port in range(first, first + count):
                with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as udp:
                    udp.bind((LOOPBACK, port))
        except OSError:
            continue
        return range(first, first + count)
    raise AssertionError("no free ports")


def test_ports_are_taken_from_the_range() -> None:
    ports = free_ports(5)
    (candidate,) = asyncio.run(_gathered(ports))
    assert candidate.host == LOOPBACK
    assert candidate.port in ports


def test_the_public_address_replaces_the_own_one() -> None:
    (candidate,) = asyncio.run(_gathered(public_address="198.51.100.7"))
    assert candidate.host == "198.51.100.7"


def test_a_public_name_is_refused_in_the_settings() -> None:
    with pytest.raises(ValidationError, match="give an IP address"):
        LiveVideoSettings(public_address="cameras.example")


def test_a_range_without_free_ports_names_the_setting() -> None:
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as taken:
        taken.bind((LOOPBACK, 0))
        port = taken.getsockname()[1]
        with pytest.raises(NoPort, match=f"web.live.udp_ports {port}-{port}"):
            asyncio.run(_gathered(range(port, port + 1)))


def test_the_address_of_the_page_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(candidates, "get_host_addresses", lambda **_: ["127.0.0.2", "127.0.0.3"])
    found = asyncio.run(_gathered(near="127.0.0.3"))
    assert sorted(one.host for one in found) == [LOOPBACK, "127.0.0.2", "127.0.0.3"]


def test_a_range_includes_both_ends() -> None:
    assert parse_ports("50000-50002") == range(50_000, 50_003)
    assert parse_ports(None) is None
