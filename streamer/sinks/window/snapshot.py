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


def save_snapshot(rgb: RgbArray, folder: Path, taken: datetime) -> str:
    """Save a frame under the time of day, completely or not at all.

    Args:
        rgb: uint8 `(height, width, 3)`.
        folder: created if it does not exist.
        taken: local time, for the name `streamer-YYYYMMDD-HHMMSS-mmm.png`.

    Returns:
        The absolute path of the file, or why there is none, for the user; it is logged, too.
    """
    folder = folder.absolute()
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
        message = f"no snapshot: {reason}"
        log.warning("%s", message)
        return message
    message = f"snapshot saved: {path}"
    log.info("%s", message)
    return message
