"""A source: bright squares that bounce on a dark background, at `bouncing://WIDTHxHEIGHT`."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from fractions import Fraction
from types import TracebackType
from typing import Self

import av
import numpy as np
from pydantic import Field

import streamer

ADDRESS = re.compile(r"bouncing://(\d+)x(\d+)")
SIDE_PX = 40


class BouncingSettings(streamer.Section):
    """`extensions.bouncing` in the settings."""

    squares: int = Field(default=2, ge=1, le=20)
    frames: int = Field(default=100, ge=1)
    fps: Fraction = Fraction(25)


class BouncingSource:
    """Draws its frames itself. A source is entered once and iterated once, by the capture thread."""

    section = BouncingSettings

    def __init__(self, size: tuple[int, int], settings: BouncingSettings) -> None:
        self._settings = settings
        width, height = size
        self.info = streamer.StreamInfo(
            name="bouncing squares",
            width=width,
            height=height,
            pixel_format="yuv420p",
            time_base=1 / settings.fps,
            average_fps=settings.fps,
            frame_count=settings.frames,
        )

    @classmethod
    def accepts(cls, uri: str, settings: streamer.SourceSettings) -> bool:  # noqa: ARG003
        """Whether this class reads the address. It must not open anything."""
        return uri.startswith("bouncing://")

    @classmethod
    def from_settings(cls, uri: str, settings: BouncingSettings, context: streamer.SourceContext) -> Self:  # noqa: ARG003
        """The source, not yet entered."""
        match = ADDRESS.fullmatch(uri)
        if match is None:
            raise streamer.ConfigError(f"{uri}: give a size, such as bouncing://320x240")
        return cls((int(match[1]), int(match[2])), settings)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...

    def __iter__(self) -> Iterator[streamer.Frame]:
        room = np.array([self.info.width, self.info.height]) - SIDE_PX
        rng = np.random.default_rng(0)
        start, step = rng.uniform(0, room, (self._settings.squares, 2)), rng.uniform(1, 4, (self._settings.squares, 2))
        for index in range(self._settings.frames):
            place = room - np.abs((start + index * step) % (2 * room) - room)  # back and forth between the edges
            yield streamer.Frame(self._drawn(place), index, index, self.info.time_base, time.monotonic())

    def _drawn(self, place: np.ndarray) -> av.VideoFrame:
        luma = np.full((self.info.height * 3 // 2, self.info.width), 128, np.uint8)
        luma[: self.info.height] = 40
        for x, y in place.astype(int):
            luma[y : y + SIDE_PX, x : x + SIDE_PX] = 200
        return av.VideoFrame.from_ndarray(luma, "yuv420p")

    def take_damage(self) -> list[object]:
        """Nothing is lost."""
        return []

    def stop(self) -> None:
        """Called to end a wait; this source never waits."""
