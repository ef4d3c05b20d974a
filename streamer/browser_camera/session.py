"""One browser whose webcam is sent up: its WebRTC connection, and the run that detects on it.

All of it is on the event loop of the web server, but the run, which has threads of its own.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

import av

from streamer.broadcast.broadcast import Broadcast
from streamer.browser_camera.messages import Messages
from streamer.browser_camera.run import BrowserRun
from streamer.config.web import BrowserCameraSettings, LiveVideoSettings

if TYPE_CHECKING:
    from aiortc import MediaStreamTrack, RTCPeerConnection

    from streamer.browser_camera.jitter_buffer import NewestJitterBuffer

SILENCE_S = 10.0
"""A session whose browser sends no picture for so long ends: its page is hidden, or gone without a goodbye."""
WARNING_S = 60.0
"""So long before its time is over, the browser is told."""
_LOST = "the site has ended, or has another detector now; start again"
_GOODBYE_S = 0.5
_RETURN_S = 1.0


class Returns(StrEnum):
    """What a browser gets back."""

    BOXES = "boxes"
    """The boxes of each frame, which the browser draws over its own picture."""
    VIDEO = "video"
    """The video with the boxes drawn on it, by WHEP; and the boxes."""


@dataclass(frozen=True, slots=True)
class SessionFacts:
    """Whose session it is, and how long it lasts.

    Attributes:
        id: random; part of its address.
        user: who opened it.
        returns: what goes back.
        opened: when.
        max_s: it ends after this time.
    """

    id: str
    user: str
    returns: Returns
    opened: datetime
    max_s: float


class BrowserSession:
    """A session from the answer to the browser's offer until one of both ends it.

    Args:
        facts: about it.
        settings: of browser cameras.
        peer: the connection; not yet used.
        make_run: makes the run from the messages and what to call at its end.
        closed: called on the event loop when nothing of it is left.
        broadcast: has the annotated video, if the browser gets that.
    """

    def __init__(
        self,
        facts: SessionFacts,
        settings: BrowserCameraSettings,
        peer: RTCPeerConnection,
        make_run: Callable[[Messages, Callable[[str], None]], BrowserRun],
        closed: Callable[[BrowserSession], None],
        broadcast: Broadcast | None = None,
    ) -> None:
        self.facts = facts
        self.broadcast = broadcast
        self._settings = settings
        self._peer = peer
        self._closed = closed
        self._loop = asyncio.get_running_loop()
        self._messages = Messages(self._loop)
        self.run = make_run(self._messages, self._run_has_ended)
        self._began_s = self._last_frame_s = time.monotonic()
        self._ending = asyncio.Event()
        self._run_ended = asyncio.Event()
        self._reason = ""
        self._refused = 0
        self._receiving: list[asyncio.Task[None]] = []
        self._supervising: asyncio.Task[None] | None = None

    async def answer(self, offer: str, live: LiveVideoSettings, near: str | None) -> str:
        """Accept the offer and start the run; returns the SDP answer.

        Args:
            offer: SDP with one video track that the browser sends.
            live: has the UDP ports of WebRTC.
            near: the address of this machine that the browser uses for HTTP.

        Raises:
            NoPort: no UDP port is free.
            Exception: whatever aiortc raises at an offer that it cannot use; the connection is closed then.
        """
        from aiortc import RTCSessionDescription

        from streamer.broadcast import candidates

        self._peer.on("track", self._on_track)
        self._peer.on("datachannel", self._messages.use)
        self._peer.on("connectionstatechange", self._on_state)
        try:
            await self._peer.setRemoteDescription(RTCSessionDescription(offer, "offer"))
            (transceiver,) = self._peer.getTransceivers()
            await candidates.gather(
                transceiver.receiver.transport.transport._connection,
                ports=candidates.parse_ports(live.udp_ports),
                public_address=live.public_address,
                near=near,
            )
            await self._peer.setLocalDescription()
        except BaseException:
            await self._disconnect()
            raise
        self.run.start()
        self._supervising = asyncio.create_task(self._supervise())
        return self._peer.localDescription.sdp

    def end(self, reason: str) -> None:
        """End it, once; does not wait.

        Args:
            reason: for the browser, one line; empty if the browser knows.
        """
        if not self._ending.is_set():
            self._reason = reason
            self._ending.set()

    @property
    def fps(self) -> float:
        """Frames shown per second, over the whole session."""
        return self.run.stats.shown / max(time.monotonic() - self._began_s, 1.0)

    async def wait_closed(self) -> None:
        """Wait until nothing of it is left."""
        if self._supervising is not None:
            await asyncio.wait([self._supervising])

    # the event loop

    def _on_track(self, track: MediaStreamTrack) -> None:
        from streamer.browser_camera.jitter_buffer import use_newest

        receiver = next(one for one in self._peer.getReceivers() if one.track is track)
        buffer = use_newest(receiver)

        async def receive() -> None:
            from aiortc.mediastreams import MediaStreamError

            with suppress(MediaStreamError):
                while True:  # aiortc's queue has no limit: each frame is taken at once
                    picture = await track.recv()
                    if isinstance(picture, av.VideoFrame) and picture.pts is not None:
                        self._take(picture, picture.pts, buffer)
            self.run.source.end()

        self._receiving.append(asyncio.create_task(receive()))

    def _take(self, picture: av.VideoFrame, ticks: int, buffer: NewestJitterBuffer) -> None:
        if max(picture.width, picture.height) <= self._settings.max_width:
            self._last_frame_s = time.monotonic()
            self.run.source.put(picture, ticks, buffer.arrived_s(ticks), buffer.origin)
            return
        if not self._refused:
            self._messages.put(max_width=self._settings.max_width)
        self._refused += 1

    def _on_state(self) -> None:
        if self._peer.connectionState in ("closed", "failed"):
            self.end("")

    def _run_has_ended(self, reason: str) -> None:
        """The thread of the run."""

        def tell() -> None:
            self._run_ended.set()
            self.end(reason or _LOST)

        with suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(tell)

    async def _supervise(self) -> None:
        """Wait for the end of the session, then leave nothing of it behind."""
        over_s = self._began_s + self.facts.max_s
        warn_s = over_s - min(WARNING_S, self.facts.max_s / 2)
        while not self._ending.is_set():
            now_s = time.monotonic()
            silent_s = self._last_frame_s + SILENCE_S
            if now_s >= over_s:
                self.end(f"the session is over after {self.facts.max_s:g} s (web.browser_camera.max_s)")
            elif now_s >= silent_s:
                self.end(self._why_silent())
            elif now_s >= warn_s:
                self._messages.put(ends_in_s=round(over_s - now_s))
                warn_s = math.inf
            else:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._ending.wait(), min(warn_s, over_s, silent_s) - now_s)
        await self._close()

    def _why_silent(self) -> str:
        if self._refused:
            return f"the pictures are larger than {self._settings.max_width} pixels (web.browser_camera.max_width)"
        return f"no picture arrived for {SILENCE_S:g} s"

    async def _close(self) -> None:
        self.run.stop()
        self._messages.put(ended=self._reason)
        try:
            await self._messages.drain(_GOODBYE_S)
            await self._disconnect()
            await self._run_ended.wait()  # longer than usual while a detector is loaded
            self.run.join(_RETURN_S)  # the last thing that its thread did was to set this
        finally:
            if self.broadcast is not None:
                await asyncio.to_thread(self.broadcast.close)  # it waits for the frame that is encoded
            self._closed(self)

    async def _disconnect(self) -> None:
        await self._peer.close()
        for task in self._receiving:  # a track that never began never ends
            task.cancel()
