"""The connections of viewers by WebRTC, without a server."""

from __future__ import annotations

import asyncio
from pathlib import Path

from streamer.broadcast.broadcast import Broadcast
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
