"""Removes the files of a recording that exceed its limits of size and age, and checks the free space.

Used by the threads that complete a recording's files, and by the one that enters it.
"""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from streamer.config.output import OutputSettings
from streamer.errors import SinkError
from streamer.sinks.video.segment_names import NamePattern

log = logging.getLogger(__name__)

_GB = 1_000_000_000
_DAY_S = 86_400.0
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def require_room(path: Path, reserve_bytes: int) -> None:
    """Raises SinkError if less than that is free on the disk of `path`, or the disk is missing."""
    try:
        found = os.statvfs(path.parent)
    except OSError as error:
        raise SinkError(f"cannot write {path}: {error.strerror}; check that the disk is mounted") from error
    if found.f_bavail * found.f_frsize < reserve_bytes:
        full = OSError(errno.ENOSPC, f"less than {reserve_bytes / 1e6:.3g} MB are free")
        raise SinkError(f"cannot write {path}: {full.strerror}; free some space") from full


def is_full(error: BaseException | None) -> bool:
    """Whether a full disk caused an error."""
    while error is not None:
        if getattr(error, "errno", None) in _FULL:
            return True
        error = error.__cause__
    return False


def remove_old(
    pattern: NamePattern,
    settings: OutputSettings,
    *,
    now: datetime,
    removed: Callable[[Path], None] = lambda _: None,
) -> None:
    """Remove finished files of this recording, the oldest first. The newest is never removed for its size.

    The age of a file is the time since its end (its modification time).

    Args:
        pattern: of their names.
        settings: `keep_gb` and `keep_days` are the limits.
        now: local time.
        removed: called with the path of each file.
    """
    keep_bytes = None if settings.keep_gb is None else round(settings.keep_gb * _GB)
    keep_s = None if settings.keep_days is None else settings.keep_days * _DAY_S
    if keep_bytes is None and keep_s is None:
        return
    total, newest = 0, True
    try:
        found = _newest_first(pattern)
    except OSError as error:
        log.warning("%s: cannot look for old files: %s", pattern, error.strerror)
        return
    for ended_s, size, path in found:
        total += size
        too_much = keep_bytes is not None and total > keep_bytes and not newest
        too_old = keep_s is not None and now.timestamp() - ended_s > keep_s
        newest = False
        if too_much or too_old:
            _remove(path, pattern)
            removed(path)


def _newest_first(pattern: NamePattern) -> list[tuple[float, int, Path]]:
    found = []
    for path in pattern.files():
        with suppress(FileNotFoundError):
            status = path.stat()
            found.append((status.st_mtime_ns, status.st_size, path))
    found.sort(reverse=True)
    return [(ended_ns / 1e9, size, path) for ended_ns, size, path in found]


def _remove(path: Path, pattern: NamePattern) -> None:
    try:
        path.unlink(missing_ok=True)
        if pattern.is_dated_folder(path.parent):
            path.parent.rmdir()
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            log.warning("cannot remove %s: %s", path, error.strerror)
