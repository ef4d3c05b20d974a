"""The viewers of an MJPEG output and the newest frame for them. Used by the web server's thread.

Every viewer has a queue of one frame, the newest; a slow viewer misses frames and delays nobody.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
import time
from contextvars import Context, copy_context

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

from streamer.sinks.mjpeg.jpeg import CONTENT_TYPE, OPENING, Jpeg, encode
from streamer.values.frame import Frame

log = logging.getLogger(__name__)

# Limit on the unsent bytes that the system buffers for a viewer. Without a limit it buffers megabytes: a viewer that
# read 1 MB/s of 3.3 MB/s saw frames that were 3.2 s old, and 0.12 s with this limit (1280x720, 25 fps, loopback).
_NOT_SENT_BYTES = 32_768
_GRACE_S = 0.25
# Chromium shows the first frame of a stream only when a second one has arrived.
_REPEATED_AFTER_S = 2.0


class Viewer:
    """A viewer with the newest frame that was not sent to it yet.

    Args:
        request: of the viewer.
        timeout_s: a viewer that takes no data for so long is disconnected.
        context: of the log lines about it.

    Raises:
        ConnectionResetError: it is gone already.
    """

    def __init__(self, request: web.Request, timeout_s: float, context: Context | None = None) -> None:
        transport = request.transport
        if transport is None:
            raise ConnectionResetError
        self._request = request
        self._transport = transport
        self._timeout_s = timeout_s
        self._context = context or Context()
        self._slot: Jpeg | None = None
        self._newest: Jpeg | None = None
        self._filled = asyncio.Event()
        self._ended = False
        transport.set_write_buffer_limits(high=0)
        option = getattr(socket, "TCP_NOTSENT_LOWAT", None)
        if option is not None:
            transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, option, _NOT_SENT_BYTES)

    def put(self, jpeg: Jpeg) -> None:
        """Queue a newer frame; it replaces one that was not sent yet."""
        self._slot = self._newest = jpeg
        self._filled.set()

    def repeat(self, jpeg: Jpeg) -> None:
        """Queue a frame again if there was no newer one."""
        if self._newest is jpeg and not self._ended:
            self.put(jpeg)

    def end(self) -> None:
        """End the stream after the frame that is queued."""
        self._ended = True
        self._filled.set()

    def drop(self) -> None:
        """Close the connection at once."""
        self._transport.abort()

    async def answer(self, first: Jpeg | None) -> web.StreamResponse:
        """Answer the request with the first frame, if there is one, and all further ones until the end."""
        response = web.StreamResponse(headers={"Content-Type": CONTENT_TYPE})
        response.force_close()
        writer = await response.prepare(self._request)
        assert writer is not None
        await writer.write(OPENING)
        if first is None:
            await self._send(writer)
            return response
        self.put(first)
        repeated = asyncio.get_running_loop().call_later(_REPEATED_AFTER_S, self.repeat, first)
        try:
            await self._send(writer)
        finally:
            repeated.cancel()  # it would keep the connection of a viewer that has gone
        return response

    async def _send(self, writer: AbstractStreamWriter) -> None:
        while (jpeg := await self.take()) is not None:
            try:
                async with asyncio.timeout(self._timeout_s):
                    await writer.write(jpeg.part)
                    await writer.drain()
            except TimeoutError:
                line = f"viewer {self._request.remote} took no data for {self._timeout_s:g} s: disconnected"
                self._context.run(log.info, "%s", line)
                self.drop()
                break

    async def take(self) -> Jpeg | None:
        """Wait for the newest frame; None at the end."""
        await self._filled.wait()
        jpeg, self._slot = self._slot, None
        if not self._ended:
            self._filled.clear()
        return jpeg


class Broadcaster:
    """Sends the newest frame to all viewers.

    Args:
        quality: of the JPEGs, 1..100.
        watched: set while there are viewers; the only member that other threads read.
        viewer_timeout_s: a viewer that takes no data for so long is disconnected.

    Attributes:
        frames: number of frames so far.
    """

    def __init__(self, quality: int, watched: threading.Event, viewer_timeout_s: float) -> None:
        self.frames = 0
        self._quality = quality
        self._watched = watched
        self._viewer_timeout_s = viewer_timeout_s
        self._newest: tuple[int, Frame] | None = None
        self._taken_s = 0.0
        self._jpeg: Jpeg | None = None
        self._encoding = asyncio.Lock()
        self._viewers: dict[Viewer, asyncio.Task[object]] = {}
        self._context = copy_context()  # of the camera; its log lines have its name, also on the server's thread

    @property
    def viewers(self) -> int:
        """Number of viewers."""
        return len(self._viewers)

    @property
    def age_s(self) -> float | None:
        """Seconds since the newest frame arrived; None before the first."""
        return time.monotonic() - self._taken_s if self._newest is not None else None

    def put(self, number: int, frame: Frame, jpeg: Jpeg | None) -> None:
        """Take a new frame, with its JPEG if it was encoded for viewers."""
        self._newest, self._taken_s, self.frames = (number, frame), time.monotonic(), self.frames + 1
        if jpeg is not None:
            self._jpeg = jpeg
            for viewer in self._viewers:
                viewer.put(jpeg)

    async def newest(self) -> Jpeg | None:
        """The newest frame, encoded on demand; None before the first."""
        async with self._encoding:
            if self._newest is None:
                return None
            number, frame = self._newest
            if self._jpeg is None or self._jpeg.number < number:
                jpeg = await asyncio.to_thread(encode, number, frame, self._quality)
                if self._jpeg is None or self._jpeg.number < number:
                    self._jpeg = jpeg
            return self._jpeg

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """Answer a request with all frames from now on."""
        viewer, task = Viewer(request, self._viewer_timeout_s, self._context), asyncio.current_task()
        assert task is not None
        self._viewers[viewer] = task
        self._watched.set()
        try:
            return await viewer.answer(await self.newest())
        finally:
            del self._viewers[viewer]
            if not self._viewers:
                self._watched.clear()

    async def end(self) -> None:
        """Send the queued frames and end all streams; viewers that do not take theirs soon are disconnected."""
        for viewer in self._viewers:
            viewer.end()
        if self._viewers:
            await asyncio.wait(self._viewers.values(), timeout=_GRACE_S)
        for viewer in self._viewers:
            viewer.drop()
