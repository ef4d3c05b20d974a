"""The HTTP server of a pool: takes a frame, answers with its detections. Runs on the event loop of the dispatcher.

Every request needs the token of the pool. A sender that closes its connection gives up its frame.
"""

from __future__ import annotations

import hmac
import math
from typing import Any

import numpy as np
from aiohttp import web

from streamer.detectors.ray import wire
from streamer.detectors.ray.turns import Expired, Turns
from streamer.detectors.ray.values import PoolOrder, Refused

FIRST_PORT = 10101
_PORTS = 100
_IDLE_S = 3600.0
_LARGEST_FRAME = 1 << 29
"""Bytes; a frame of 8192x8192 with 16 bits a component has 400 MB."""


class WorkerLost(Exception):
    """The worker that had the frame has died or hangs."""


class FrameServer:
    """Takes frames and answers with their detections.

    Args:
        order: of the pool.
        turns: where frames wait for a worker.

    Attributes:
        port: where it listens; 0 before that.
        ready: how many workers can detect; frames are refused while it is 0.
        detected: how many frames were answered with detections.
        dropped: how many waited too long.
    """

    def __init__(self, order: PoolOrder, turns: Turns[tuple[str, wire.Bytes], Any]) -> None:
        self.port = 0
        self.ready = 0
        self.detected = 0
        self.dropped = 0
        self._runner: web.AppRunner | None = None
        self._order = order
        self._turns = turns
        self._authorization = f"Bearer {order.token}".encode()

    async def start(self) -> None:
        """Listen on the port, or on the first free one.

        Raises:
            OSError: it is not free.
        """
        application = web.Application(client_max_size=_LARGEST_FRAME)
        application.router.add_post(wire.DETECT, self._detect)
        application.router.add_get(wire.READY, self._is_ready)
        options = {"access_log": None, "handler_cancellation": True, "keepalive_timeout": _IDLE_S}
        self._runner = runner = web.AppRunner(application, shutdown_timeout=0, **options)  # type: ignore[arg-type]
        await runner.setup()
        ports = range(FIRST_PORT, FIRST_PORT + _PORTS) if self._order.port is None else (self._order.port,)
        for port in ports:
            site = web.TCPSite(runner, self._order.host, port)
            try:
                await site.start()
            except OSError:
                if port == ports[-1]:
                    raise
                await site.stop()
                continue
            self.port = runner.addresses[0][1]
            return

    async def close(self) -> None:
        """End all connections."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _is_ready(self, request: web.Request) -> web.Response:
        return self._refusal(request) or web.Response(text=f"{self.ready} workers are ready")

    async def _detect(self, request: web.Request) -> web.Response:
        if (refusal := self._refusal(request)) is not None:
            return refusal
        try:
            description, limit_s = request.headers[wire.FRAME], float(request.headers[wire.LIMIT])
        except (KeyError, ValueError):
            return web.Response(status=400, text=f"a frame needs the headers {wire.FRAME} and {wire.LIMIT}")
        if not (math.isfinite(limit_s) and limit_s > 0):
            return web.Response(status=400, text=f"{wire.LIMIT} must be above 0")
        content = np.frombuffer(await request.read(), np.uint8)
        sender = request.headers.get(wire.SENDER, "")
        try:
            return self._answer(await self._turns.detected(sender, (description, content), limit_s))
        except Expired:
            self.dropped += 1
            return web.Response(status=503, text=f"all {self.ready} workers were busy for {limit_s:.2g} s")

    def _answer(self, found: Any) -> web.Response:
        if isinstance(found, WorkerLost):
            return web.Response(status=503, text=str(found))
        if isinstance(found, Refused):
            status = 409 if found.is_usage else 422
            return web.Response(status=status, text=found.message, headers={wire.OUTPUT: str(int(found.is_output))})
        if isinstance(found, wire.Conversion):
            return web.Response(status=428, headers={wire.NEEDS: str(found)})
        content, top_score = found
        self.detected += 1
        headers = {} if top_score is None else {wire.TOP_SCORE: repr(float(top_score))}
        return web.Response(body=content, headers=headers)

    def _refusal(self, request: web.Request) -> web.Response | None:
        """The answer to a request without the token, and while no worker is ready."""
        sent = request.headers.get("Authorization", "").encode()
        if not hmac.compare_digest(sent, self._authorization):
            return web.Response(status=401, text="the token of the pool is missing or wrong")
        if not self.ready:
            return web.Response(status=503, text="no worker of the pool is ready")
        return None
