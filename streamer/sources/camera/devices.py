"""The cameras of a Linux machine, and what to say where one is not to be had.

`find_cameras` is called by the main thread, the others by the thread that opens a camera.
"""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

from streamer.media.ffmpeg_log import reason
from streamer.sources.camera.camera import PREFIX, Camera
from streamer.sources.camera.v4l2_device import CaptureDevice

_DEVICES, _SYSTEM = Path("/dev"), Path("/sys/class/video4linux")
_NODE = re.compile(r"video(\d+)")


def find_cameras(*, modes: bool = True) -> list[Camera]:
    """All cameras, by their index; with what they offer, which takes some time, or without."""
    nodes = [(int(match[1]), path) for path in _DEVICES.glob("video*") if (match := _NODE.fullmatch(path.name))]
    found = [_look_at(index, str(path), modes) for index, path in sorted(nodes)]
    return [camera for camera in found if camera is not None]


def _look_at(index: int, path: str, modes: bool) -> Camera | None:
    """None for a node that is no camera."""
    try:
        device = CaptureDevice(path)
    except PermissionError:
        # The kernel numbers the nodes of a device; the first one of a webcam gives the pictures.
        facts = [_SYSTEM / f"video{index}" / fact for fact in ("index", "name")]
        place, name = (fact.read_text().strip() if fact.exists() else "" for fact in facts)
        return Camera(index, path, name, problem=not_allowed(path)) if place in ("", "0") else None
    except OSError:
        return None
    with contextlib.closing(device):
        if not device.captures:
            return None
        about = (index, path, device.name, device.driver, device.bus)
        try:
            return Camera(*about, tuple(device.modes()) if modes else ())
        except OSError as error:
            return Camera(*about, problem=f"does not tell what it offers ({reason(error)})")


def not_allowed(path: str) -> str:
    """Why a device cannot be opened, and the remedy."""
    return f"not allowed to open {path}; join the group video (sudo usermod -aG video $USER), then log in again"


def those_here() -> str:
    """The cameras that there are, in words."""
    names = ", ".join(f"{PREFIX}{camera.index} ({camera.name or camera.path})" for camera in find_cameras(modes=False))
    return f"cameras here: {names}" if names else "no camera is plugged in"
