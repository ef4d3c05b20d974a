"""Waits for another process that downloads the same module, but not for one that is gone. Main thread.

tensorflow-hub locks an entry with the file `KEY.lock`, which holds `HOSTNAME.PID.UID`; its owner downloads into
`KEY.UID.tmp` (0.16.1, resolver.py, `_lock_file_contents`, `_temp_download_dir`). It waits for a lock in steps of 5 s,
and a lock that a killed process left stands for 20 minutes: it is taken over when nothing grew between two looks 10
minutes apart, of which the first sees nothing yet (`_wait_for_lock_to_disappear`).
"""

from __future__ import annotations

import os
import shutil
import socket
import time
from pathlib import Path

_LOOK_EVERY_S = 0.25


def wait(place: Path, *, timeout_s: float) -> None:
    """Return when no other process downloads into `place`; remove the lock of one that is dead or stands still.

    If that one lives after all, no harm is done: both download into folders of their own, and the second finds the
    work done.

    Args:
        place: folder of the module.
        timeout_s: how long the owner of the lock may write nothing.

    Raises:
        OSError: the lock cannot be removed.
    """
    lock = place.with_name(f"{place.name}.lock")
    seen: tuple[str, int] | None = None
    since_s = time.monotonic()
    while (owner := _read(lock)) is not None:
        scratch = place.with_name(f"{place.name}.{owner.rpartition('.')[2]}.tmp")
        if _is_dead(owner):
            lock.unlink(missing_ok=True)
            shutil.rmtree(scratch, ignore_errors=True)
            return
        state = (owner, _size_bytes(scratch))
        if state != seen:
            seen, since_s = state, time.monotonic()
        elif time.monotonic() - since_s > timeout_s:
            lock.unlink(missing_ok=True)
            return
        # Nothing tells a process that a file of another one went away; a signal ends this wait.
        time.sleep(_LOOK_EVERY_S)


def _read(lock: Path) -> str | None:
    try:
        return lock.read_text(encoding="utf-8", errors="replace").strip()
    except FileNotFoundError:
        return None


def _is_dead(owner: str) -> bool:
    """Whether the owner ran on this host and does not any more."""
    host, _, process = owner.rpartition(".")[0].rpartition(".")
    if host != socket.gethostname() or not process.isdecimal() or os.name != "posix":
        return False  # another host, or a system where a process cannot be asked for without a signal
    if int(process) == os.getpid():
        return True  # this process has just begun to look: the number is used again, as in a restarted container
    try:
        os.kill(int(process), 0)
    except (ProcessLookupError, OverflowError):
        return True
    except PermissionError:
        return False
    return False


def _size_bytes(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size
        except OSError:
            continue
    return total
