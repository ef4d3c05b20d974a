"""Deletes events for a command, also while another program writes to the store. Used by the thread of the command."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from streamer.store import changes, files, queries
from streamer.store.commands.access import changing, reading
from streamer.store.records import EventFilter, EventRecord

ROWS_TOGETHER = 200
"""Rows of one transaction: the program that writes events waits for it."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """Events that can be deleted.

    Attributes:
        ids: of those that have ended.
        bytes: size of their files.
        open: how many more are meant that last still.
    """

    ids: tuple[str, ...]
    bytes: int
    open: int = 0


def choose(folder: Path, wanted: EventFilter | Callable[[sqlite3.Connection], Sequence[str]]) -> Chosen:
    """The events of a filter, or of ids.

    Args:
        folder: of the store.
        wanted: a filter, or a function that returns the ids.

    Raises:
        ConfigError, StoreError: as of `reading`.
    """
    ids, size, lasting = [], 0, 0
    with reading(folder) as connection:
        for record in _records(connection, wanted):
            if record.end_time is None:
                lasting += 1
            else:
                ids.append(record.id)
                size += record.bytes
    return Chosen(tuple(ids), size, lasting)


def _records(
    connection: sqlite3.Connection, wanted: EventFilter | Callable[[sqlite3.Connection], Sequence[str]]
) -> Iterator[EventRecord]:
    if isinstance(wanted, EventFilter):
        return queries.find_all(connection, wanted, newest_first=False)
    records = (queries.get(connection, one) for one in dict.fromkeys(wanted(connection)))
    return (one for one in records if one is not None)


def delete(folder: Path, ids: Sequence[str]) -> None:
    """Delete events with their files: rows first, in small transactions, then the files that those note.

    Raises:
        ConfigError, StoreError: as of `reading`.
    """
    for first in range(0, len(ids), ROWS_TOGETHER):
        with changing(folder) as connection:
            changes.delete(connection, ids[first : first + ROWS_TOGETHER])
        delete_noted_files(folder)


def delete_noted_files(folder: Path) -> int:
    """Delete the files whose rows are gone; their number.

    Raises:
        ConfigError, StoreError: as of `reading`.
    """
    last, count = "", 0
    while True:
        with reading(folder) as connection:
            paths = files.noted(connection, last, ROWS_TOGETHER)
        if not paths:
            return count
        gone = files.unlink(folder, paths, today=date.today())
        with changing(folder) as connection:
            changes.forget_removed(connection, gone)
        last, count = paths[-1], count + len(gone)
