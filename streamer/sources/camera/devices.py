"""The cameras of this machine. Only Linux can list them.

`find_cameras` is called by the main thread, the other functions by the thread that opens a camera.
"""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from streamer.media.ffmpeg_log import reason
from streamer.sources.camera.modes import Mode, rates_text

PREFIX = "camera:"
_DEVICES, _SYSTEM = Path("/dev"), Path("/sys/class/video4linux")
_NODE = re.compile(r"video(\d+)")


@dataclass(frozen=True, slots=True)
class Camera:
    """A camera of this machine.

    Attributes:
        index: the number in its name, as in `camera:0`.
        path: of the device.
        name: the model name that the device reports.
        driver: such as `uvcvideo`.
        bus: the port that it is connected to, such as `usb-0000:00:14.0-1`.
        modes: the sizes and formats that it offers.
        problem: why the modes are unknown; empty otherwise.
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


def find_cameras(*, modes: bool = True) -> list[Camera]:
    """All cameras, by their index, whether or not they are in use; always empty on other systems than Linux.

    Args:
        modes: also query the modes of each camera, which takes some time.
    """
    if sys.platform != "linux":
        return []
    nodes = [(int(match[1]), path) for path in _DEVICES.glob("video*") if (match := _NODE.fullmatch(path.name))]
    found = [_query(index, str(path), modes) for index, path in sorted(nodes)]
    return [camera for camera in found if camera is not None]


def camera_lines(found: Sequence[Camera]) -> list[str]:
    """The result of `find_cameras` as lines for a terminal."""
    if found:
        return [line for camera in found for line in camera.lines()]
    if sys.platform != "linux":
        return ["cameras can be listed on Linux only; try camera:0, camera:1"]
    return ["no camera found; connect one and check with: ls /dev/video*"]


def _query(index: int, path: str, modes: bool) -> Camera | None:
    """Returns None for a node that is not a camera."""
    from streamer.sources.camera.v4l2_device import CaptureDevice  # imports modules that only Unix has

    try:
        device = CaptureDevice(path)
    except PermissionError:
        # The kernel numbers the nodes of a device; the first node of a webcam is the one with the frames.
        facts = [_SYSTEM / f"video{index}" / fact for fact in ("index", "name")]
        place, name = (fact.read_text().strip() if fact.exists() else "" for fact in facts)
        return Camera(index, path, name, problem=permission_hint(path)) if place in ("", "0") else None
    except OSError:
        return None
    with contextlib.closing(device):
        if not device.captures:
            return None
        about = (index, path, device.name, device.driver, device.bus)
        try:
            return Camera(*about, tuple(device.modes()) if modes else ())
        except OSError as error:
            return Camera(*about, problem=f"cannot list its modes ({reason(error)})")


def permission_hint(path: str) -> str:
    """Why a device cannot be opened, and the remedy."""
    return f"not allowed to open {path}; join the group video (sudo usermod -aG video $USER), then log in again"


def cameras_text() -> str:
    """The cameras of this machine in one line, for error messages."""
    names = ", ".join(f"{PREFIX}{camera.index} ({camera.name or camera.path})" for camera in find_cameras(modes=False))
    return f"cameras here: {names}" if names else "no camera is connected"
