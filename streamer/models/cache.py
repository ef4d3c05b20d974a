"""The folder for models, locks for downloads into it, and how fast models are on this machine. Any thread.

The cache can be deleted at any time: its content is checked at every use, and fetched again if it is damaged.
A download of NAME is in a folder `NAME.*.tmp` beside it, under the lock `NAME.fetch.lock`.
"""

from __future__ import annotations

import json
import logging
import os
import platform
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from streamer.system.partial_file import replace_file

log = logging.getLogger(__name__)

FETCH_AHEAD = "`streamer models fetch` fetches it ahead of time"
SPEED_SIZE = (1280, 720)
"""Width and height in pixels of the frames whose speed is recorded."""

LOCK_TIMEOUT_FACTOR = 2
"""A process waits for another one that makes no progress for so many times the stall timeout."""
_ABANDONED_AFTER_S = 600.0
_TOLD_AFTER_S = 0.5
"""A wait for another process is reported if it takes longer."""
_MOST_NAMED = 200
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


def draft(target: Path) -> TemporaryDirectory[str]:
    """A new folder for a download of `target`, beside it. The name is that of tensorflow-hub's own ones."""
    return TemporaryDirectory(prefix=f"{target.name}.", suffix=".tmp", dir=target.parent)


def sweep(target: Path) -> None:
    """Remove the folders of killed downloads of `target`: no file in them was written for ten minutes."""
    for folder in _drafts(target):
        try:
            written_s = max(path.stat().st_mtime for path in (folder, *folder.rglob("*")))
        except OSError:
            continue
        if time.time() - written_s > _ABANDONED_AFTER_S:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def locked(target: Path, stall_s: float) -> Iterator[None]:
    """Hold the lock of `target`, a file or folder; other processes wait for it. Ctrl-C ends the wait.

    The lock of a killed process is free. An owner whose download does not grow for `stall_s` is not waited for:
    the two downloads use folders of their own, and the second one to finish replaces the first.

    Raises:
        OSError: the lock cannot be written.
    """
    import filelock

    lock = filelock.FileLock(target.with_name(f"{target.name}.fetch.lock"))
    owner = target.with_name(f"{target.name}.fetch.owner")
    size_bytes = -1
    with suppress(filelock.Timeout):
        lock.acquire(timeout=_TOLD_AFTER_S, poll_interval=0.1)
    if not lock.is_locked:
        log.warning("waiting for %s, which downloads the same model", _named(owner))
    while not lock.is_locked and (now_bytes := sum(map(size_of, _drafts(target)))) != size_bytes:
        size_bytes = now_bytes
        with suppress(filelock.Timeout):
            lock.acquire(timeout=stall_s, poll_interval=0.1)
    try:
        if lock.is_locked:
            owner.write_text(f"process {os.getpid()} on {platform.node()}", encoding="utf-8")
        yield
    finally:
        if lock.is_locked:
            owner.unlink(missing_ok=True)
            with suppress(OSError):  # Windows removes no file that is open
                Path(lock.lock_file).unlink()  # a process that waits for the removed file opens a new one
            lock.release()


def size_of(folder: Path) -> int:
    """Bytes of all files in a folder."""
    total = 0
    for path in folder.rglob("*"):
        with suppress(OSError):  # it is gone by now
            total += path.stat().st_size if path.is_file() else 0
    return total


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


def _drafts(target: Path) -> list[Path]:
    """Folders of downloads in progress, and of downloads that were killed."""
    return list(target.parent.glob(f"{target.name}.*.tmp"))


def _named(owner: Path) -> str:
    """The process that holds a lock, as it wrote it down."""
    try:
        return owner.read_text(encoding="utf-8")[:_MOST_NAMED] or "another process"
    except (OSError, ValueError):
        return "another process"
