"""The connections of viewers by WebRTC, without a server."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import pytest

from streamer.broadcast.broadcast import Broadcast
from streamer.broadcast.peer import Peer
from streamer.broadcast.peers import Peers
from streamer.broadcast.viewers import Viewers
from streamer.config.web import LiveVideoSettings
from tests.broadcast.offers import VIDEO, offer

WAIT_S = 10.0


def sockets() -> int:
    return sum(str(one.readlink()).startswith("socket:") for one in Path("/proc/self/fd").iterdir() if one.exists())


async def _ended_twice(peers: Peers, broadcast: Broadcast) -> None:
    before = sockets()
    for pause in range(12):
        number, _ = await peers.add(broadcast, offer(VIDEO), "127.0.0.1")
        task = peers.end(number)
        assert task is not None
        for _ in range(pause):
            await asyncio.sleep(0)
        peers.end(number)
        await asyncio.wait([task], timeout=WAIT_S)
    async with asyncio.timeout(WAIT_S):
        while sockets() > before:
            await asyncio.sleep(0.001)


def test_a_viewer_that_is_ended_twice_leaves_no_socket_open() -> None:
    """As when its camera is removed while its browser leaves."""
    asyncio.run(_ended_twice(Peers(Viewers(5)), Broadcast("door", LiveVideoSettings())))


async def _cancelled_in_vain(peers: Peers, broadcast: Broadcast) -> None:
    number, _ = await peers.add(broadcast, offer(VIDEO), "127.0.0.1")
    await asyncio.sleep(0)  # it connects
    assert await asyncio.wait_for(peers.remove(number), WAIT_S)


def test_a_viewer_that_is_removed_at_the_moment_it_connects_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """`asyncio.wait_for` of Python 3.11, which aiortc uses, loses a cancellation at the moment of a result."""

    async def connect(_: Peer) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()

    monkeypatch.setattr(Peer, "connect", connect)
    asyncio.run(_cancelled_in_vain(Peers(Viewers(5)), Broadcast("door", LiveVideoSettings())))
