"""Saves the shown frame as PNG. Used by the thread that listens to the window."""

from __future__ import annotations

import logging
from datetime import datetime
from pathlib import Path

import cv2

from streamer.errors import StreamerError
from streamer.sinks.window.process import RgbArray
from streamer.system.partial_file import PartialFile

log = logging.getLogger(__name__)


def save_snapshot(rgb: RgbArray, folder: Path, taken: datetime) -> Path | None:
    """Save a frame under the time of day, completely or not at all; success and failure are logged.

    Args:
        rgb: uint8 `(height, width, 3)`.
        folder: created if it does not exist.
        taken: local time, for the name `streamer-YYYYMMDD-HHMMSS-mmm.png`.

    Returns:
        The path, None if the file could not be written.
    """
    path = folder / f"streamer-{taken:%Y%m%d-%H%M%S}-{taken.microsecond // 1000:03d}.png"
    try:
        _, png = cv2.imencode(".png", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
        folder.mkdir(parents=True, exist_ok=True)
        partial = PartialFile(path)
        try:
            partial.path.write_bytes(png.data)
        except BaseException:
            partial.discard()
            raise
        partial.commit()
    except (StreamerError, OSError, cv2.error) as error:
        reason = f"{folder}: {error.strerror}" if isinstance(error, OSError) else " ".join(str(error).split())
        log.warning("no snapshot: %s", reason)
        return None
    log.info("snapshot saved: %s", path)
    return path
