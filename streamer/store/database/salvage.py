"""Takes over what can be read of a corrupt database into a new one. Used by the thread that opens the new one."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from streamer.store.rows import COLUMNS, DELIVERY, EVENT, delivery_of, record_of
from streamer.system.suggestions import counted

log = logging.getLogger(__name__)

TABLES = {"events": EVENT, "deliveries": DELIVERY}
ROWS_TOGETHER = 1000
_READ = {"events": record_of, "deliveries": delivery_of}


def salvage(corrupt: Path, connection: sqlite3.Connection) -> int:
    """Copy the events and deliveries that can be read; the number of events.

    Each table is read from its first row on, up to the damage, and from its last row back. A row with values that are
    no event is left out.

    Args:
        corrupt: the database that was set aside; it does not change.
        connection: to the new one, in autocommit mode.
    """
    copied = dict.fromkeys(TABLES, 0)
    with suppress(sqlite3.Error), closing(_open(corrupt)) as source:
        for table in TABLES:
            for order in ("ASC", "DESC"):
                with suppress(sqlite3.DatabaseError):
                    for rows in _rows(source, table, order):
                        copied[table] += _insert(connection, table, rows)
    if any(copied.values()):
        found = f"{counted(copied['events'], 'event')} and {copied['deliveries']} waiting messages"
        log.warning("store: %s of %s could be read and are in the new database", found, corrupt.name)
    return copied["events"]


def _open(path: Path) -> sqlite3.Connection:
    """Read only, and without its log: the program that wrote it has ended."""
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)


def _rows(source: sqlite3.Connection, table: str, order: str) -> Iterator[list[Sequence[Any]]]:
    """Pages of rows that are events or deliveries."""
    names = TABLES[table] if table == "deliveries" else f"number, {EVENT}"
    cursor = source.execute(f"SELECT {names} FROM {table} NOT INDEXED ORDER BY number {order}")
    page: list[Sequence[Any]] = []
    try:
        for row in cursor:
            with suppress(ValueError, TypeError, KeyError):
                _READ[table](row if table == "deliveries" else row[1:])
                page.append(row)
            if len(page) == ROWS_TOGETHER:
                yield page
                page = []
    except sqlite3.DatabaseError:
        yield page
        raise
    yield page


def _insert(connection: sqlite3.Connection, table: str, rows: Sequence[Sequence[Any]]) -> int:
    if not rows:
        return 0
    names = TABLES[table] if table == "deliveries" else f"number, {', '.join(COLUMNS)}"
    marks = ", ".join("?" * len(rows[0]))
    connection.execute("BEGIN IMMEDIATE")
    cursor = connection.executemany(f"INSERT OR IGNORE INTO {table} ({names}) VALUES ({marks})", rows)
    connection.execute("COMMIT")
    return max(cursor.rowcount, 0)
