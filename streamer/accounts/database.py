"""The database file of accounts: made, opened and checked. Each call opens a connection of its own; any thread.

The file is made for its user only (mode 0600); SQLite gives its journal the same mode. A reader makes
no files (rollback journal), and waits for some milliseconds at most while another program writes.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from streamer.accounts.errors import AccountsError
from streamer.errors import ConfigError

APPLICATION_ID = 0x53545241
"""Of SQLite's header: `STRA`."""
VERSION = 1
BUSY_S = 5.0
"""How long a change waits for that of another program."""
MODE = 0o600

_SCHEMA = f"""
CREATE TABLE users (
    name TEXT PRIMARY KEY COLLATE NOCASE,
    role TEXT NOT NULL,
    password TEXT NOT NULL,
    created_s REAL NOT NULL
) STRICT;
CREATE TABLE sessions (
    hash BLOB PRIMARY KEY,
    user TEXT NOT NULL COLLATE NOCASE REFERENCES users (name) ON DELETE CASCADE,
    created_s REAL NOT NULL,
    used_s REAL NOT NULL
) STRICT;
CREATE INDEX sessions_of_user ON sessions (user);
CREATE TABLE tokens (
    hash BLOB PRIMARY KEY,
    user TEXT NOT NULL COLLATE NOCASE REFERENCES users (name) ON DELETE CASCADE,
    label TEXT NOT NULL,
    created_s REAL NOT NULL,
    expires_s REAL,
    UNIQUE (user, label)
) STRICT;
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {VERSION};
"""


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection for reading. A file that does not exist, or is empty, is not made; there are no users then.

    Raises:
        ConfigError: the file is of another program or of a newer version.
        AccountsError: it cannot be read.
    """
    with _errors(path, "read"), closing(_connected(path if _is_made(path) else None)) as db:
        yield db


def require_made(path: Path) -> None:
    """Raises AccountsError: there is no file, it is empty, or its folder cannot be read."""
    with _errors(path, "read"):
        if not _is_made(path):
            raise AccountsError(f"the accounts in {path} are gone; put the file back, or restart the program")


def _is_made(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0


@contextmanager
def writing(path: Path) -> Iterator[sqlite3.Connection]:
    """A transaction, which is undone if an exception leaves it. The file is made if there is none.

    Raises:
        ConfigError: the file is of another program or of a newer version.
        AccountsError: it cannot be written.
    """
    with _errors(path, "write"):
        if not path.exists():
            _make_file(path)
        with closing(_connected(path)) as db:
            db.execute("BEGIN IMMEDIATE")
            with db:
                yield db


def _make_file(path: Path) -> None:
    """Make an empty file before SQLite does, which would let others read it. Root makes it for the folder's user."""
    path.parent.mkdir(parents=True, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, MODE))
    if os.geteuid() == 0:
        folder = path.parent.stat()
        os.chown(path, folder.st_uid, folder.st_gid)


def _connected(path: Path | None) -> sqlite3.Connection:
    db = sqlite3.connect(path or ":memory:", timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    try:
        if not db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            _make(db)
        if db.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
            raise ConfigError(f"{path} is no file of accounts; choose another one (web.accounts)")
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version > VERSION:
            raise ConfigError(
                f"{path} has version {version}, and this Streamer knows versions up to {VERSION}; update Streamer"
            )
        db.execute("PRAGMA foreign_keys = ON")
    except BaseException:
        db.close()
        raise
    return db


def _make(db: sqlite3.Connection) -> None:
    """Make the tables, unless another program has just made them."""
    db.execute("BEGIN IMMEDIATE")
    if db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        db.execute("ROLLBACK")
        return
    for statement in _SCHEMA.split(";"):  # `executescript` would commit first
        if statement.strip():
            db.execute(statement)
    db.execute("COMMIT")


@contextmanager
def _errors(path: Path, action: str) -> Iterator[None]:
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        remedy = "do this as the user of the site, who owns the file" if _lacks_rights(error) else "see web.accounts"
        raise AccountsError(f"cannot {action} the accounts in {path}: {reason}; {remedy}") from error


def _lacks_rights(error: Exception) -> bool:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return isinstance(error, PermissionError) or code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN)
