"""WebSockets of a camera: the boxes of each frame, and JPEG frames with boxes. Web server's thread.

A message that a client has not taken is replaced by newer ones; a client that takes none for `VIEWER_TIMEOUT_S` is
disconnected.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from streamer.api.context import ApiContext
from streamer.api.live.camera import VIEWER_TIMEOUT_S, broadcast_of, viewer_of
from streamer.api.operation import Call
from streamer.broadcast.jpegs import SMALL_FPS, SMALL_PX, JpegFrame
from streamer.broadcast.overlay import hello
from streamer.broadcast.viewers import ViewerKind

log = logging.getLogger(__name__)

T = TypeVar("T", str, JpegFrame)

_MOST_WAITING = 8
_LARGEST_MESSAGE_BYTES = 1024
_PING_S = 20.0


class FrameSize(BaseModel):
    """How large the frames are."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    small: bool = Field(
        default=False, description=f"At most {SMALL_PX} pixels wide and high, at most {SMALL_FPS:g} a second."
    )


class Sockets:
    """Answers requests for WebSockets.

    Args:
        context: what the API works on.
    """

    def __init__(self, context: ApiContext) -> None:
        self._context = context

    async def overlay(self, call: Call) -> web.StreamResponse:
        """Text messages: a greeting, then one for each frame that is shown (`streamer.broadcast.overlay`)."""
        broadcast = broadcast_of(self._context, call)
        with viewer_of(self._context, broadcast, ViewerKind.OVERLAY):
            client = _Client[str](call.request, _MOST_WAITING)
            await client.open()
            await client.socket.send_str(hello(broadcast.camera))
            with broadcast.overlay.watch(client.put):
                return await client.serve(client.socket.send_str, acknowledged=False)

    async def frames(self, call: Call) -> web.StreamResponse:
        """Binary messages: a JPEG with its overlay message. The client answers each, and gets the newest then."""
        broadcast = broadcast_of(self._context, call)
        with viewer_of(self._context, broadcast):
            client = _Client[JpegFrame](call.request, 1)
            await client.open()
            small = isinstance(call.query, FrameSize) and call.query.small
            with (broadcast.small if small else broadcast.jpegs[False]).watch(client.put):
                return await client.serve(lambda frame: client.socket.send_bytes(frame.message), acknowledged=True)


class _Client(Generic[T]):
    """One WebSocket with the newest messages for it.

    Args:
        request: that opens it.
        most: messages that wait; older ones are left out.
    """

    def __init__(self, request: web.Request, most: int) -> None:
        self.socket = web.WebSocketResponse(heartbeat=_PING_S, compress=False, max_msg_size=_LARGEST_MESSAGE_BYTES)
        self._request = request
        self._waiting: deque[T] = deque(maxlen=most)
        self._filled = asyncio.Event()
        self._taken = asyncio.Event()

    async def open(self) -> None:
        await self.socket.prepare(self._request)

    def put(self, message: T) -> None:
        self._waiting.append(message)
        self._filled.set()

    async def serve(self, send: Callable[[T], Awaitable[None]], *, acknowledged: bool) -> web.WebSocketResponse:
        """Send messages until the client closes.

        Args:
            send: one of them.
            acknowledged: wait for a message of the client after each.
        """
        sending = asyncio.create_task(self._send(send, acknowledged=acknowledged))
        try:
            async for _ in self.socket:
                self._taken.set()
        finally:
            sending.cancel()
            await asyncio.wait([sending])
        return self.socket

    async def _send(self, send: Callable[[T], Awaitable[None]], *, acknowledged: bool) -> None:
        try:
            while True:
                await self._filled.wait()
                self._filled.clear()
                while self._waiting:
                    self._taken.clear()
                    async with asyncio.timeout(VIEWER_TIMEOUT_S):
                        await send(self._waiting.popleft())
                        if acknowledged:
                            await self._taken.wait()
        except TimeoutError:
            log.info("viewer %s took no data for %g s: disconnected", self._request.remote, VIEWER_TIMEOUT_S)
            if self._request.transport is not None:
                self._request.transport.abort()
        except ConnectionError:  # the client is gone, which ends `serve`
            return
