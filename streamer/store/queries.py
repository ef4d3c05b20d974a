"""Reads events: a filter becomes SQL that an index answers. Pure functions of a connection; any thread.

A page begins behind the last event of the page before (keyset pagination), so page 1000 takes as long as the first.
"""

from __future__ import annotations

import heapq
import itertools
import json
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple, Self

from streamer.store.ids import is_id
from streamer.store.records import EventFilter, EventRecord
from streamer.store.rows import EVENT, record_of

MOST_COMBINATIONS = 64
"""Up to so many combinations of names, each is read through an index and the results are merged."""


_COLUMNS = {"cameras": "camera", "rules": "rule", "labels": "label", "kinds": "kind", "zones": "zones"}
"""Columns of the filter's names. That of the zones has lists of names as JSON; see `_resolved`."""
_SEARCHED = ("camera", "rule", "label")
"""Columns with names in which a text is searched, besides `text`."""
_HAS_TEXT = "text != '' AND instr(lower(text), lower(?))"


@dataclass(frozen=True, slots=True)
class _Resolved(EventFilter):
    """A filter with what it means in this database.

    Attributes:
        zones: lists of zones as JSON, which have one of the filter's zones.
        with_text: columns, each with its names that contain the filter's text.
    """

    with_text: tuple[tuple[str, list[str]], ...] = ()


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
    chosen = _resolved(connection, wanted)
    parts = [_find(connection, part, limit, newest_first, after) for part in _parts(chosen)]
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


def ids_ending_in(connection: sqlite3.Connection, text: str, *, most: int) -> list[str]:
    """Up to `most` ids that end in a text; the whole id alone if it is one."""
    if is_id(text):
        return [found.id for found in [get(connection, text)] if found is not None]
    sql = "SELECT id FROM events WHERE substr(id, ?) = ? LIMIT ?"
    rows = connection.execute(sql, (-len(text), text, most)).fetchall() if text else []
    return [event_id for (event_id,) in rows]


def find_new(
    connection: sqlite3.Connection, wanted: EventFilter, *, after: int, limit: int
) -> list[tuple[int, EventRecord]]:
    """The events of a filter in the order in which they were stored, with the numbers of their rows.

    Args:
        connection: to the database.
        wanted: the filter.
        after: only rows with larger numbers.
        limit: the most events.
    """
    conditions, values = _conditions(_resolved(connection, wanted), indexed=False)
    sql = f"SELECT number, {EVENT} FROM events WHERE number > ? AND {conditions} ORDER BY number LIMIT ?"
    rows = connection.execute(sql, [after, *values, limit]).fetchall()
    return [(row[0], record_of(row[1:])) for row in rows]


def last_number(connection: sqlite3.Connection) -> int:
    """The number of the newest row; 0 if there is none."""
    return int(connection.execute("SELECT coalesce(max(number), 0) FROM events").fetchone()[0])


def count(connection: sqlite3.Connection, wanted: EventFilter) -> int:
    """How many events a filter has."""
    conditions, values = _conditions(_resolved(connection, wanted))
    return int(connection.execute(f"SELECT count(*) FROM events WHERE {conditions}", values).fetchone()[0])


def names(connection: sqlite3.Connection, column: str) -> list[str]:
    """All values of `camera`, `rule`, `label` or `kind` that events have, sorted; without the empty one."""
    return [value for value in _values(connection, column) if value]


def zone_names(connection: sqlite3.Connection) -> list[str]:
    """The names of all zones that events have, sorted."""
    return sorted({name for text in _values(connection, "zones") for name in json.loads(text)})


def counts(
    connection: sqlite3.Connection, wanted: EventFilter, *, since: float, until: float, bins: int
) -> dict[str, list[int]]:
    """How many events of a filter start in each of several equal parts of a time span, by camera.

    Args:
        connection: to the database.
        wanted: the filter; its own times are not used.
        since: begin of the span, seconds since 1970.
        until: its end, excluded.
        bins: the number of parts.
    """
    found: dict[str, list[int]] = {}
    chosen = _resolved(connection, replace(wanted, since=since, until=until))
    sql = "SELECT CAST((start_time - ?) * ? / ? AS INTEGER) AS bin, count(*) FROM events WHERE {} GROUP BY bin"
    for camera in names(connection, "camera"):  # one by one: each is counted in the index of cameras and times
        if wanted.cameras and camera not in wanted.cameras:
            continue
        conditions, values = _conditions(replace(chosen, cameras=(camera,)))
        rows = connection.execute(sql.format(conditions), [since, bins, until - since, *values]).fetchall()
        if rows:
            found[camera] = [0] * bins
        for at, number in rows:
            found[camera][min(at, bins - 1)] += number  # a rounded quotient may be `bins`
    return found


