"""Removes what downloads that were killed left behind in the cache. Called by the main thread."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterable
from pathlib import Path

_ABANDONED_AFTER_S = 24 * 3600.0


def sweep(paths: Iterable[Path]) -> None:
    """Remove the files and folders that nobody has written to for a day; younger ones may belong to another process."""
    for path in paths:
        try:
            abandoned = time.time() - path.stat().st_mtime > _ABANDONED_AFTER_S
        except OSError:
            continue
        if abandoned and path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        elif abandoned:
            path.unlink(missing_ok=True)
