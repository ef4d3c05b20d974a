"""A client that sends a made-up webcam by WebRTC, as a browser does, with real codecs and sockets."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from fractions import Fraction
from typing import Any

import av
import numpy as np
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamTrack

from streamer.browser_camera.session import BrowserSession, Returns
from streamer.browser_camera.sessions import BrowserCameras
from tests.pipeline.parts import DEADLINE_S

CLOCK_HZ = 90_000
FPS = 25


class Webcam(MediaStreamTrack):
    """Grey frames at a steady rate.

    Args:
        size: width and height in pixels.
    """

    kind = "video"

    def __init__(self, size: tuple[int, int] = (128, 96)) -> None:
        super().__init__()
        self._size = size
        self._began_s = time.monotonic()
        self.sent = 0
        self.muted = asyncio.Event()

    async def recv(self) -> av.VideoFrame:
        """See `MediaStreamTrack`."""
        if self.muted.is_set():
            await asyncio.Event().wait()
        self.sent += 1
        await asyncio.sleep(self._began_s + self.sent / FPS - time.monotonic())
        width, height = self._size
        pixels = np.full((height * 3 // 2, width), 64 + self.sent % 64, np.uint8)
        picture = av.VideoFrame.from_ndarray(pixels, format="yuv420p")
        picture.pts, picture.time_base = self.sent * CLOCK_HZ // FPS, Fraction(1, CLOCK_HZ)
        return picture


class Client:
    """The browser's end of a session.

    Args:
        size: of the frames.
    """

    def __init__(self, size: tuple[int, int] = (128, 96)) -> None:
        self.peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.webcam = Webcam(size)
        self.peer.addTrack(self.webcam)
        self.messages: list[dict[str, Any]] = []
        self._arrived = asyncio.Condition()
        channel = self.peer.createDataChannel("messages", ordered=False, maxRetransmits=0)
        channel.on("message", self._take)

    async def offer(self) -> str:
        """The SDP offer."""
        await self.peer.setLocalDescription()
        return str(self.peer.localDescription.sdp)

    async def connect(self, answer: str) -> None:
        """Use the answer."""
        await self.peer.setRemoteDescription(RTCSessionDescription(answer, "answer"))

    async def wait_for(self, happened: Callable[[list[dict[str, Any]]], object]) -> None:
        """Wait until the messages are as expected."""
        async with self._arrived:
            try:
                await asyncio.wait_for(self._arrived.wait_for(lambda: happened(self.messages)), DEADLINE_S)
            except TimeoutError:
                raise AssertionError(self.messages[-5:]) from None

    async def wait_for_frames(self, number: int) -> list[dict[str, Any]]:
        """The frames of the messages, at least so many."""
        await self.wait_for(lambda messages: len(frames(messages)) >= number)
        return frames(self.messages)

    async def ended(self) -> str:
        """Wait for the end; returns the reason."""
        await self.wait_for(lambda messages: any("ended" in one for one in messages))
        return next(str(one["ended"]) for one in self.messages if "ended" in one)

    async def _take(self, text: str) -> None:
        async with self._arrived:
            self.messages.append(json.loads(text))
            self._arrived.notify_all()


def frames(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The messages that are frames."""
    return [one["frame"] for one in messages if "frame" in one]


@asynccontextmanager
async def session(
    cameras: BrowserCameras, *, user: str = "", size: tuple[int, int] = (128, 96), returns: Returns = Returns.BOXES
) -> AsyncIterator[tuple[Client, BrowserSession]]:
    """A session; the client leaves at the end, and nothing of the session remains."""
    client = Client(size)
    opened, answer = await cameras.open(await client.offer(), returns, user)
    await client.connect(answer)
    try:
        yield client, opened
    finally:
        await client.peer.close()
        await asyncio.wait_for(opened.wait_closed(), DEADLINE_S)
