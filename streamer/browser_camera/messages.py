"""The messages of a session to its browser, over the data channel `messages` that the browser opens.

A message is a JSON object with one key: `frame`, `notice`, `max_width`, `ends_in_s` or `ended`. Any thread may put one
in and never waits; the web server's thread sends them.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aiortc import RTCDataChannel

LABEL = "messages"
"""Of the data channel."""
_MOST_FRAMES = 8
_MOST_OTHERS = 16
_MOST_BUFFERED = 64 << 10
"""Bytes in the data channel of a browser that does not read. Beyond that, frames are left out."""


class Messages:
    """Sends messages of one session, in order; of frames that cannot be sent in time only the newest.

    Args:
        loop: of the web server.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._channel: RTCDataChannel | None = None  # web server's thread
        self._lock = threading.Lock()  # guards all below
        self._frames: deque[str] = deque()
        self._others: deque[str] = deque(maxlen=_MOST_OTHERS)
        self._scheduled = False

    def put(self, **message: Any) -> None:
        """Send a message that is no frame; it is kept until the browser has opened the channel."""
        self._put(self._others, message)

    def put_frame(self, frame: dict[str, Any]) -> None:
        """Send the boxes of a frame, if the channel is open and has room."""
        self._put(self._frames, {"frame": frame})

    def use(self, channel: RTCDataChannel) -> None:
        """The browser has opened a channel. Web server's thread."""
        if channel.label == LABEL and self._channel is None:
            self._channel = channel
            self._send()

    async def drain(self, most_s: float) -> None:
        """Wait until all is sent. Web server's thread.

        Args:
            most_s: a browser that is gone takes nothing.
        """
        self._send()
        channel = self._channel
        if channel is None or channel.readyState != "open" or not channel.bufferedAmount:
            return
        sent = asyncio.Event()
        channel.once("bufferedamountlow", sent.set)
        with suppress(TimeoutError):
            await asyncio.wait_for(sent.wait(), most_s)

    def _put(self, queue: deque[str], message: dict[str, Any]) -> None:
        text = json.dumps(message, separators=(",", ":"))
        with self._lock:
            queue.append(text)
            while len(self._frames) > _MOST_FRAMES:
                self._frames.popleft()
            is_scheduled, self._scheduled = self._scheduled, True
        if not is_scheduled:
            with suppress(RuntimeError):  # the web server has ended
                self._loop.call_soon_threadsafe(self._send)

    # web server's thread

    def _send(self) -> None:
        channel = self._channel
        is_open = channel is not None and channel.readyState == "open"
        with self._lock:
            self._scheduled = False
            others = list(self._others) if is_open else []
            frames = list(self._frames)
            self._frames.clear()
            if is_open:
                self._others.clear()
        if channel is None or not is_open:
            return
        for text in others:
            channel.send(text)
        for text in frames:
            if channel.bufferedAmount > _MOST_BUFFERED:
                return
            channel.send(text)
