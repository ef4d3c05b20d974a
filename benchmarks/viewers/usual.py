"""The program under measurement with the usual server of aiortc: each viewer has a track, and so an encoder of its own.

    python -m benchmarks.viewers.usual DESCRIPTOR COMMAND ...

It runs as `benchmarks.cameras.observed` does. Everything but the video is as in the program.
"""

from __future__ import annotations

import asyncio
import secrets
import sys
from contextlib import ExitStack
from fractions import Fraction

from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamTrack
from av import VideoFrame

from benchmarks.cameras.observed import run_observed
from streamer.broadcast import peers
from streamer.broadcast.broadcast import Broadcast
from streamer.broadcast.shown import CLOCK_HZ
from streamer.broadcast.viewers import Viewers


class FrameTrack(MediaStreamTrack):
    """The frames of a camera as they are shown; one that a viewer does not take in time is replaced by the next."""

    kind = "video"

    def __init__(self, broadcast: Broadcast) -> None:
        super().__init__()
        self._broadcast = broadcast
        self._stack = ExitStack()
        self._changed = asyncio.Event()
        self._stack.enter_context(broadcast.overlay.watch(lambda _: self._changed.set()))

    async def recv(self) -> VideoFrame:
        """Wait for the next frame."""
        await self._changed.wait()
        self._changed.clear()
        shown, _ = self._broadcast.moment()
        assert shown is not None
        picture = shown.scene.frame.picture
        picture.pts, picture.time_base = shown.ticks, Fraction(1, CLOCK_HZ)
        return picture

    def stop(self) -> None:
        """Take no more frames."""
        super().stop()
        self._stack.close()


class UsualPeers(peers.Peers):
    """Answers offers with a peer connection of aiortc for each viewer."""

    def __init__(self, viewers: Viewers) -> None:
        super().__init__(viewers)
        self._connections: dict[str, RTCPeerConnection] = {}

    async def add(self, broadcast: Broadcast, offer: str, near: str | None) -> tuple[str, str]:  # noqa: ARG002
        """See `streamer.broadcast.peers.Peers`."""
        connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        connection.addTrack(FrameTrack(broadcast))
        await connection.setRemoteDescription(RTCSessionDescription(offer, "offer"))
        await connection.setLocalDescription(await connection.createAnswer())
        number = secrets.token_urlsafe(16)
        self._connections[number] = connection
        return number, connection.localDescription.sdp

    async def remove(self, number: str) -> bool:
        """See `streamer.broadcast.peers.Peers`."""
        await self._connections.pop(number).close()
        return True

    def __contains__(self, number: str) -> bool:
        return number in self._connections


if __name__ == "__main__":
    peers.Peers = UsualPeers  # type: ignore[misc]
    run_observed(int(sys.argv[1]), sys.argv[2:])
