"""New events of a store that another program writes, for `streamer events follow`. Used by the thread that iterates.

`PRAGMA data_version` tells whether another program has committed; it reads a few bytes of shared memory. SQLite cannot
wait for such a change, so `wait` is called in between.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

from streamer.store import queries, schema
from streamer.store.commands.access import reading
from streamer.store.database.connections import open_for_reading
from streamer.store.database.folder import DATABASE, identity
from streamer.store.records import EventFilter, EventRecord
from streamer.values.events import EventPhase

Seen = tuple[EventRecord, EventPhase]
_PAGE = 500


def follow(folder: Path, wanted: EventFilter, *, latest: int, wait: Callable[[], bool]) -> Iterator[Seen]:
    """Each event when it has started, and once more when it has ended; an event without a duration once.

    Args:
        folder: of the store.
        wanted: the filter.
        latest: first so many events that are stored.
        wait: called when there is no news; False ends the iteration.

    Raises:
        ConfigError, StoreError: as of `reading`.
    """
    path = folder / DATABASE
    while True:
        with reading(folder) as connection:
            file, events = identity(path), _Events(connection, wanted, latest)
            version = -1
            while identity(path) == file:
                yield from events.news() if version != (version := _data_version(connection)) else ()
                if not wait():
                    return
        latest = 0
        while not _has_begun(path):
            if not wait():
                return


class _Events:
    """The events of one database file, as far as they are told."""

    def __init__(self, connection: sqlite3.Connection, wanted: EventFilter, latest: int) -> None:
        self._connection, self._wanted = connection, wanted
        self._open: dict[str, EventRecord] = {}
        connection.execute("BEGIN")  # both reads see the same rows
        self._last = queries.last_number(connection)
        self._first = queries.find(connection, wanted, limit=latest)[::-1]
        connection.execute("COMMIT")

    def news(self) -> Iterator[Seen]:
        """What has happened since the last call."""
        for event_id in list(self._open):
            record = queries.get(self._connection, event_id)
            if record is None or record.end_time is not None:
                del self._open[event_id]
            if record is not None and record.end_time is not None:
                yield record, EventPhase.END
        first, self._first = self._first, []
        for record in first:
            yield from self._started(record)
        while found := queries.find_new(self._connection, self._wanted, after=self._last, limit=_PAGE):
            for number, record in found:
                self._last = number
                yield from self._started(record)

    def _started(self, record: EventRecord) -> Iterator[Seen]:
        yield record, EventPhase.START
        if record.end_time is None:
            self._open[record.id] = record
        elif record.end_time > record.start_time:
            yield record, EventPhase.END


def _has_begun(path: Path) -> bool:
    """Whether a new database has its tables."""
    if not path.is_file():
        return False
    with suppress(sqlite3.Error), closing(open_for_reading(path)) as connection:
        return schema.version_of(connection) > 0
    return False


def _data_version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA data_version").fetchone()[0])
