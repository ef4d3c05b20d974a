"""The folder of a store: made, checked and locked when the store is opened. Used by the thread that opens it."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from streamer.errors import ConfigError

log = logging.getLogger(__name__)

DATABASE = "events.db"
LOCK = "events.lock"
_MOUNTS = Path("/proc/self/mounts")
_NETWORK = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "ncpfs", "afs", "ceph", "9p", "glusterfs", "lustre", "davfs", "sshfs"}
)
"""Types of file systems of other machines, also behind `fuse.`."""


def prepare(folder: Path) -> None:
    """Make the folder, and check that files can be written there; warn if it is on another machine.

    Raises:
        ConfigError: it cannot be made or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        remedy = "choose another folder, or change its owner or rights"
        raise ConfigError(f"store.folder: cannot write {folder}: {error.strerror}; {remedy}") from error
    if (kind := network_type(folder)) is not None:
        log.warning(
            "store.folder: %s is on a network file system (%s), where a database can be damaged and writing waits for "
            "the network; use a local disk",
            folder,
            kind,
        )


def lock(folder: Path) -> FileLock:
    """Lock the folder for this program; the system releases the lock when the program ends.

    Raises:
        ConfigError: another program has it.
    """
    taken = FileLock(folder / LOCK, timeout=0)
    try:
        taken.acquire()
    except Timeout as error:
        raise ConfigError(
            f"store.folder: another Streamer stores its events in {folder}; give each its own folder"
        ) from error
    except OSError as error:
        raise ConfigError(f"store.folder: cannot lock {folder / LOCK}: {error.strerror}") from error
    return taken


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """The same while a block runs.

    Raises:
        ConfigError: another program has it.
    """
    taken = lock(folder)
    try:
        yield
    finally:
        taken.release()


def network_type(folder: Path) -> str | None:
    """The type of the file system of a folder if it is one of another machine, else None. None where unknown."""
    path = os.path.realpath(folder)
    try:
        mounts = [line.split(" ")[1:3] for line in _MOUNTS.read_text(encoding="utf-8", errors="replace").splitlines()]
    except OSError:
        return None
    kind, longest = "", -1
    for place, mounted in mounts:
        place = place.replace(r"\040", " ").rstrip("/")
        if (path == place or path.startswith(f"{place}/")) and len(place) >= longest:  # a later mount covers others
            kind, longest = mounted.removeprefix("fuse."), len(place)
    return kind if kind in _NETWORK else None


def identity(path: Path) -> tuple[int, int] | None:
    """Device and inode of a file, which tell it from a later file of that name; None if there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
