"""Overlay messages for all viewers of a camera: each is made once, on the event loop of the web server.

The display thread hands frames over and never waits: one call waits for the loop at most, with the newest frames.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from streamer.broadcast.overlay import Condition, message
from streamer.broadcast.shown import ShownFrame
from streamer.render.colours.track_colours import TrackColours

Moment = tuple[ShownFrame | None, Condition]
"""The newest frame, None before the first, and the state of the camera."""
MOST_WAITING = 8
"""Moments that wait for the event loop; older ones are left out."""


class OverlayFeed:
    """The messages of one camera.

    Args:
        moment: the newest frame and the state of the camera; any thread may call it.
    """

    def __init__(self, moment: Callable[[], Moment]) -> None:
        self._moment = moment
        self._takers: list[Callable[[str], None]] = []  # the event loop's thread, like `_made`
        self._colours = TrackColours()
        self._made: tuple[ShownFrame | None, Condition, str] | None = None
        self._lock = threading.Lock()  # guards all below
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting: deque[Moment] = deque(maxlen=MOST_WAITING)

    @contextmanager
    def watch(self, take: Callable[[str], None]) -> Iterator[None]:
        """Call `take` with the newest message and all further ones, on the event loop, from entering to leaving."""
        self._takers.append(take)
        with self._lock:
            self._loop = asyncio.get_running_loop()
        take(self._text(*self._moment()))
        try:
            yield
        finally:
            self._takers.remove(take)
            if not self._takers:
                self.close()

    def put(self, moment: Moment) -> None:
        """There is a new frame, or another state. Any thread."""
        with self._lock:
            if self._loop is None:
                return
            self._waiting.append(moment)
            if len(self._waiting) > 1:  # the call of the first one is on its way
                return
            try:
                self._loop.call_soon_threadsafe(self._deliver)
            except RuntimeError:  # the web server has ended
                self._loop = None
                self._waiting.clear()

    def close(self) -> None:
        """Make no more messages until someone watches again. Any thread."""
        with self._lock:
            self._loop = None
            self._waiting.clear()

    def text(self, frame: ShownFrame) -> str:
        """The message of one frame. The event loop."""
        return self._text(frame, self._moment()[1])

    # the event loop

    def _deliver(self) -> None:
        with self._lock:
            moments = list(self._waiting)
            self._waiting.clear()
        for moment in moments:
            text = self._text(*moment)
            for take in tuple(self._takers):
                take(text)

    def _text(self, frame: ShownFrame | None, condition: Condition) -> str:
        """The message; the last one is kept, because viewers of boxes and of JPEG frames need the same."""
        if self._made is None or self._made[0] is not frame or self._made[1] != condition:
            self._made = frame, condition, message(frame, condition, self._colours)
        return self._made[2]
