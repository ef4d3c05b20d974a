"""The thread that writes to the database: changes that wait are committed together, in their order.

A disk that is full or fails is reported once. The changes wait in memory, up to `MOST_WAITING`, and are written when
there is room. A corrupt database is set aside and a new one begun, also while the program runs.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from streamer.errors import StreamerError
from streamer.flow.queues import BoundedQueue, Closed
from streamer.store import changes
from streamer.store.database.connections import begin_anew, code, is_corrupt, open_for_writing
from streamer.store.database.folder import identity
from streamer.system.backoff import Backoff
from streamer.system.suggestions import counted
from streamer.system.threads import Thread

log = logging.getLogger(__name__)

MOST_WAITING = 50_000
"""Changes that wait in memory, about 1 KB each; the oldest are lost beyond that."""
MOST_TOGETHER = 500
"""Changes of one transaction."""
FIRST_RETRY_S, LONGEST_RETRY_S = 0.1, 10.0
SEEN_EVERY_S = 60.0
"""The database notes at least so often that the program is there: events that it leaves open end at that time."""
END_S = 10.0
SILENT_S = 300.0
"""The same failure is reported once in this time: a disk that is nearly full fails again and again."""
_TEMPORARY = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_READONLY,
    }
)


@dataclass(frozen=True, slots=True)
class Change:
    """One change of the database.

    Attributes:
        apply: called inside a transaction; once more if the transaction fails.
        committed: called by the writer thread when the change is on the disk.
        events: ids of the events that it changes, which `committed` of the writer gets; None if it changes none.
    """

    apply: Callable[[sqlite3.Connection], object]
    committed: Callable[[], object] | None = None
    events: Sequence[str] | None = None


class FileGone(sqlite3.OperationalError):
    """The database file was deleted or replaced while it was open."""


class CorruptionFound(sqlite3.DatabaseError):
    """A reader found that the database is corrupt."""

    sqlite_errorcode = sqlite3.SQLITE_CORRUPT


class Writer:
    """Owns the connection that writes.

    Args:
        path: of the database.
        connection: to it; the writer closes it.
        clock: seconds since 1970.
        committed: called after each transaction with changes of events; gets their ids.
        renewed: called when a new database begins.
    """

    def __init__(
        self,
        path: Path,
        connection: sqlite3.Connection,
        *,
        clock: Callable[[], float],
        committed: Callable[[Sequence[str]], None],
        renewed: Callable[[], None],
    ) -> None:
        self._path, self._connection, self._clock = path, connection, clock
        self._committed, self._renewed = committed, renewed
        self._file = identity(path)
        self._queue: BoundedQueue[Change] = BoundedQueue(MOST_WAITING, newest=True)
        self._corruption: Exception | None = None
        self._lost, self._silent_until_s = 0, 0.0
        self._lock = threading.Lock()
        self._retry, self._ending = threading.Event(), threading.Event()
        self._disk_full: Callable[[], None] = lambda: None
        self._thread = Thread("store", self._run, shared=True)

    def start(self, disk_full: Callable[[], None]) -> None:
        """Start the thread.

        Args:
            disk_full: called for each attempt that fails because the disk is full.
        """
        self._disk_full = disk_full
        self._thread.start()

    def put(self, change: Change) -> None:
        """Write a change soon. Never waits; does nothing after `end`. Any thread."""
        with suppress(Closed):
            if self._queue.put(change) is not None:
                with self._lock:
                    self._lost += 1

    def retry_now(self) -> None:
        """Try again without waiting: there is room on the disk. Any thread."""
        self._retry.set()

    def end(self) -> bool:
        """Write what waits and end the thread; whether it ended in time."""
        self._queue.finish()
        self._ending.set()
        self._retry.set()
        self._thread.join(END_S)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            with suppress(Closed):
                while True:
                    self._write(self._next_batch())
        finally:
            with suppress(sqlite3.Error):
                self._connection.close()

    def _next_batch(self) -> list[Change]:
        """The changes that wait; none after `SEEN_EVERY_S`, which notes that the program is still there."""
        try:
            batch = [self._queue.get(SEEN_EVERY_S)]
        except TimeoutError:
            return []
        while len(batch) < MOST_TOGETHER and len(self._queue):
            batch.append(self._queue.get())
        return batch

    def _write(self, batch: Sequence[Change]) -> None:
        """Commit changes, as often as it takes."""
        backoff, said = Backoff(FIRST_RETRY_S, LONGEST_RETRY_S), False
        while (error := self._attempt(batch)) is not None:
            if not _is_temporary(error):
                return self._write_each(batch, error)
            if time.monotonic() >= self._silent_until_s:
                log.warning("store: events cannot be written to %s: %s; they wait in memory", self._path, error)
                said, self._silent_until_s = True, time.monotonic() + SILENT_S
            if code(error) == sqlite3.SQLITE_FULL:
                self._disk_full()
            if self._ending.is_set():
                lost = counted(len(batch) + len(self._queue), "change")
                log.warning("store: %s of events not written to %s before the end", lost, self._path)
                self._queue.close()
                return None
            self._retry.wait(backoff.next_s())
            self._retry.clear()
        if said:
            self._report_recovery()
        self._announce(batch)
        return None

    def _attempt(self, batch: Sequence[Change]) -> Exception | None:
        """Commit changes, in a new database if the present one is corrupt; why it failed."""
        try:
            try:
                self._commit(batch)
            except sqlite3.Error as error:
                if not self._renew_after(error):
                    return error
                self._commit(batch)
        except Exception as error:  # also of a change that is wrong: others must not be lost for it
            return error
        return None

    def _commit(self, batch: Sequence[Change]) -> None:
        if self._corruption is not None:  # the attempt to begin a new database failed
            raise self._corruption
        if identity(self._path) != self._file:
            raise FileGone("the file is gone")
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            for change in batch:
                change.apply(connection)
            changes.set_seen_time(connection, self._clock())
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:  # some errors end the transaction
                connection.execute("ROLLBACK")
            raise

    def _write_each(self, batch: Sequence[Change], error: Exception) -> None:
        """Leave out the change that cannot be written."""
        if len(batch) == 1:
            log.error("store: a change of an event is not written: %s", error)
            return
        for change in batch:
            self._write([change])

    def _renew_after(self, error: Exception) -> bool:
        """Begin a new database if the present one is corrupt or gone; whether it was."""
        if isinstance(error, FileGone):
            with suppress(sqlite3.Error):
                self._connection.close()
            self._connection = open_for_writing(self._path)
            log.warning("store: %s was deleted while the program runs; a new database begins", self._path)
        elif is_corrupt(error):
            self._corruption = error
            with suppress(sqlite3.Error):
                self._connection.close()
            self._connection, _ = begin_anew(self._path, error)
            self._corruption = None
        else:
            return False
        self._file = identity(self._path)
        self._renewed()
        return True

    def _announce(self, batch: Sequence[Change]) -> None:
        for change in batch:
            if change.committed is not None:
                change.committed()
        if any(change.events is not None for change in batch):
            self._committed([*dict.fromkeys(one for change in batch for one in change.events or ())])

    def _report_recovery(self) -> None:
        with self._lock:
            lost, self._lost = self._lost, 0
        log.warning("store: events are written again%s", f"; {counted(lost, 'change')} lost" if lost else "")


def _is_temporary(error: Exception) -> bool:
    return isinstance(error, StreamerError) or code(error) in _TEMPORARY or is_corrupt(error)
