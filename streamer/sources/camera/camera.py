"""Webcams: naming, listing and opening them; on Linux through V4L2, elsewhere through OpenCV.

`cameras` is called by the main thread; a connector and its connections belong to the thread that reads the camera.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from itertools import groupby
from typing import Any

from streamer.errors import ConfigError, SourceUnavailable
from streamer.sources.camera.modes import Mode, rates_text
from streamer.sources.live.connection import Connection

PREFIX = "camera:"
_NAME = re.compile(rf"(?:{PREFIX})?(\d{{1,3}})|(?:{PREFIX}(?=/))?(/dev/video\d+|/dev/v4l/.+)|{PREFIX}(/.+)")


@dataclass(frozen=True, slots=True)
class Camera:
    """A camera of this machine.

    Attributes:
        index: what to name it by, as in `camera:0`.
        path: of its device.
        name: what it calls itself.
        driver: such as `uvcvideo`.
        bus: where it is plugged in, such as `usb-0000:00:14.0-1`.
        modes: what it offers.
        problem: why nothing is known of it; empty otherwise.
    """

    index: int
    path: str
    name: str = ""
    driver: str = ""
    bus: str = ""
    modes: tuple[Mode, ...] = ()
    problem: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; rates as text such as `30000/1001`."""
        modes = [asdict(mode) | {"rates_fps": [str(rate) for rate in mode.rates_fps]} for mode in self.modes]
        return asdict(self) | {"modes": modes}

    def lines(self) -> list[str]:
        """A few short lines for a terminal."""
        where = ", ".join(filter(None, [self.path, self.driver, self.bus]))
        lines = [f"{PREFIX}{self.index}  {self.name or 'camera'} ({where})"]
        if self.problem:
            lines.append(f"  {self.problem}")
        for pixel_format, group in groupby(self.modes, key=lambda mode: mode.pixel_format):
            modes = list(group)
            lines.append(f"  {pixel_format}{'' if modes[0].usable else ' (this program cannot read it)'}")
            for mode in modes:
                rates = f" at {rates_text(mode.rates_fps)} fps" if mode.rates_fps else ""
                lines.append(f"    {mode.width}x{mode.height}{rates}")
        return lines


def cameras() -> list[Camera]:
    """The cameras of this machine by their index, whether or not they are in use; empty if there is none.

    Only on Linux can they be asked; elsewhere the list is always empty.
    """
    if sys.platform != "linux":
        return []
    from streamer.sources.camera.devices import find_cameras

    return find_cameras()


def listing(found: Sequence[Camera]) -> list[str]:
    """What `cameras` found as lines for a terminal."""
    if found:
        return [line for camera in found for line in camera.lines()]
    if sys.platform != "linux":
        return ["cameras can be listed on Linux only; try camera:0, camera:1"]
    return ["no camera found; plug one in, and look for it with: ls /dev/video*"]


def is_camera(uri: str) -> bool:
    """Whether a text names a camera: `0`, `camera:0`, `/dev/video0`, `camera:/dev/v4l/by-id/...`."""
    return _NAME.fullmatch(uri) is not None


class CameraConnector:
    """Opens one camera, again and again; see `streamer.sources.live.connection.Connector`.

    Args:
        device: `0`, `camera:0`, `/dev/video0`, `/dev/v4l/by-id/...`, `camera:` and any path.
        size: width and height in pixels, one that is offered; if None, see `choose_mode`.
        fps: frames a second, a rate that is offered; if None, see `choose_mode`.
        pixel_format: V4L2's four characters or FFmpeg's name, one that is offered; if None, see `choose_mode`.

    Raises:
        SourceUnavailable: `device` is no name of a camera.
        ConfigError: a size or rate that cannot be.
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
            raise SourceUnavailable(f"{device}: is no name of a camera; try camera:0 or /dev/video0")
        number, *paths = match.groups()
        self._index = None if number is None else int(number)
        self._path = next(filter(None, paths), f"/dev/video{self._index}")
        self.name = self._path if self._index is None else f"{PREFIX}{self._index}"
        self._wish = (_size(size), _rate(fps), pixel_format)

    def is_reachable(self) -> bool:
        """Whether the device is there and may be opened; after it was plugged in, that takes the system a moment."""
        return sys.platform != "linux" or os.access(self._path, os.R_OK | os.W_OK)

    def connect(self, is_active: Callable[[], bool]) -> Connection:
        """Open it and see its first picture; see `streamer.sources.live.connection.Connector.connect`."""
        if sys.platform == "linux":
            from streamer.sources.camera.v4l2 import V4L2Connection

            return V4L2Connection(self._path, self.name, is_active, *self._wish)
        from streamer.sources.camera.opencv import OpenCVConnection

        return OpenCVConnection(self._index, self.name, is_active, *self._wish)


def _size(size: tuple[int, int] | None) -> tuple[int, int] | None:
    if size is not None and min(size) < 1:
        raise ConfigError(f"the size of a camera's picture must be positive, not {size[0]}x{size[1]}")
    return size


def _rate(fps: Fraction | float | str | None) -> Fraction | None:
    if fps is None:
        return None
    try:
        rate = Fraction(str(fps))
    except (ValueError, ZeroDivisionError) as error:
        raise ConfigError(f"the rate of a camera is a number such as 30 or 30000/1001, not {fps}") from error
    if rate <= 0:
        raise ConfigError(f"the rate of a camera must be positive, not {fps}")
    return rate
