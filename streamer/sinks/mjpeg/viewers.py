"""Those who watch a run over HTTP, and the newest picture for them. Owned by the server's thread.

Every viewer has room for one picture, the newest; whoever reads slowly misses some and delays nobody.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
import time

from aiohttp import web

from streamer.sinks.mjpeg.picture import CONTENT_TYPE, OPENING, Jpeg, encode
from streamer.values.frame import Frame

log = logging.getLogger(__name__)

# What the system may hold of a viewer's pictures before they are on the way. It takes megabytes without a limit: a
# viewer that read 1 MB/s of 3.3 MB/s saw pictures that were 3.2 s old, and 0.12 s with this one (1280x720, 25 fps,
# loopback).
_NOT_SENT_BYTES = 32_768
_GRACE_S = 0.25


class Viewer:
    """One who watches: the newest picture that was not sent yet.

    Args:
        transport: of the connection.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._slot: Jpeg | None = None
        self._filled = asyncio.Event()
        self._ended = False
        transport.set_write_buffer_limits(high=0)
        option = getattr(socket, "TCP_NOTSENT_LOWAT", None)
        if option is not None:
            transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, option, _NOT_SENT_BYTES)

    def put(self, jpeg: Jpeg) -> None:
        """A newer picture, instead of one that is still there."""
        self._slot = jpeg
        self._filled.set()

    def end(self) -> None:
        """No more pictures."""
        self._ended = True
        self._filled.set()

    def drop(self) -> None:
        """Break the connection off."""
        self._transport.abort()

    async def take(self) -> Jpeg | None:
        """The newest picture, waiting for one; None when there will be none."""
        await self._filled.wait()
        jpeg, self._slot = self._slot, None
        if not self._ended:
            self._filled.clear()
        return jpeg


class Gallery:
    """The newest picture and everyone who watches.

    Args:
        quality: of the JPEGs, 1..100.
        watched: is set while there are viewers; the only thing here that another thread reads.
        viewer_timeout_s: a viewer that takes nothing for so long is disconnected.
    """

    def __init__(self, quality: int, watched: threading.Event, viewer_timeout_s: float) -> None:
        self._quality = quality
        self._watched = watched
        self._viewer_timeout_s = viewer_timeout_s
        self._newest: tuple[int, Frame] | None = None
        self._taken_s = 0.0
        self._jpeg: Jpeg | None = None
        self._encoding = asyncio.Lock()
        self._viewers: dict[Viewer, asyncio.Task[object]] = {}
        self.pictures = 0
        """How many came."""

    @property
    def viewers(self) -> int:
        """How many watch."""
        return len(self._viewers)

    @property
    def age_s(self) -> float | None:
        """Seconds since the newest picture came; None before the first."""
        return time.monotonic() - self._taken_s if self._newest is not None else None

    def take(self, number: int, frame: Frame, jpeg: Jpeg | None) -> None:
        """A new picture, with its JPEG where it was encoded for those who watch."""
        self._newest, self._taken_s, self.pictures = (number, frame), time.monotonic(), self.pictures + 1
        if jpeg is not None:
            self._jpeg = jpeg
            for viewer in self._viewers:
                viewer.put(jpeg)

    async def newest(self) -> Jpeg | None:
        """The newest picture, encoded now unless it is already; None before the first."""
        async with self._encoding:
            if self._newest is None:
                return None
            number, frame = self._newest
            if self._jpeg is None or self._jpeg.number < number:
                jpeg = await asyncio.to_thread(encode, number, frame, self._quality)
                if self._jpeg is None or self._jpeg.number < number:
                    self._jpeg = jpeg
            return self._jpeg

    async def show(self, request: web.Request) -> web.StreamResponse:
        """Answer a request with all pictures from now on."""
        transport, task = request.transport, asyncio.current_task()
        if transport is None or task is None:
            raise ConnectionResetError
        viewer = Viewer(transport)
        self._viewers[viewer] = task
        self._watched.set()
        try:
            return await self._send(request, viewer)
        finally:
            del self._viewers[viewer]
            if not self._viewers:
                self._watched.clear()

    async def _send(self, request: web.Request, viewer: Viewer) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": CONTENT_TYPE})
        response.force_close()
        writer = await response.prepare(request)
        assert writer is not None
        await writer.write(OPENING)
        first = await self.newest()
        if first is not None:
            viewer.put(first)
        while (jpeg := await viewer.take()) is not None:
            try:
                async with asyncio.timeout(self._viewer_timeout_s):
                    await writer.write(jpeg.part)
                    await writer.drain()
            except TimeoutError:
                log.info("a viewer (%s) took nothing for %g s: disconnected", request.remote, self._viewer_timeout_s)
                viewer.drop()
                break
        return response

    async def end(self) -> None:
        """Send everyone what is there and let them go; whoever does not take it in a moment is disconnected."""
        for viewer in self._viewers:
            viewer.end()
        if self._viewers:
            await asyncio.wait(self._viewers.values(), timeout=_GRACE_S)
        for viewer in self._viewers:
            viewer.drop()
