"""The folder for models, and whether a model may be downloaded. Any thread.

The cache can be deleted at any time: its content is checked at every use, and fetched again if it is damaged.
"""

from __future__ import annotations

import os
from pathlib import Path

FETCH_AHEAD = "`streamer models fetch` fetches it ahead of time"
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
