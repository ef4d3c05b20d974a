"""Webcams by name: V4L2 on Linux, OpenCV elsewhere. A connector belongs to the thread that reads the camera."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from fractions import Fraction
from typing import ClassVar, Self

from streamer.config.source import SourceSettings
from streamer.errors import ConfigError, SourceUnavailable
from streamer.features import SourceContext
from streamer.sources.camera.devices import PREFIX
from streamer.sources.decode.stream_facts import exact_fps
from streamer.sources.live.connection import Connection
from streamer.sources.live.live import LiveSource
from streamer.system import paths

_NAME = re.compile(rf"(?:{PREFIX})?(\d{{1,3}})|(?:{PREFIX}(?=/))?(/dev/video\d+|/dev/v4l/.+)|{PREFIX}(/.+)")


def is_camera(uri: str) -> bool:
    """Whether a text names a camera: `0`, `camera:0`, `/dev/video0`, `camera:/dev/v4l/by-id/...`."""
    return _NAME.fullmatch(uri) is not None


class CameraConnector:
    """Opens one camera, as often as needed; see `streamer.sources.live.connection.Connector`.

    Args:
        device: `0`, `camera:0`, `/dev/video0`, `/dev/v4l/by-id/...`, or `camera:` and any path.
        size: width and height in pixels, an offered size; if None, see `choose_mode`.
        fps: frames per second, an offered rate; if None, see `choose_mode`.
        pixel_format: V4L2's four characters or FFmpeg's name, an offered format; if None, see `choose_mode`.

    Raises:
        SourceUnavailable: `device` is not the name of a camera.
        ConfigError: a size or rate that is not positive.
    """

    ends = False
    least_stall_s = 0.0

    def __init__(
        self,
        device: str | int,
        *,
        size: tuple[int, int] | None = None,
        fps: Fraction | float | str | None = None,
        pixel_format: str | None = None,
    ) -> None:
        match = _NAME.fullmatch(str(device))
        if match is None:
            raise SourceUnavailable(f"{device}: not the name of a camera; try camera:0 or /dev/video0")
        if size is not None and min(size) < 1:
            raise ConfigError(f"the frame size of a camera must be positive, not {size[0]}x{size[1]}")
        number, *paths = match.groups()
        self._index = None if number is None else int(number)
        self._path = next(filter(None, paths), f"/dev/video{self._index}")
        self.name = self._path if self._index is None else f"{PREFIX}{self._index}"
        self._wanted_mode = (size, None if fps is None else exact_fps(fps), pixel_format)

    def is_reachable(self) -> bool:
        """Whether the device exists and may be opened; the system needs a moment after a camera is plugged in."""
        return sys.platform != "linux" or os.access(self._path, os.R_OK | os.W_OK)

    def connect(self, is_active: Callable[[], bool]) -> Connection:
        """Open it and read its first frame; see `streamer.sources.live.connection.Connector.connect`."""
        if sys.platform == "linux":
            from streamer.sources.camera.v4l2 import V4L2Connection

            return V4L2Connection(self._path, self.name, is_active, *self._wanted_mode)
        from streamer.sources.camera.opencv import OpenCVConnection

        return OpenCVConnection(self._index, self.name, is_active, *self._wanted_mode)


class CameraSource(LiveSource):
    """The frames of a webcam; see `LiveSource`."""

    section = SourceSettings
    takes: ClassVar[frozenset[str]] = frozenset({"fps", "size", "pixel_format"})

    @classmethod
    def accepts(cls, uri: str, settings: SourceSettings) -> bool:  # noqa: ARG003
        """Whether it names a camera and no existing file has that name."""
        return is_camera(uri) and not paths.is_file(uri)

    @classmethod
    def is_live(cls, uri: str) -> bool:  # noqa: ARG003
        """Always."""
        return True

    @classmethod
    def from_settings(cls, uri: str, settings: SourceSettings, context: SourceContext) -> Self:
        """See `streamer.features.SourceFeature`."""
        size, fps, pixel_format = settings.frame_size, settings.fps, settings.pixel_format
        return cls(CameraConnector(uri, size=size, fps=fps, pixel_format=pixel_format), settings, context.stats)
