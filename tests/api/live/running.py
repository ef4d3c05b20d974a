"""A server of live video with a camera whose frames show their number, and clients of every kind."""

from __future__ import annotations

import asyncio
import json
import struct
import tempfile
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import aiohttp
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from streamer.api.context import ApiContext
from streamer.api.live.operations import operations
from streamer.broadcast.broadcasts import Broadcasts
from streamer.config.web import LiveVideoSettings
from tests.api.served import Client, guard, served
from tests.broadcast.shown import scene

WAIT_S = 15.0
CAMERAS = ("door", "yard")


class Live:
    """The live video of two cameras, and its address.

    Attributes:
        broadcasts: of the cameras.
        get: sends any request.
    """

    def __init__(self, broadcasts: Broadcasts, client: Client) -> None:
        self.broadcasts = broadcasts
        self.request = client
        host, port = client.address
        self.base = f"http://{host}:{port}"

    @property
    def api(self) -> str:
        """The address of the API."""
        return f"{self.base}/api/v1"

    @contextmanager
    def shooting(self, camera: str = "door", interval_s: float = 0.02) -> Iterator[None]:
        """Frames of a camera come one after the other, from a thread as in the program."""
        ended = threading.Event()
        put = self.broadcasts.of(camera).put

        def shoot() -> None:
            number = 0
            while not ended.wait(interval_s):
                put(scene(number % 1000, count=1))
                number += 1

        thread = threading.Thread(target=shoot)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def run(self, work: Callable[[aiohttp.ClientSession], Coroutine[Any, Any, None]]) -> None:
        """Run a client in an event loop of its own."""

        async def main() -> None:
            async with asyncio.timeout(WAIT_S), aiohttp.ClientSession() as session:
                await work(session)

        asyncio.run(main())

    def wait_for_viewers(self, count: int, camera: str | None = None) -> None:
        """Wait until so many watch."""
        pause, left = threading.Event(), WAIT_S
        while self.broadcasts.viewers.count(camera) != count:
            assert left > 0, f"{self.broadcasts.viewers.count(camera)} viewers, not {count}"
            pause.wait(0.01)
            left -= 0.01


@contextmanager
def live(**settings: Any) -> Iterator[Live]:
    """Serve two cameras."""
    broadcasts = Broadcasts(LiveVideoSettings.model_validate({"max_fps": 1e6, **settings}))
    site = SimpleNamespace(settings=SimpleNamespace(cameras=dict.fromkeys(CAMERAS)))
    with tempfile.TemporaryDirectory() as folder, guard(Path(folder)) as local:
        context = SimpleNamespace(site=site, broadcasts=broadcasts, guard=local)
        with served(operations(cast(ApiContext, context))) as client:
            try:
                yield Live(broadcasts, client)
            finally:
                broadcasts.close()


class WebRtc:
    """A viewer by WebRTC, which decodes.

    Args:
        live: the server.
        session: sends the offer.
    """

    def __init__(self, live: Live, session: aiohttp.ClientSession, camera: str = "door") -> None:
        self._session = session
        self._address = f"{live.api}/cameras/{camera}/whep"
        self._base = live.base
        self.peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.track: Any = self.peer.addTransceiver("video", direction="recvonly").receiver.track
        self.status = 0
        self.answer = ""
        self.location = ""

    async def open(self) -> None:
        """Send the offer, and connect if it is answered."""
        await self.offer()
        if self.status == 201:
            await self.peer.setRemoteDescription(RTCSessionDescription(self.answer, "answer"))
            self.track = self.peer.getReceivers()[0].track

    async def offer(self) -> None:
        """Send the offer."""
        await self.peer.setLocalDescription(await self.peer.createOffer())
        headers = {"Content-Type": "application/sdp"}
        text = self.peer.localDescription.sdp
        async with self._session.post(self._address, data=text, headers=headers) as response:
            self.status, self.answer = response.status, await response.text()
            self.location = response.headers.get("Location", "")

    async def delete(self) -> int:
        """End watching; the status of the answer."""
        async with self._session.delete(self._base + self.location) as response:
            return response.status


def parted(message: bytes) -> tuple[dict[str, Any], bytes]:
    """The overlay message and the JPEG of a message of `/frames`."""
    (length,) = struct.unpack_from("!L", message)
    overlay: dict[str, Any] = json.loads(message[4 : 4 + length])
    return overlay, message[4 + length :]
