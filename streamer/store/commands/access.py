"""The store for commands: read and changed while another program may write to it. Used by the thread of the command."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from streamer.errors import ConfigError
from streamer.store import schema
from streamer.store.database.connections import (
    OTHER_USER,
    StoreError,
    is_corrupt,
    open_for_reading,
    open_for_writing,
    reason_of,
)
from streamer.store.database.folder import DATABASE, locked


@contextmanager
def reading(folder: Path) -> Iterator[sqlite3.Connection]:
    """A connection that reads the store of a folder.

    Raises:
        ConfigError: there is no store, it cannot be read, or is of another version.
        StoreError: its database is corrupt, or an error while it was read.
    """
    path = _existing(folder)
    with _errors(path):
        connection = open_for_reading(path)
        if schema.version_of(connection) < schema.VERSION:
            connection.close()
            _upgrade(folder, path)
            connection = open_for_reading(path)
        with closing(connection):
            yield connection


@contextmanager
def changing(folder: Path) -> Iterator[sqlite3.Connection]:
    """A connection inside a transaction, which is committed at the end, or rolled back after an error.

    Raises:
        ConfigError, StoreError: as of `reading`.
    """
    with reading(folder):
        pass
    path = folder / DATABASE
    with _errors(path), closing(open_for_writing(path)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


def _existing(folder: Path) -> Path:
    path = folder / DATABASE
    try:
        exists = path.is_file()
    except OSError as error:
        raise ConfigError(f"store.folder: cannot read {path}: {error.strerror}; {OTHER_USER}") from error
    if not exists:
        raise ConfigError(f"store.folder: {folder} has no events ({DATABASE}); give the folder of a store")
    return path


def _upgrade(folder: Path, path: Path) -> None:
    """Upgrade the database of an older version, unless a program of that version runs."""
    with locked(folder):
        open_for_writing(path).close()


@contextmanager
def _errors(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        if is_corrupt(error):
            remedy = "'streamer events check --repair' sets it aside and takes over what can be read"
            raise StoreError(f"{path} is corrupt ({error}); {remedy}") from error
        raise StoreError(f"{path}: {reason_of(error)}") from error
