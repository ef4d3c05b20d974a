"""Puts files that are being written on the disk about once a second, so that a power cut costs no more than that.

The kernel keeps what was written in memory for up to half a minute otherwise. A thread of its own does it: a slow disk
takes seconds, and a picture must not wait for it.
"""

from __future__ import annotations

import logging
import os
import threading
from contextlib import suppress
from pathlib import Path

log = logging.getLogger(__name__)

INTERVAL_S = 0.7
"""With `PIECE_S` in the muxer and a frame in the encoder this stays below 2 s, a slow disk's own time included."""
_LONGEST_END_S = 1.0


class DiskSync:
    """Any thread may call `watch` and `forget`; the files are opened, put on the disk and closed by its own thread.

    Args:
        interval_s: between two rounds.
    """

    def __init__(self, interval_s: float = INTERVAL_S) -> None:
        self._interval_s = interval_s
        self._changed = threading.Condition()
        # Under the lock.
        self._watched: set[Path] = set()
        self._ended = False
        # Of the thread alone.
        self._open: dict[Path, int] = {}
        self._told = False
        self._thread = threading.Thread(target=self._run, name="streamer-disk-sync", daemon=True)
        self._thread.start()

    def watch(self, path: Path) -> None:
        """Put a file on the disk from now on."""
        with self._changed:
            self._watched.add(path)

    def forget(self, path: Path) -> None:
        """Leave a file alone. Fine a second time."""
        with self._changed:
            self._watched.discard(path)

    def close(self) -> None:
        """End the thread. Fine a second time."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()
        self._thread.join(_LONGEST_END_S)  # a disk that hangs does not hold up the end

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
                    with suppress(OSError):  # some file systems cannot
                        os.fsync(folder)
                finally:
                    os.close(folder)
            os.fdatasync(self._open[path])
        except FileNotFoundError:  # it got its name meanwhile
            return
        except OSError as error:
            if not self._told:
                self._told = True
                log.warning("%s cannot be put on the disk yet: %s", path, error.strerror)
