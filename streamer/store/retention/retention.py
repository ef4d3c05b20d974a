"""The thread that deletes events beyond the limits of the store: age, size, and free space on the disk; oldest first.

Favourites and events that last are kept. The writer deletes rows, in small transactions that note their files. The
files are deleted here, one at a time, and after each step the thread waits several times as long as the step took, so
processor and disk stay free for cameras and recordings. The thread has the priority of all others: one with less would
keep them waiting while it holds the lock of the interpreter. Where the disk is so full that no row can be deleted,
files go first.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

from streamer.config.events import StoreSettings
from streamer.store import changes, files
from streamer.store.database.writer import Change
from streamer.store.retention.age_clock import AgeClock
from streamer.store.rows import PATHS
from streamer.system.suggestions import counted
from streamer.system.threads import Thread

log = logging.getLogger(__name__)

EVERY_S = 60.0
ROWS_TOGETHER = 50
"""Rows of one transaction; what is saved meanwhile waits for it."""
NOTES_TOGETHER = 50
"""Notes of deleted files that one transaction removes."""
PAUSE = 4.0
"""The pause after a step, as a multiple of the time that it took: a fifth of the time is work."""
LONGEST_PAUSE_S = 2.0
COMMIT_S = 30.0
END_S = 10.0
DAY_S = 86_400.0
GB = 1_000_000_000
ROOM_BYTES = 16_000_000
"""When nothing can be written, files are deleted until so much is free."""
_OLDEST = (
    f"SELECT id, bytes, {', '.join(PATHS)} FROM events "
    "WHERE NOT favourite AND end_time IS NOT NULL AND {} ORDER BY start_time LIMIT ?"
)


class Retention:
    """Keeps a store within its limits.

    Args:
        settings: the limits and the folder.
        age_clock: the clock of `keep_days`.
        query: reads the database: the result of a function of a connection, or its second argument if that is corrupt.
        put: writes a change.
        retry_now: lets the writer try again.
        free: free space and size of the disk of a folder, bytes.
    """

    def __init__(
        self,
        settings: StoreSettings,
        age_clock: AgeClock,
        *,
        query: Callable[[Callable[[sqlite3.Connection], Any], Any], Any],
        put: Callable[[Change], None],
        retry_now: Callable[[], None],
        free: Callable[[Path], tuple[int, int]] | None = None,
    ) -> None:
        assert settings.folder is not None
        self._folder: Path = settings.folder
        self._age_clock, self._query, self._put, self._retry_now = age_clock, query, put, retry_now
        self._keep_s = None if settings.keep_days is None else settings.keep_days * DAY_S
        self._keep_bytes = None if settings.keep_gb is None else round(settings.keep_gb * GB)
        self._free = free or disk_space
        self._min_free_bytes = self._possible(round(settings.min_free_gb * GB))
        self._wake, self._progress = threading.Event(), threading.Event()
        self._full, self._ending = threading.Event(), threading.Event()
        self._old_files_at_s = 0.0
        self._reported: set[str] = set()
        self._without_files: set[str] = set()  # events whose files are deleted and whose rows are not, yet
        self._thread = Thread("retention", self._run, shared=True)

    def start(self) -> None:
        """Start the thread; it begins at once."""
        self._thread.start()

    def check_now(self) -> None:
        """Delete noted files and apply the limits now. Never waits; any thread."""
        self._wake.set()

    def disk_full(self) -> None:
        """Nothing can be written: make room now. Never waits; any thread."""
        for event in (self._full, self._wake, self._progress):
            event.set()

    def end(self) -> None:
        """End the thread. The next program deletes what is left."""
        for event in (self._ending, self._wake, self._progress):
            event.set()
        self._thread.join(END_S)

    def _run(self) -> None:
        while not self._ending.is_set():
            try:
                if self._full.is_set():
                    self._full.clear()
                    self._make_room()
                else:
                    self._apply()
            except (OSError, sqlite3.Error) as error:
                self._report("failed", f"old events cannot be deleted: {error}")
            self._wake.wait(EVERY_S)
            self._wake.clear()

    def _apply(self) -> None:
        """Apply all limits once."""
        self._delete_noted_files()
        if self._keep_s is not None and (now := self._age_clock.now()) is not None:
            oldest = now - self._keep_s
            while self._delete_oldest("start_time < ? AND end_time < ?", [oldest, oldest]):
                pass
            self._delete_old_files(date.fromtimestamp(max(oldest, 0)))  # a date has no year before 1
        if self._keep_bytes is not None:
            excess = self._query(_total_bytes, 0) - self._keep_bytes
            while excess > 0 and (freed := self._delete_oldest("bytes > 0", [], excess)):
                excess -= freed
            is_left = excess > 0 and not self._interrupted()
            self._report("size", "favourites and events that last are larger than store.keep_gb", is_left)
        self._free_space()

    def _delete_old_files(self, before: date) -> None:
        """Delete old files whose events are unknown, once a day: those of a database that could not be read."""
        if time.monotonic() < self._old_files_at_s:
            return
        self._old_files_at_s = time.monotonic() + DAY_S
        paths: list[str] = self._query(lambda connection: files.without_event(connection, self._folder, before), [])
        if paths and self._committed(lambda connection: changes.note_removed(connection, paths)):
            log.warning("store: %s deleted that belong to no event", counted(len(paths), "old file"))
            self._delete_noted_files()

    def _free_space(self) -> None:
        """Delete the oldest files while the disk has too little free space."""
        while (missing := self._min_free_bytes - self._free(self._folder)[0]) > 0:
            limit = f"the disk of {self._folder} has less than {self._min_free_bytes / GB:.3g} GB free"
            self._report("free", f"{limit} (store.min_free_gb); the oldest events are deleted")
            if not self._delete_oldest("bytes > 0", [], missing):
                if not self._interrupted():
                    self._report("none", f"{limit} (store.min_free_gb), and no event is left that may be deleted")
                return
        self._reported -= {"free", "none"}

    def _delete_oldest(self, condition: str, values: Sequence[Any], enough_bytes: int | None = None) -> int:
        """Delete up to `ROWS_TOGETHER` of the oldest events, with their files; their size, at least 1; 0 if none.

        Args:
            condition: SQL that chooses events, with its values.
            values: see there.
            enough_bytes: no more events once these are freed.
        """
        chosen, freed, began_s = [], 0, time.monotonic()
        for row in self._oldest(condition, values, ROWS_TOGETHER):
            chosen.append(row[0])
            freed += row[1]
            if enough_bytes is not None and freed >= enough_bytes:
                break
        if not chosen or not self._committed(lambda connection: changes.delete(connection, chosen), chosen):
            return 0
        self._pause(time.monotonic() - began_s)
        self._delete_noted_files()
        return max(freed, 1)

    def _committed(self, apply: Callable[[sqlite3.Connection], object], events: Sequence[str] | None = None) -> bool:
        """Write a change and wait for it; False at the end of the program, or if the disk is full."""
        done = threading.Event()

        def committed() -> None:
            done.set()
            self._progress.set()

        self._progress.clear()
        self._put(Change(apply, committed, events))
        while not (done.is_set() or self._interrupted()):
            self._progress.wait(COMMIT_S)
            self._progress.clear()
        return done.is_set() and not self._ending.is_set()

    def _interrupted(self) -> bool:
        """Whether the program ends or nothing can be written, so a step may have done only a part."""
        return self._full.is_set() or self._ending.is_set()

    def _delete_noted_files(self) -> None:
        """Delete the files whose rows are gone."""
        last, left = "", 0
        while (paths := self._noted_files(last)) and not self._ending.is_set():
            gone = files.unlink(
                self._folder, paths, today=date.today(), failed=self._report_undeletable, pause=self._pause
            )
            self._put(Change(partial(changes.forget_removed, paths=gone)))
            last, left = paths[-1], left + len(paths) - len(gone)
        if not left:
            self._reported.discard("file")

    def _report_undeletable(self, file: Path, error: OSError) -> None:
        self._report("file", f"cannot delete {file}: {error.strerror}; it is tried again every minute")

    def _pause(self, took_s: float) -> None:
        """Wait after a step that took so long; not at the end of the program."""
        self._ending.wait(min(PAUSE * took_s, LONGEST_PAUSE_S))

    def _noted_files(self, after: str) -> list[str]:
        found: list[str] = self._query(lambda connection: files.noted(connection, after, NOTES_TOGETHER), [])
        return found

    def _make_room(self) -> None:
        """Delete the files of the oldest events, then their rows, and let the writer try again.

        Deleting a row needs room in the log of the database, so that cannot be first. `check` finds rows whose program
        was killed in between.
        """
        ids = []
        room = min(ROOM_BYTES, self._free(self._folder)[1] // 10)
        oldest = self._oldest("bytes > 0", [], ROWS_TOGETHER + len(self._without_files))
        self._without_files &= {row[0] for row in oldest}  # the rows of the others are deleted
        for row in oldest:
            if row[0] in self._without_files:
                continue
            files.unlink(self._folder, filter(None, row[2:]), today=date.today())
            ids.append(row[0])
            if self._free(self._folder)[0] >= room:
                break
        if ids:
            self._report("full", f"the disk of {self._folder} is full; the oldest events are deleted")
            self._without_files.update(ids)
            self._put(Change(lambda connection: changes.delete(connection, ids), events=ids))
        else:
            self._report("none", f"the disk of {self._folder} is full, and no event is left that may be deleted")
        self._retry_now()

    def _oldest(self, condition: str, values: Sequence[Any], limit: int) -> list[Sequence[Any]]:
        sql, given = _OLDEST.format(condition), [*values, limit]
        rows: list[Sequence[Any]] = self._query(lambda connection: connection.execute(sql, given).fetchall(), [])
        return rows

    def _report(self, key: str, text: str, holds: bool = True) -> None:
        """Warn once while a condition holds."""
        if not holds:
            self._reported.discard(key)
        elif key not in self._reported:
            self._reported.add(key)
            log.warning("store: %s", text)

    def _possible(self, min_free_bytes: int) -> int:
        """The free space to keep: on a disk that is smaller than that, a tenth of it."""
        size = self._free(self._folder)[1]
        if min_free_bytes < size:
            return min_free_bytes
        log.warning(
            "store.min_free_gb: the disk of %s has %.3g GB in all; %.3g GB are kept free",
            self._folder,
            size / GB,
            size / 10 / GB,
        )
        return size // 10


def disk_space(folder: Path) -> tuple[int, int]:
    """Free space for this user and size of the disk of a folder, bytes.

    Raises:
        OSError: the folder is gone.
    """
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize


def _total_bytes(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT total(bytes) FROM events").fetchone()[0])
