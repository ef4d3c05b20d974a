"""The store of a running program: events, their files and the deliveries that wait, in one folder.

`save` and `attach` give a change to the writer thread and return at once. Reads see what is committed, each through a
connection of its own. A database that a read finds corrupt is replaced by the writer; the read finds nothing.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Self, TypeVar

from filelock import FileLock

from streamer.config.events import StoreSettings
from streamer.errors import ConfigError, StreamerError
from streamer.store import changes, queries, recordings
from streamer.store.changes import TargetsFor
from streamer.store.database.connections import begin_anew, code, is_corrupt, open_for_writing
from streamer.store.database.folder import DATABASE, lock, prepare
from streamer.store.database.readers import Readers
from streamer.store.database.writer import Change, CorruptionFound, Writer
from streamer.store.outbox import Outbox
from streamer.store.queries import Cursor
from streamer.store.records import Delivery, EventFilter, EventRecord
from streamer.store.retention.age_clock import AgeClock
from streamer.store.retention.retention import DAY_S, Retention
from streamer.store.rows import ATTACHED
from streamer.system.suggestions import counted
from streamer.values.events import EventPhase
from streamer.values.recordings import RecordedFile

log = logging.getLogger(__name__)
T = TypeVar("T")


class EventStore:
    """A context manager: entering opens the database and starts the writer thread, leaving writes what waits.

    Entering makes the folder, upgrades the database, sets a corrupt one aside, and ends the events that a killed
    program left open.

    Args:
        settings: `folder` is given.
        targets_for: the targets that get a message about the end of such events, and about files that are complete.
            The second is asked on the writer thread, perhaps more than once for a message.
        clock: seconds since 1970.

    Attributes:
        folder: has the database and the files of the events.

    Raises:
        ConfigError: on entering: the folder cannot be written, another program uses it, or the database is of a newer
            version.
    """

    def __init__(
        self,
        settings: StoreSettings,
        *,
        targets_for: TargetsFor = lambda record, phase: (),  # noqa: ARG005
        clock: Callable[[], float] = time.time,
    ) -> None:
        if settings.folder is None:
            raise ValueError("a store needs a folder")
        self.folder: Path = settings.folder
        self._settings, self._targets_for, self._clock = settings, targets_for, clock
        self._path = self.folder / DATABASE
        self._readers = Readers(self._path)
        self._outbox = Outbox(self._readers, self._put)
        self._writer: Writer | None = None
        self._retention: Retention | None = None
        self._lock: FileLock | None = None
        self._ends_killed_later = False
        self._callbacks: list[Callable[[Sequence[str]], object]] = []
        self._callbacks_lock = threading.Lock()

    def __enter__(self) -> Self:
        prepare(self.folder)
        self._lock = lock(self.folder)
        try:
            self._start(self._open())
        except BaseException:
            self._lock.release()
            raise
        return self

    def _start(self, connection: sqlite3.Connection) -> None:
        """Start the threads."""
        self._writer = Writer(
            self._path,
            connection,
            clock=self._clock,
            committed=self._announce,
            renewed=self._readers.renew,
        )
        keep_days = self._settings.keep_days
        seen_time = None if keep_days is None else changes.seen_time(connection)  # without a limit no clock matters
        self._retention = Retention(
            self._settings,
            AgeClock((keep_days or 0) * DAY_S, seen_time, clock=self._clock),
            query=self.read,
            put=self._writer.put,
            retry_now=self._writer.retry_now,
        )
        if self._ends_killed_later:
            self._put(Change(self._end_killed, events=()))
        self._writer.start(self._retention.disk_full)
        self._retention.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: object) -> None:
        assert self._writer is not None
        assert self._retention is not None
        assert self._lock is not None
        self._retention.end()
        self._readers.close()  # before the writer: the last connection tidies up the log
        if not self._writer.end():
            log.warning("store: the writer of %s does not end; events may be missing", self._path)
        self._lock.release()

    def save(self, record: EventRecord, phase: EventPhase, targets: Sequence[str] = ()) -> None:
        """Insert an event, or update all of its columns except those of its files. Never waits; any thread.

        Args:
            record: as it is now.
            phase: the part of the event that has happened.
            targets: each gets a delivery, in the same transaction.
        """
        self._put(Change(lambda connection: changes.save(connection, record, phase, targets), events=(record.id,)))

    def attach(self, event_id: str, **files: Any) -> None:
        """Set fields of the files of an event, and tell its targets in the same transaction; never waits. Any thread.

        Args:
            event_id: of an event that was saved.
            files: `clip`, `annotated`, `boxes`, `snapshot`, `crop`, `clip_start_time`, `clip_duration_s`,
                `clip_note`; and `bytes`, which is added to that of the event.

        Raises:
            ValueError: a field is another one.
        """
        if unknown := files.keys() - set(ATTACHED):
            raise ValueError(f"not the field of a file: {', '.join(sorted(unknown))}")
        if files:
            asked = self._targets_for
            changed = (event_id,)
            self._put(Change(lambda connection: changes.attach(connection, event_id, files, asked), events=changed))

    def record_file(self, camera: str, file: RecordedFile) -> None:
        """Note what a continuous recording of a camera did with a file. Never waits; any thread."""
        self._put(Change(lambda connection: recordings.note(connection, camera, file)))

    def get(self, event_id: str) -> EventRecord | None:
        """The event of an id; None if there is none."""
        return self.read(lambda connection: queries.get(connection, event_id), None)

    def find(
        self,
        wanted: EventFilter | None = None,
        *,
        limit: int = 100,
        newest_first: bool = True,
        after: Cursor | None = None,
    ) -> list[EventRecord]:
        """See `streamer.store.queries.find`."""
        chosen = wanted or EventFilter()
        found: list[EventRecord] = []
        return self.read(
            lambda connection: queries.find(connection, chosen, limit=limit, newest_first=newest_first, after=after),
            found,
        )

    def totals(self) -> tuple[int, int]:
        """The number of events, and the size of their files in bytes."""
        return self.read(queries.totals, (0, 0))

    def favourite(self, ids: Iterable[str], on: bool) -> None:
        """Make events favourites, which retention keeps, or not. Never waits."""
        chosen = tuple(ids)
        self._put(Change(lambda connection: changes.favourite(connection, chosen, on), events=chosen))

    def delete(self, ids: Iterable[str]) -> None:
        """Delete events and their files. Events that last stay. Never waits."""
        assert self._retention is not None, "enter the store first"
        chosen, committed = tuple(ids), self._retention.check_now
        self._put(Change(lambda connection: changes.delete(connection, chosen), committed, events=chosen))

    def pending(self, target: str, limit: int = 100) -> list[Delivery]:
        """The oldest deliveries of a target that are not done, in order."""
        found: list[Delivery] = []
        return self._or_nothing(lambda: self._outbox.pending(target, limit), found)

    def waiting(self, target: str) -> int:
        """How many deliveries of a target are not done."""
        return self._or_nothing(lambda: self._outbox.waiting(target), 0)

    def delivered(self, numbers: Iterable[int]) -> None:
        """Remove deliveries: their targets have the messages. Never waits; `pending` leaves them out from now on."""
        self._outbox.delivered(numbers)

    def failed(self, number: int, error: str) -> None:
        """Count a failed attempt of a delivery. Never waits."""
        self._outbox.failed(number, error)

    def drop_others(self, targets: Iterable[str], before: float) -> dict[str, tuple[int, int]]:
        """See `streamer.store.outbox.Outbox.drop_others`."""
        nothing: dict[str, tuple[int, int]] = {}
        return self._or_nothing(lambda: self._outbox.drop_others(targets, before), nothing)

    def on_commit(self, callback: Callable[[Sequence[str]], object]) -> None:
        """Call a function after each transaction with events or files, on the writer thread. Any thread.

        Args:
            callback: gets the ids of the events that were changed or deleted by this program.
        """
        with self._callbacks_lock:
            self._callbacks.append(callback)

    def flush(self, timeout_s: float = 10.0) -> bool:
        """Wait until all changes so far are on the disk; whether they are."""
        done = threading.Event()
        self._put(Change(lambda connection: None, done.set))  # noqa: ARG005
        return done.wait(timeout_s)

    def _put(self, change: Change) -> None:
        assert self._writer is not None, "enter the store first"
        self._writer.put(change)

    def _announce(self, events: Sequence[str]) -> None:
        with self._callbacks_lock:
            callbacks = tuple(self._callbacks)
        for callback in callbacks:
            try:
                callback(events)
            except Exception:
                log.exception("store: a function that is called after a commit failed")

    def _open(self) -> sqlite3.Connection:
        """The connection of the writer, with the events of a killed program ended."""
        try:
            return self._with_ended_events(open_for_writing(self._path))
        except sqlite3.DatabaseError as error:  # it is corrupt
            connection, _ = begin_anew(self._path, error)
            return self._with_ended_events(connection)

    def _with_ended_events(self, connection: sqlite3.Connection) -> sqlite3.Connection:
        try:
            with connection:  # commits, or rolls back
                connection.execute("BEGIN IMMEDIATE")
                self._end_killed(connection)
        except sqlite3.Error as error:
            if code(error) == sqlite3.SQLITE_FULL:  # the retention makes room, and the writer tries until there is some
                self._ends_killed_later = True
                return connection
            connection.close()
            if is_corrupt(error):
                raise
            raise ConfigError(f"store.folder: cannot write {self._path}: {error}") from error
        return connection

    def _end_killed(self, connection: sqlite3.Connection) -> None:
        ended = changes.end_killed(connection, self._targets_for)
        if ended:
            log.warning("store: %s ended that a killed program had left open", counted(len(ended), "event"))

    def read(self, query: Callable[[sqlite3.Connection], T], nothing: T) -> T:
        """The result of a query, such as one of `streamer.store.queries`; `nothing` if it fails. Any thread."""

        def read() -> T:
            with self._readers.connection() as connection:
                return query(connection)

        return self._or_nothing(read, nothing)

    def _or_nothing(self, read: Callable[[], T], nothing: T) -> T:
        """The result of a read; `nothing` if that fails. The writer replaces a corrupt database."""
        generation = self._readers.generation
        try:
            return read()
        except (sqlite3.Error, StreamerError) as error:
            reason = str(error)
            if not is_corrupt(error):
                log.warning("store: events cannot be read from %s: %s", self._path, reason)
                return nothing

        def replace(connection: sqlite3.Connection) -> None:  # noqa: ARG001
            if self._readers.generation == generation:
                raise CorruptionFound(reason)

        self._put(Change(replace))
        return nothing
