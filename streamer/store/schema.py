"""The tables of the database and the steps from one version to the next. Used by the thread that opens a database.

`PRAGMA user_version` is the version of a database: the number of steps that were applied. A new version adds a step and
changes none.
"""

from __future__ import annotations

import sqlite3

from streamer.store import recordings

APPLICATION_ID = 0x5354_4D52
"""`PRAGMA application_id`: tells a database of Streamer from those of other programs."""

# `number` rises with each new row and is never used again, so a reader asks for the rows behind the last one it has.
# An index for each filter that is often used alone, and one for the combination of camera and class. With `bytes` in
# the index by time, the sum of all sizes is read without the rows.
_EVENTS = """
CREATE TABLE events (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    camera TEXT NOT NULL,
    rule TEXT NOT NULL,
    kind TEXT NOT NULL,
    start_time REAL NOT NULL,
    start_s REAL NOT NULL,
    track INTEGER NOT NULL,
    label TEXT NOT NULL,
    direction TEXT NOT NULL,
    end_time REAL,
    end_s REAL,
    zones TEXT NOT NULL,
    score REAL,
    value INTEGER,
    text TEXT NOT NULL,
    revision INTEGER NOT NULL,
    ending TEXT,
    clip TEXT NOT NULL,
    annotated TEXT NOT NULL,
    boxes TEXT NOT NULL,
    snapshot TEXT NOT NULL,
    crop TEXT NOT NULL,
    clip_start_time REAL,
    clip_duration_s REAL,
    bytes INTEGER NOT NULL,
    favourite INTEGER NOT NULL
);
CREATE INDEX events_by_time ON events (start_time, bytes);
CREATE INDEX events_by_camera ON events (camera, start_time);
CREATE INDEX events_by_camera_and_label ON events (camera, label, start_time);
CREATE INDEX events_by_label ON events (label, start_time);
CREATE INDEX events_by_rule ON events (rule, start_time);
CREATE INDEX events_by_kind ON events (kind, start_time);
CREATE INDEX events_open ON events (start_time) WHERE end_time IS NULL;
CREATE INDEX events_favourite ON events (start_time) WHERE favourite;
"""
_DELIVERIES = """
CREATE TABLE deliveries (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    target TEXT NOT NULL,
    event_id TEXT NOT NULL,
    phase TEXT,
    files TEXT NOT NULL,
    event TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    error TEXT NOT NULL DEFAULT '',
    time REAL NOT NULL DEFAULT ((julianday('now') - 2440587.5) * 86400.0)
);
CREATE INDEX deliveries_by_target ON deliveries (target, number);
"""
# Files whose rows are gone: a transaction deletes the row and notes the files here, then the files are deleted. So no
# end of the program leaves a file without a row, or a row without its file.
_REMOVED_FILES = "CREATE TABLE removed_files (path TEXT NOT NULL PRIMARY KEY) WITHOUT ROWID;"
_STATE = "CREATE TABLE state (name TEXT NOT NULL PRIMARY KEY, value) WITHOUT ROWID;"

_CLIP_NOTE = "ALTER TABLE events ADD COLUMN clip_note TEXT NOT NULL DEFAULT '';"
# Many events have the same list of zones, so the lists with a zone are found in the index without the events. Few
# events have a text, so a search reads these, and the names of the others from their indexes.
_SEARCH = """
CREATE INDEX events_by_zones ON events (zones, start_time);
CREATE INDEX events_with_text ON events (start_time) WHERE text != '';
"""

STEPS: tuple[str, ...] = (_EVENTS + _DELIVERIES + _REMOVED_FILES + _STATE, recordings.TABLE, _CLIP_NOTE, _SEARCH)
"""SQL that leads from version 0 (an empty database) to 1, from 1 to 2, and so on. No statement has a ; inside."""
VERSION = len(STEPS)
"""The version of the databases that this program writes."""


def upgrade(connection: sqlite3.Connection) -> None:
    """Bring a database to `VERSION`, in one transaction. Does nothing if it has this version.

    Args:
        connection: in autocommit mode (`isolation_level` None).

    Raises:
        sqlite3.Error: it cannot be changed; it is as before then.
    """
    if version_of(connection) >= VERSION:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        for step in STEPS[version_of(connection) :]:  # another program may have upgraded it meanwhile
            for statement in step.split(";"):
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.rollback()
        raise


def version_of(connection: sqlite3.Connection) -> int:
    """The version of a database; 0 if it is empty."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])
