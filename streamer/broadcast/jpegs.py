"""JPEG frames of a camera, encoded once for all viewers: plain, or with what the renderer draws.

Used by one thread at a time.
"""

from __future__ import annotations

import asyncio
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

from streamer.broadcast.shown import ShownFrame
from streamer.config.settings import DrawSettings
from streamer.interfaces import Scene
from streamer.render.annotators import Renderer, build_annotators
from streamer.sinks.mjpeg.jpeg import Jpeg, encode
from streamer.values.frame import Frame

SMALL_PX = 640
"""The longer side of small frames, for a grid of cameras: 640x360 has a quarter of the pixels of 1280x720."""
SMALL_FPS = 8.0
"""At most so many small frames a second."""


@dataclass(frozen=True, eq=False)
class JpegFrame:
    """A JPEG with its overlay message.

    Attributes:
        shown: the frame.
        jpeg: it, encoded.
        text: makes the overlay message of a frame.
    """

    shown: ShownFrame
    jpeg: Jpeg
    text: Callable[[ShownFrame], str]

    @cached_property
    def message(self) -> bytes:
        """The length of the overlay message (big-endian uint32), that message (UTF-8), and the JPEG. One thread."""
        text = self.text(self.shown).encode()
        return struct.pack("!L", len(text)) + text + self.jpeg.data


class JpegMaker:
    """Encodes frames as JPEG.

    Args:
        quality: 1..100.
        text: makes the overlay message of a frame.
        boxes: draw boxes, labels and rules, if the run has not drawn them.
        small: scale larger frames down to `SMALL_PX`.
    """

    def __init__(
        self, quality: int, text: Callable[[ShownFrame], str], *, boxes: bool = False, small: bool = False
    ) -> None:
        self._quality = quality
        self._text = text
        self._small = small
        self._draw = BoxDrawing() if boxes else None

    def make(self, frame: ShownFrame, *, fresh: bool) -> JpegFrame | None:  # noqa: ARG002
        """See `streamer.broadcast.feed.Maker`."""
        picture = frame.scene.frame if self._draw is None else self._draw(frame.scene)
        size = small_size(picture.width, picture.height) if self._small else None
        return JpegFrame(frame, encode(frame.number, picture, self._quality, size), self._text)

    def close(self) -> None:
        """Nothing is held."""


def small_size(width: int, height: int) -> tuple[int, int]:
    """The size of a small frame, pixels: the same shape, with no side longer than `SMALL_PX`."""
    scale = min(1.0, SMALL_PX / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


class BoxDrawing:
    """Draws on a copy of a frame what a run draws by default."""

    def __init__(self) -> None:
        self._renderer = Renderer(build_annotators(DrawSettings(), {}))

    def __call__(self, scene: Scene) -> Frame:
        """The annotated frame: that of the run, if it draws."""
        picture = self._renderer.render(scene) if scene.picture is None else scene.picture
        return replace(scene.frame, picture=picture)


class Stills:
    """The newest frame of a camera as JPEG, encoded on demand and once for all that ask. The event loop.

    Args:
        newest: the frame; None before the first.
        quality: 1..100.
        boxes: as of `JpegMaker`.
    """

    def __init__(self, newest: Callable[[], ShownFrame | None], quality: int, *, boxes: bool) -> None:
        self._newest = newest
        self._quality = quality
        self._boxes = boxes
        self._draw: BoxDrawing | None = None
        self._made: Jpeg | None = None
        self._encoding = asyncio.Lock()
        self._drawing = threading.Lock()  # a client that leaves does not wait for its frame; the thread of it goes on

    async def newest(self) -> Jpeg | None:
        """The newest frame; None before the first."""
        async with self._encoding:
            frame = self._newest()
            if frame is None or (self._made is not None and self._made.number == frame.number):
                return self._made
            self._made = await asyncio.to_thread(self._encode, frame)
            return self._made

    def _encode(self, frame: ShownFrame) -> Jpeg:
        picture = frame.scene.frame
        if self._boxes:
            with self._drawing:
                self._draw = self._draw or BoxDrawing()
                picture = self._draw(frame.scene)
        return encode(frame.number, picture, self._quality)
