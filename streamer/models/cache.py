"""The folder for models, whether a model may be downloaded, and how fast models are on this machine. Any thread.

The cache can be deleted at any time: its content is checked at every use, and fetched again if it is damaged.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path

from streamer.system.partial_file import replace_file

FETCH_AHEAD = "`streamer models fetch` fetches it ahead of time"
SPEED_SIZE = (1280, 720)
"""Width and height in pixels of the frames whose speed is recorded."""

_YES = ("1", "true", "yes", "on")


def cache_dir() -> Path:
    """The folder for models: `STREAMER_CACHE`, else the system's folder for caches. It may not exist yet."""
    chosen = os.environ.get("STREAMER_CACHE")
    if chosen:
        return Path(chosen).expanduser().absolute()
    import platformdirs

    return Path(platformdirs.user_cache_dir("streamer"))


def hub_dir() -> Path:
    """The folder for hub modules; `TFHUB_CACHE_DIR` set to it shares them with `hub.load`."""
    return cache_dir() / "hub"


def is_offline(asked: bool = False) -> bool:
    """Whether no connection may be opened, by option, by setting or by `STREAMER_OFFLINE`."""
    return asked or os.environ.get("STREAMER_OFFLINE", "").strip().lower() in _YES


def record_speed(name: str, frame_s: float) -> None:
    """Keep the time of one frame of `SPEED_SIZE` on this machine for `speeds`, unless the cache is read-only."""
    with suppress(OSError):
        replace_file(_speeds_path(), json.dumps(speeds() | {name: round(frame_s, 5)}, indent=1).encode())


def speeds() -> dict[str, float]:
    """The recorded time of one frame in seconds by model; empty if the file is missing or damaged."""
    try:
        found = json.loads(_speeds_path().read_bytes())
        return {str(name): float(frame_s) for name, frame_s in found.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _speeds_path() -> Path:
    return cache_dir() / "speeds.json"
