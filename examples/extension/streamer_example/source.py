"""A source: bright squares that bounce on a dark background, at `bouncing://WIDTHxHEIGHT`."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from fractions import Fraction
from typing import Self

import av
import numpy as np
import numpy.typing as npt
from pydantic import Field

import streamer

ADDRESS = re.compile(r"bouncing://(\d+)x(\d+)")
SIDE_PX = 40


class BouncingSettings(streamer.Section):
    """`extensions.bouncing` in the settings."""

    squares: int = Field(default=2, ge=1, le=20)
    frames: int = Field(default=100, ge=1)
    fps: Fraction = Fraction(25)


class BouncingSource(streamer.Source, streamer.SourceFeature):
    """Draws its frames itself. A source is entered once and iterated once, by the capture thread."""

    section = BouncingSettings

    def __init__(self, size: tuple[int, int], settings: BouncingSettings) -> None:
        self._settings = settings
        self._info = streamer.StreamInfo(
            name="bouncing squares",
            width=size[0],
            height=size[1],
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

    @property
    def info(self) -> streamer.StreamInfo:
        """Properties of the stream; valid once the source is entered."""
        return self._info

    def __iter__(self) -> Iterator[streamer.Frame]:
        room = np.array([self._info.width, self._info.height]) - SIDE_PX
        rng = np.random.default_rng(0)
        start, step = rng.uniform(0, room, (self._settings.squares, 2)), rng.uniform(1, 4, (self._settings.squares, 2))
        for index in range(self._settings.frames):
            place = room - np.abs((start + index * step) % (2 * room) - room)  # back and forth between the edges
            picture = self._drawn(place)
            picture.pts, picture.time_base = index, self._info.time_base
            yield streamer.Frame(picture, index, index, self._info.time_base, time.monotonic())

    def _drawn(self, place: npt.NDArray[np.float64]) -> av.VideoFrame:
        luma = np.full((self._info.height * 3 // 2, self._info.width), 128, np.uint8)
        luma[: self._info.height] = 40
        for x, y in place.astype(int):
            luma[y : y + SIDE_PX, x : x + SIDE_PX] = 200
        return av.VideoFrame.from_ndarray(luma, "yuv420p")
