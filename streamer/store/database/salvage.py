"""Takes over what can be read of a corrupt database into a new one. Used by the thread that opens the new one."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from streamer.store.rows import COLUMNS, record_of_text, record_of_values
from streamer.system.suggestions import counted

log = logging.getLogger(__name__)

ROWS_TOGETHER = 1000
Row = Sequence[Any]


def salvage(corrupt: Path, connection: sqlite3.Connection) -> int:
    """Copy the rows that can be read, also of an older version; the number of events.

    Each table is read from its first row on, up to the damage, and from its last row back. A row with values that are
    no event is left out.

    Args:
        corrupt: the database that was set aside; it does not change.
        connection: to the new one, in autocommit mode.
    """
    copied = dict.fromkeys(_CHECKS, 0)
    with suppress(sqlite3.Error), closing(_open(corrupt)) as source:
        for table, check in _CHECKS.items():
            names = [name for name in _columns(connection, table) if name in _columns(source, table)]
            for order in ("ASC", "DESC"):
                with suppress(sqlite3.Error):
                    for rows in _pages(source, table, names, order, check):
                        copied[table] += _insert(connection, table, names, rows)
    if any(copied.values()):
        found = f"{counted(copied['events'], 'event')} and {counted(copied['deliveries'], 'waiting message')}"
        log.warning("store: %s of %s could be read and are in the new database", found, corrupt.name)
    return copied["events"]


def _open(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)


def _columns(connection: sqlite3.Connection, table: str) -> list[str]:
    """The names of the columns; the first one is the key by which the rows are stored."""
    return [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]


def _pages(
    source: sqlite3.Connection, table: str, names: Sequence[str], order: str, check: Callable[[dict[str, Any]], object]
) -> Iterator[list[Row]]:
    """The rows that the check accepts, up to the damage."""
    page: list[Row] = []
    try:
        for row in source.execute(f"SELECT {', '.join(names)} FROM {table} NOT INDEXED ORDER BY {names[0]} {order}"):
            with suppress(ValueError, TypeError, KeyError):
                check(dict(zip(names, row, strict=True)))
                page.append(row)
            if len(page) == ROWS_TOGETHER:
                yield page
                page = []
    except sqlite3.DatabaseError:
        yield page
        raise
    yield page


def _insert(connection: sqlite3.Connection, table: str, names: Sequence[str], rows: Sequence[Row]) -> int:
    sql = f"INSERT OR IGNORE INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"
    with connection:  # commits, or rolls back
        connection.execute("BEGIN IMMEDIATE")
        return max(connection.executemany(sql, rows).rowcount, 0)


def _check_event(values: dict[str, Any]) -> None:
    record_of_values({name: values[name] for name in COLUMNS if name in values})


def _check_delivery(values: dict[str, Any]) -> None:
    record_of_text(values["event"])


def _check_nothing(values: dict[str, Any]) -> None:
    """Accepts a row: the database accepts only values of the right kind."""


_CHECKS: Mapping[str, Callable[[dict[str, Any]], object]] = {
    "events": _check_event,
    "deliveries": _check_delivery,
    "recordings": _check_nothing,
    "removed_files": _check_nothing,
}
"""The tables that are copied, and what raises an error for a row that is none."""
