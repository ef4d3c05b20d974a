"""The status of the site once a second for all WebSockets: made once, and only while somebody listens.

Web server's thread; the status is read on another thread, because it asks the store and the settings file.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress

from aiohttp import WSMsgType, web

from streamer.accounts.roles import Access
from streamer.api.cameras.camera_list import CameraList
from streamer.api.cameras.models import Camera
from streamer.api.context import ApiContext
from streamer.api.operation import WEBSOCKET, Answer, Call, Operation
from streamer.api.system.models import DetectorFigures
from streamer.api.system.system import detectors_of

log = logging.getLogger(__name__)

EVERY_S = 1.0
_HEARTBEAT_S = 20.0
_MOST_BYTES = 1024
"""Of a message from a browser, which has nothing to say."""


class Status(Answer):
    """What the site does now."""

    revision: str
    """Of the settings file."""
    cameras: tuple[Camera, ...]
    detectors: tuple[DetectorFigures, ...]
    browser_cameras: int
    """Webcams of browsers that send frames."""


def operations(context: ApiContext) -> Sequence[Operation]:
    """The status over a WebSocket."""
    cameras = CameraList(context.site)

    def status() -> Status:
        return Status(
            revision=context.settings_file.revision,
            cameras=tuple(cameras.now()),
            detectors=tuple(detectors_of(context.site)),
            browser_cameras=context.browser_cameras.number,
        )

    feed = StatusFeed(status)
    summary = "The status once a second, as JSON texts"
    return (Operation("GET", "/status", summary, Access.VIEWER, feed.serve, media=WEBSOCKET, messages=(Status,)),)


class StatusFeed:
    """Sends the status to each WebSocket; one that reads too slowly misses some.

    Args:
        status: makes the status; called on another thread.
    """

    def __init__(self, status: Callable[[], Status]) -> None:
        self._status = status
        self._text = ""
        self._next: asyncio.Future[None] | None = None  # done when `_text` has changed
        self._maker: asyncio.Task[None] | None = None
        self._listeners = 0

    async def serve(self, call: Call) -> web.WebSocketResponse:
        """Answer one WebSocket until it is closed."""
        socket = web.WebSocketResponse(heartbeat=_HEARTBEAT_S, max_msg_size=_MOST_BYTES)
        await socket.prepare(call.request)
        reader = asyncio.create_task(_until_closed(socket))
        self._listeners += 1
        if self._maker is None:
            self._maker = asyncio.create_task(self._make())
        try:
            await self._send(socket, reader)
        finally:
            reader.cancel()
            self._listeners -= 1
            if not self._listeners:
                self._maker.cancel()
                self._maker, self._next, self._text = None, None, ""
        return socket

    async def _send(self, socket: web.WebSocketResponse, reader: asyncio.Task[None]) -> None:
        sent = ""
        while not reader.done():
            if self._text and self._text is not sent:
                sent = self._text
                with suppress(ConnectionError):
                    await socket.send_str(sent)
                continue
            if self._next is None:
                self._next = asyncio.get_running_loop().create_future()
            await asyncio.wait([reader, self._next], return_when=asyncio.FIRST_COMPLETED)

    async def _make(self) -> None:
        while True:
            try:
                self._text = await asyncio.to_thread(self._made)
            except Exception:
                log.exception("the status cannot be read")
            else:
                changed, self._next = self._next, None
                if changed is not None:
                    changed.set_result(None)
            await asyncio.sleep(EVERY_S)

    def _made(self) -> str:
        return self._status().model_dump_json()


async def _until_closed(socket: web.WebSocketResponse) -> None:
    async for message in socket:
        if message.type is WSMsgType.ERROR:
            return
