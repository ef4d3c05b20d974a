"""The database file: opened, upgraded, and set aside if it is corrupt. Used by the thread that opens a connection.

The journal is a write-ahead log (WAL), so readers and the writer do not wait for one another. `synchronous` is FULL:
each transaction is on the disk when it is committed, so neither a killed program nor a power failure loses it. NORMAL
would save a sync for each transaction, and lose the last ones at a power failure, also events whose alerts were
not delivered yet. The writer thread waits for the sync, the pipeline does not.
"""

from __future__ import annotations

import logging
import sqlite3
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from shutil import disk_usage

from streamer.errors import ConfigError, StreamerError
from streamer.store import schema
from streamer.store.database.salvage import salvage

log = logging.getLogger(__name__)

LOG_BYTES = 16_000_000
"""The write-ahead log grows while a command reads for long; afterwards it is cut to this size."""
LEAST_BYTES = 200_000
"""A new database and its log need so much."""
BUSY_S = 10.0
"""How long a transaction waits for that of another program, such as `streamer events delete`."""
_CORRUPT = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_SIDE_FILES = ("", "-wal", "-shm")

OTHER_USER = "run it as the user that stores the events"
"""The remedy where this user has too few rights."""


class StoreError(StreamerError):
    """The database cannot be read or written now."""


def is_corrupt(error: Exception) -> bool:
    """Whether an error says that the content of the database is damaged."""
    return code(error) in _CORRUPT


def reason_of(error: sqlite3.Error) -> str:
    """The text of an error, with a remedy where this user has too few rights: reading writes to the log, too."""
    lacks_rights = code(error) in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM)
    return f"{error}; {OTHER_USER}" if lacks_rights else str(error)


def code(error: Exception) -> int:
    """The primary code of SQLite, which is the lowest byte; 0 for another error."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def open_for_writing(path: Path) -> sqlite3.Connection:
    """A connection that reads and writes, to a database of the present version; one is made if there is none.

    Raises:
        ConfigError: it is of a newer version or of another program, or cannot be written.
        sqlite3.DatabaseError: it is corrupt.
    """
    try:
        connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    except sqlite3.Error as error:
        raise ConfigError(f"store.folder: cannot open {path}: {reason_of(error)}") from error
    try:
        _require_known(connection, path)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA journal_size_limit = {LOG_BYTES}")
        schema.upgrade(connection)
        connection.execute("SELECT * FROM events ORDER BY start_time DESC LIMIT 1").fetchone()
    except sqlite3.Error as error:
        connection.close()
        if is_corrupt(error):
            raise
        is_full = disk_usage(path.parent).free < LEAST_BYTES  # SQLite says "disk I/O error" if its log finds no room
        reason = "its disk is full; delete files there, or choose another folder" if is_full else reason_of(error)
        raise ConfigError(f"store.folder: cannot write {path}: {reason}") from error
    except ConfigError:
        connection.close()
        raise
    return connection


def open_for_reading(path: Path) -> sqlite3.Connection:
    """A connection that only reads. One thread at a time may use it.

    Raises:
        ConfigError: there is no database, it is of another version or program, or cannot be read.
        sqlite3.DatabaseError: it is corrupt.
    """
    address = f"{path.absolute().as_uri()}?mode=ro"
    try:
        connection = sqlite3.connect(address, uri=True, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    except sqlite3.Error as error:
        raise ConfigError(f"store.folder: cannot read {path}: {reason_of(error)}") from error
    try:
        _require_known(connection, path)
    except sqlite3.Error as error:
        connection.close()
        if is_corrupt(error):
            raise
        raise ConfigError(f"store.folder: cannot read {path}: {reason_of(error)}") from error
    except ConfigError:
        connection.close()
        raise
    return connection


def _require_known(connection: sqlite3.Connection, path: Path) -> None:
    """Raises ConfigError if the database is of a newer version or of another program."""
    version = schema.version_of(connection)
    has_tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    if has_tables and application != schema.APPLICATION_ID:
        raise ConfigError(f"store.folder: {path} is the database of another program; choose another folder")
    if version > schema.VERSION:
        raise ConfigError(
            f"store.folder: {path} has version {version}, and this Streamer knows versions up to {schema.VERSION}; "
            "update Streamer, or choose another folder"
        )


def begin_anew(path: Path, reason: object) -> tuple[sqlite3.Connection, Path]:
    """Set a corrupt database aside and begin a new one with what can be read of it; its connection, and the old file.

    Raises:
        ConfigError: the corrupt one cannot be renamed, or the new one cannot be written. The corrupt one has its name
            then, so that a later call finds it.
    """
    corrupt = _unused_name(path)
    _rename(path, corrupt)
    try:
        connection = open_for_writing(path)
    except BaseException:
        _rename(corrupt, path)
        raise
    log.warning(
        "store: %s is corrupt (%s); it is kept as %s, and a new database begins",
        path,
        reason,
        corrupt.name,
    )
    salvage(corrupt, connection)
    return connection, corrupt


def _unused_name(path: Path) -> Path:
    """The name under which a corrupt database is kept."""
    name = f"{path.name}.corrupt-{datetime.now():%Y%m%d-%H%M%S}"
    target, number = path.with_name(name), 1
    while target.exists():
        number += 1
        target = path.with_name(f"{name}-{number}")
    return target


def _rename(path: Path, target: Path) -> None:
    """Rename a database with its log; one that has the new name is replaced.

    Raises:
        ConfigError: it cannot be renamed.
    """
    try:
        for suffix in reversed(_SIDE_FILES):
            file, renamed = path.with_name(path.name + suffix), target.with_name(target.name + suffix)
            renamed.unlink(missing_ok=True)
            with suppress(FileNotFoundError):
                file.rename(renamed)
    except OSError as error:
        raise ConfigError(f"store.folder: cannot rename the corrupt {path}: {error.strerror}") from error