def _values(connection: sqlite3.Connection, column: str, text: str = "") -> list[str]:
    """All values of a column that contain a text, sorted, by one search in its index for each.

    DISTINCT would read the whole index.
    """
    sql = (
        f"WITH RECURSIVE found(name) AS (SELECT min({column}) FROM events UNION ALL "
        f"SELECT (SELECT min({column}) FROM events WHERE {column} > found.name) FROM found WHERE name IS NOT NULL) "
        "SELECT name FROM found WHERE name IS NOT NULL AND instr(lower(name), lower(?))"
    )
    return [row[0] for row in connection.execute(sql, (text,))]


def _resolved(connection: sqlite3.Connection, wanted: EventFilter) -> _Resolved:
    values = {field.name: getattr(wanted, field.name) for field in fields(EventFilter)}
    if wanted.zones:
        lists = [text for text in _values(connection, "zones") if not set(json.loads(text)).isdisjoint(wanted.zones)]
        values["zones"] = tuple(lists) or ("",)  # no event has this
    searched = _SEARCHED if wanted.text else ()
    found = ((column, _values(connection, column, wanted.text)) for column in searched)
    return _Resolved(**values, with_text=tuple((column, names) for column, names in found if names))


def _parts(wanted: _Resolved) -> Iterable[_Resolved]:
    """Filters with at most one name of each kind, which together find the same events, each of them once.

    SQLite reads `camera = ? ORDER BY start_time` from an index, but sorts the events of `camera IN (?, ?)`.
    """
    chosen = {name: dict.fromkeys(getattr(wanted, name)) for name in _COLUMNS}
    combinations = [*itertools.product(*(names or [None] for names in chosen.values()))]
    if len(combinations) > MOST_COMBINATIONS:
        return [wanted]
    parts = []
    for combination in combinations:
        names: dict[str, Any] = {
            name: () if one is None else (one,) for name, one in zip(chosen, combination, strict=True)
        }
        parts.append(replace(wanted, **names))
    return parts


def _find(
    connection: sqlite3.Connection, wanted: _Resolved, limit: int, newest_first: bool, after: Cursor | None
) -> Iterator[EventRecord]:
    conditions, values = _conditions(wanted)
    order, beyond = ("DESC", "<") if newest_first else ("ASC", ">")
    if after is not None:
        conditions += f" AND start_time {beyond}= ? AND (start_time {beyond} ? OR id {beyond} ?)"
        values += [after.start_time, after.start_time, after.id]
    sql = f"SELECT {EVENT} FROM events WHERE {conditions} ORDER BY start_time {order}, id {order} LIMIT ?"
    return map(record_of, connection.execute(sql, [*values, limit]).fetchall())


def _conditions(wanted: _Resolved, *, indexed: bool = True) -> tuple[str, list[Any]]:
    """SQL of a filter, with its values.

    A + keeps SQLite from the index of a column. With several names in a column it would sort all of their events.
    """
    found: list[str] = []
    values: list[Any] = []
    for name, column in _COLUMNS.items():
        chosen = getattr(wanted, name)
        if chosen:
            found.append(f"{'' if indexed and len(chosen) == 1 else '+'}{column} IN ({', '.join('?' * len(chosen))})")
            values += [str(one) for one in chosen]
    for condition, value in (("start_time >= ?", wanted.since), ("start_time < ?", wanted.until)):
        if value is not None:
            found.append(condition if indexed else f"+{condition}")
            values.append(value)
    if wanted.favourite is not None:
        found.append("favourite" if wanted.favourite else "NOT favourite")
    if wanted.open is not None:
        found.append("end_time IS NULL" if wanted.open else "end_time IS NOT NULL")
    if wanted.text:
        named = [f"+{column} IN ({', '.join('?' * len(names))})" for column, names in wanted.with_text]
        found.append(f"({' OR '.join([*named, _HAS_TEXT])})")
        values += [*itertools.chain.from_iterable(names for _, names in wanted.with_text), wanted.text]
    return " AND ".join(found) or "1", values


def totals(connection: sqlite3.Connection) -> tuple[int, int]:
    """The number of events, and the size of their files in bytes. An index has both."""
    events, size = connection.execute("SELECT count(*), coalesce(sum(bytes), 0) FROM events").fetchone()
    return int(events), int(size)
