"""The deliveries that wait, of each target in the order of their transactions. Any thread.

A row is written in the transaction of its event and removed when its target has the message, so a message is delivered
at least once, whenever the program is killed.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from streamer.store import changes
from streamer.store.database.readers import Readers
from streamer.store.database.writer import Change
from streamer.store.records import Delivery
from streamer.store.rows import DELIVERY, delivery_of


@dataclass(frozen=True, slots=True)
class Backlog:
    """The deliveries of a target that wait.

    Attributes:
        target: its name.
        waiting: how many.
        time: of the oldest, seconds since 1970.
        attempts: how often the oldest was tried.
        error: of its last attempt; empty before it.
    """

    target: str
    waiting: int
    time: float
    attempts: int
    error: str


def backlogs(connection: sqlite3.Connection) -> list[Backlog]:
    """The backlog of each target that has one, also of those that the settings no longer have."""
    # With min(), the other columns are those of the row with the least number (https://sqlite.org/lang_select.html).
    sql = "SELECT target, count(*), time, attempts, error, min(number) FROM deliveries GROUP BY target ORDER BY target"
    return [Backlog(*row[:-1]) for row in connection.execute(sql)]


class Outbox:
    """Reads deliveries, and removes those that are done.

    Args:
        readers: of the database.
        put: writes a change.
    """

    def __init__(self, readers: Readers, put: Callable[[Change], None]) -> None:
        self._readers, self._put = readers, put
        self._lock = threading.Lock()
        self._done: set[int] = set()  # delivered, while their rows are not removed yet

    def pending(self, target: str, limit: int) -> list[Delivery]:
        """The oldest deliveries of a target that are not done."""
        done = self._delivered()  # before the query: a row that is removed in between is in neither
        sql = f"SELECT {DELIVERY} FROM deliveries WHERE target = ? ORDER BY number LIMIT ?"
        with self._readers.connection() as connection:
            rows = connection.execute(sql, (target, limit + len(done))).fetchall()
        return [delivery_of(row) for row in rows if row[0] not in done][:limit]

    def waiting(self, target: str) -> int:
        """How many deliveries of a target are not done."""
        done = self._delivered()
        with self._readers.connection() as connection:
            if not done:
                sql = "SELECT count(*) FROM deliveries WHERE target = ?"
                return int(connection.execute(sql, (target,)).fetchone()[0])
            rows = connection.execute("SELECT number FROM deliveries WHERE target = ?", (target,)).fetchall()
        return sum(number not in done for (number,) in rows)

    def drop_others(self, targets: Iterable[str], before: float) -> dict[str, tuple[int, int]]:
        """Remove deliveries of all other targets that were written before a time.

        Args:
            targets: names of the targets that exist.
            before: seconds since 1970.

        Returns:
            By the name of each other target: how many were removed, and how many are left.
        """
        known = tuple(targets)
        others = f"target NOT IN ({', '.join('?' * len(known))})"
        sql = f"SELECT target, sum(time < ?), sum(time >= ?) FROM deliveries WHERE {others} GROUP BY target"
        with self._readers.connection() as connection:
            rows = connection.execute(sql, (before, before, *known)).fetchall()
        if any(dropped for _, dropped, _ in rows):
            drop = f"DELETE FROM deliveries WHERE {others} AND time < ?"
            self._put(Change(lambda connection: connection.execute(drop, (*known, before))))
        return {target: (dropped, left) for target, dropped, left in rows}

    def delivered(self, numbers: Iterable[int]) -> None:
        """Remove deliveries: their targets have the messages. From now on `pending` leaves them out."""
        numbers = frozenset(numbers)
        with self._lock:
            self._done |= numbers

        def forget() -> None:
            with self._lock:
                self._done -= numbers

        self._put(Change(lambda connection: changes.delivered(connection, numbers), forget))

    def failed(self, number: int, error: str) -> None:
        """Count a failed attempt of a delivery."""
        self._put(Change(lambda connection: changes.failed(connection, number, error)))

    def _delivered(self) -> frozenset[int]:
        with self._lock:
            return frozenset(self._done)
