"""Syncs open files to the disk about once a second, so that a power failure loses no more than that.

Without it, the kernel keeps written data in memory for up to half a minute. A thread does it, because a slow disk takes
seconds and a frame must not wait.
"""

from __future__ import annotations

import logging
import os
import threading
from contextlib import suppress
from pathlib import Path

from streamer.system.threads import Thread

log = logging.getLogger(__name__)

INTERVAL_S = 0.7
"""Together with `PIECE_S` of the muxer and the encoder's delay, the loss stays below 2 s, also with a slow disk."""
_LONGEST_END_S = 1.0


class DiskSync:
    """Syncs files in a thread, which opens and closes them. Any thread may call `watch` and `forget`.

    Args:
        interval_s: between two syncs.
    """

    def __init__(self, interval_s: float = INTERVAL_S) -> None:
        self._interval_s = interval_s
        self._changed = threading.Condition()
        # Under the lock.
        self._watched: set[Path] = set()
        self._ended = False
        # Of the thread alone.
        self._open: dict[Path, int] = {}
        self._failed = False
        self._thread = Thread("disk-sync", self._run)
        self._thread.start()

    def watch(self, path: Path) -> None:
        """Sync a file from now on."""
        with self._changed:
            self._watched.add(path)

    def forget(self, path: Path) -> None:
        """Stop syncing a file. Does nothing the second time."""
        with self._changed:
            self._watched.discard(path)

    def close(self) -> None:
        """End the thread. Does nothing the second time."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()
        self._thread.join(_LONGEST_END_S)  # do not wait longer for a disk that hangs

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._ended, self._interval_s)
                watched, ended = set(self._watched), self._ended
            for path in set(self._open) - watched if not ended else set(self._open):
                os.close(self._open.pop(path))
            if ended:
                return
            for path in watched:
                self._sync(path)

    def _sync(self, path: Path) -> None:
        try:
            if path not in self._open:
                self._open[path] = os.open(path, os.O_RDONLY)
                folder = os.open(path.parent, os.O_RDONLY)
                try:
                    with suppress(OSError):  # some file systems cannot sync folders
                        os.fsync(folder)
                finally:
                    os.close(folder)
            os.fdatasync(self._open[path])
        except FileNotFoundError:  # it was renamed meanwhile
            return
        except OSError as error:
            if not self._failed:
                self._failed = True
                log.warning("cannot sync %s to the disk: %s", path, error.strerror)
