"""Writes events, files and deliveries: the SQL of each change. Functions of a connection inside a transaction.

The caller begins and commits: the writer thread for a running program, else the command that changes a store.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from streamer.store import queries
from streamer.store.records import Ending, EventRecord
from streamer.store.rows import ATTACHED, COLUMNS, EVENT, PATHS, record_of, text_of, values_of
from streamer.values.events import EventPhase

TargetsFor = Callable[[EventRecord, EventPhase | None], Sequence[str]]
"""The names of the targets that get a message about a phase of an event; None: about files that are complete."""

_KEPT = {"id", "favourite", *ATTACHED}
_SAVE = (
    f"INSERT INTO events ({EVENT}) VALUES ({', '.join(f':{name}' for name in COLUMNS)}) "
    f"ON CONFLICT (id) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in COLUMNS if name not in _KEPT)}"
)
_DELIVER = "INSERT INTO deliveries (target, event_id, phase, files, event) VALUES (?, ?, ?, ?, ?)"
_SEEN = "seen_time"


def save(connection: sqlite3.Connection, record: EventRecord, phase: EventPhase, targets: Sequence[str] = ()) -> None:
    """Insert an event, or update all of its columns except those of its files; one delivery for each target."""
    connection.execute(_SAVE, values_of(record))
    if targets:
        stored = queries.get(connection, record.id)  # with the files that are attached
        _deliver(connection, stored or record, phase, targets, ())


def attach(
    connection: sqlite3.Connection,
    event_id: str,
    files: Mapping[str, Any],
    targets_for: TargetsFor = lambda record, phase: (),  # noqa: ARG005
) -> None:
    """Set the columns of files of an event; its `bytes` grow. One delivery for each target.

    The targets are chosen here, because before this transaction the event itself may not be written yet. The files of
    an event that was deleted meanwhile are noted for deletion.
    """
    assignments = ", ".join(f"{name} = bytes + :bytes" if name == "bytes" else f"{name} = :{name}" for name in files)
    connection.execute(f"UPDATE events SET {assignments} WHERE id = :id", {**files, "id": event_id})
    stored = queries.get(connection, event_id)
    if stored is None:
        note_removed(connection, (str(files[name]) for name in PATHS if files.get(name)))
        return
    attached = [name for name in PATHS if files.get(name)]
    _deliver(connection, stored, None, targets_for(stored, None), attached)


def detach(connection: sqlite3.Connection, event_id: str, names: Sequence[str], bytes_left: int) -> None:
    """Remove files that are missing from the row of an event.

    Args:
        connection: to the database.
        event_id: of the event.
        names: the fields of the files.
        bytes_left: size of its other files.
    """
    assignments = [f"{name} = ''" for name in names]
    assignments += ["clip_start_time = NULL", "clip_duration_s = NULL", "clip_note = ''"] if "clip" in names else []
    connection.execute(f"UPDATE events SET {', '.join(assignments)}, bytes = ? WHERE id = ?", (bytes_left, event_id))


def favourite(connection: sqlite3.Connection, ids: Iterable[str], on: bool) -> int:
    """Make events favourites, or not; the number of events."""
    changed = (connection.execute("UPDATE events SET favourite = ? WHERE id = ?", (int(on), one)) for one in ids)
    return sum(cursor.rowcount for cursor in changed)


def delete(connection: sqlite3.Connection, ids: Iterable[str]) -> int:
    """Delete the rows of events and note their files for deletion; the number of events. Those that last stay."""
    deleted = 0
    for one in ids:
        sql = f"DELETE FROM events WHERE id = ? AND end_time IS NOT NULL RETURNING {', '.join(PATHS)}"
        for row in connection.execute(sql, (one,)).fetchall():
            deleted += 1
            note_removed(connection, filter(None, row))
    return deleted


def note_removed(connection: sqlite3.Connection, paths: Iterable[str]) -> None:
    """Note files that are to be deleted."""
    connection.executemany("INSERT OR IGNORE INTO removed_files VALUES (?)", ((path,) for path in paths))


def forget_removed(connection: sqlite3.Connection, paths: Iterable[str]) -> None:
    """Remove the notes of files that are deleted."""
    connection.executemany("DELETE FROM removed_files WHERE path = ?", ((path,) for path in paths))


def delivered(connection: sqlite3.Connection, numbers: Iterable[int]) -> None:
    """Remove deliveries."""
    connection.executemany("DELETE FROM deliveries WHERE number = ?", ((number,) for number in numbers))


def failed(connection: sqlite3.Connection, number: int, error: str) -> None:
    """Count a failed attempt of a delivery."""
    connection.execute("UPDATE deliveries SET attempts = attempts + 1, error = ? WHERE number = ?", (error, number))


def end_killed(connection: sqlite3.Connection, targets_for: TargetsFor) -> list[EventRecord]:
    """End the events that a killed program left open, at the time when it last wrote; they are returned."""
    seen = seen_time(connection)
    found = connection.execute(f"SELECT {EVENT} FROM events WHERE end_time IS NULL ORDER BY number").fetchall()
    ended = []
    for record in map(record_of, found):
        end_time = record.start_time if seen is None else max(seen, record.start_time)
        end_s = record.start_s + end_time - record.start_time
        last = replace(record, end_time=end_time, end_s=end_s, revision=record.revision + 1, ending=Ending.KILLED)
        save(connection, last, EventPhase.END, targets_for(last, EventPhase.END))
        ended.append(last)
    return ended


def seen_time(connection: sqlite3.Connection) -> float | None:
    """When a program last wrote to the database, seconds since 1970; None if none did."""
    row = connection.execute("SELECT value FROM state WHERE name = ?", (_SEEN,)).fetchone()
    return None if row is None else float(row[0])


def set_seen_time(connection: sqlite3.Connection, time: float) -> None:
    """Note that the program writes now."""
    connection.execute("INSERT OR REPLACE INTO state VALUES (?, ?)", (_SEEN, time))


def _deliver(
    connection: sqlite3.Connection,
    record: EventRecord,
    phase: EventPhase | None,
    targets: Sequence[str],
    files: Sequence[str],
) -> None:
    values = (record.id, None if phase is None else phase.value, json.dumps(files), text_of(record))
    connection.executemany(_DELIVER, ((target, *values) for target in targets))
