"""Reads events: a filter becomes SQL that an index answers. Pure functions of a connection; any thread.

A page begins behind the last event of the page before (keyset pagination), so page 1000 takes as long as the first.
"""

from __future__ import annotations

import heapq
import itertools
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple, Self

from streamer.store.records import EventFilter, EventRecord
from streamer.store.rows import EVENT, record_of

MOST_COMBINATIONS = 64
"""Up to so many pairs of camera and class, each is read through the index and the results are merged."""


class Cursor(NamedTuple):
    """The place of an event in the order of `find`: the page behind it begins there."""

    start_time: float
    id: str

    @classmethod
    def of(cls, record: EventRecord) -> Self:
        """The place of an event."""
        return cls(record.start_time, record.id)


def find(
    connection: sqlite3.Connection,
    wanted: EventFilter,
    *,
    limit: int,
    newest_first: bool = True,
    after: Cursor | None = None,
) -> list[EventRecord]:
    """The events of a filter by their start, and by id where starts are equal.

    Args:
        connection: to the database.
        wanted: the filter.
        limit: the most events.
        newest_first: the order.
        after: only events behind this place in the order.
    """
    if limit <= 0:
        return []
    parts = [_find(connection, part, limit, newest_first, after) for part in _parts(wanted)]
    merged = heapq.merge(*parts, key=Cursor.of, reverse=newest_first)
    return list(itertools.islice(merged, limit))


def find_all(
    connection: sqlite3.Connection, wanted: EventFilter, *, newest_first: bool = True, page: int = 1000
) -> Iterator[EventRecord]:
    """The same without a limit, read page by page, so no transaction stays open."""
    after = None
    while found := find(connection, wanted, limit=page, newest_first=newest_first, after=after):
        yield from found
        after = Cursor.of(found[-1])


def get(connection: sqlite3.Connection, event_id: str) -> EventRecord | None:
    """The event of an id; None if there is none."""
    row = connection.execute(f"SELECT {EVENT} FROM events WHERE id = ?", (event_id,)).fetchone()
    return None if row is None else record_of(row)


def count(connection: sqlite3.Connection, wanted: EventFilter) -> int:
    """How many events a filter has."""
    conditions, values = _conditions(wanted)
    return int(connection.execute(f"SELECT count(*) FROM events WHERE {conditions}", values).fetchone()[0])


def _parts(wanted: EventFilter) -> Iterable[EventFilter]:
    """Filters with one camera and one class each, which together find the same events, each of them once.

    SQLite reads `camera = ? ORDER BY start_time` from an index, but sorts the events of `camera IN (?, ?)`.
    """
    cameras, labels = dict.fromkeys(wanted.cameras), dict.fromkeys(wanted.labels)
    pairs = [*itertools.product(cameras or [None], labels or [None])]
    if len(pairs) > MOST_COMBINATIONS:
        return [wanted]
    return [
        replace(
            wanted,
            cameras=() if camera is None else (camera,),
            labels=() if label is None else (label,),
        )
        for camera, label in pairs
    ]


def _find(
    connection: sqlite3.Connection, wanted: EventFilter, limit: int, newest_first: bool, after: Cursor | None
) -> Iterator[EventRecord]:
    conditions, values = _conditions(wanted)
    order, beyond = ("DESC", "<") if newest_first else ("ASC", ">")
    if after is not None:
        conditions += f" AND start_time {beyond}= ? AND (start_time {beyond} ? OR id {beyond} ?)"
        values += [after.start_time, after.start_time, after.id]
    sql = f"SELECT {EVENT} FROM events WHERE {conditions} ORDER BY start_time {order}, id {order} LIMIT ?"
    return map(record_of, connection.execute(sql, [*values, limit]).fetchall())


def _conditions(wanted: EventFilter) -> tuple[str, list[Any]]:
    found: list[str] = []
    values: list[Any] = []
    names = {"camera": wanted.cameras, "rule": wanted.rules, "label": wanted.labels, "kind": wanted.kinds}
    for column, chosen in names.items():
        if chosen:
            found.append(f"{column} IN ({', '.join('?' * len(chosen))})")
            values += [str(one) for one in chosen]
    for condition, value in (("start_time >= ?", wanted.since), ("start_time < ?", wanted.until)):
        if value is not None:
            found.append(condition)
            values.append(value)
    if wanted.favourite is not None:
        found.append("favourite" if wanted.favourite else "NOT favourite")
    if wanted.open is not None:
        found.append("end_time IS NULL" if wanted.open else "end_time IS NOT NULL")
    if wanted.text:
        found.append("instr(lower(camera || char(10) || rule || char(10) || label || char(10) || text), lower(?))")
        values.append(wanted.text)
    return " AND ".join(found) or "1", values
