"""Connections that read: each thread that reads takes one and gives it back. Any thread."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from streamer.store.database.connections import open_for_reading

MOST_IDLE = 4
"""So many connections stay open for the next reader."""


class Readers:
    """The readers of one database file.

    Args:
        path: of the database.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._idle: list[sqlite3.Connection] = []
        self._generation = 0
        self._closed = False

    @property
    def generation(self) -> int:
        """Rises when a new database begins."""
        with self._lock:
            return self._generation

    @contextmanager
    def connection(self) -> Iterator[sqlite3.Connection]:
        """A connection for the calling thread.

        Raises:
            ConfigError: the database cannot be read.
            sqlite3.DatabaseError: it is corrupt.
        """
        with self._lock:
            generation = self._generation
            connection = self._idle.pop() if self._idle else None
        if connection is None:
            connection = open_for_reading(self._path)
        try:
            yield connection
        finally:
            with self._lock:
                keep = not self._closed and generation == self._generation and len(self._idle) < MOST_IDLE
                if keep:
                    self._idle.append(connection)
            if not keep:
                connection.close()

    def renew(self) -> None:
        """Close the connections: a new database begins. Those in use are closed when they are given back."""
        with self._lock:
            self._generation += 1
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def close(self) -> None:
        """Close the connections for good."""
        with self._lock:
            self._closed = True
        self.renew()
