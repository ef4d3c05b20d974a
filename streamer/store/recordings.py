"""The files of continuous recordings: which file of a camera has a time span. Functions of a connection.

A row begins with the first frame of a file and vanishes when the recording deletes the file. A file that somebody else
deletes keeps its row; readers look whether a file exists.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from streamer.sinks.video.segment_names import partials_of
from streamer.system import paths
from streamer.values.recordings import RecordedFile, RecordedFileState

TABLE = """
CREATE TABLE recordings (
    path TEXT NOT NULL PRIMARY KEY,
    camera TEXT NOT NULL,
    recording TEXT NOT NULL,
    start_time REAL NOT NULL,
    start_s REAL,
    end_time REAL
) WITHOUT ROWID;
CREATE INDEX recordings_by_camera ON recordings (camera, start_time);
"""
"""`end_time` is null while a file is written."""


@dataclass(frozen=True, slots=True)
class StoredRecording:
    """A file of a continuous recording.

    Attributes:
        path: of the file; while it is written, the name that it will get.
        recording: the pattern of the names of its files.
        start_time: when its first frame arrived, seconds since 1970.
        end_time: of its last frame; None while it is written, and of a file that a killed program left.
        start_s: media time of its first frame in its run, seconds; None if it is not known.
    """

    path: Path
    recording: str
    start_time: float
    end_time: float | None = None
    start_s: float | None = None


def note(connection: sqlite3.Connection, camera: str, file: RecordedFile) -> None:
    """Insert, complete or delete the row of a file."""
    path = str(file.path)
    if file.state is RecordedFileState.REMOVED:
        connection.execute("DELETE FROM recordings WHERE path = ?", (path,))
        return
    start_time = _known_start(connection, file) if file.start_time is None else file.start_time
    if start_time is None:
        return
    end_time = None if file.duration_s is None else start_time + file.duration_s
    values = (path, camera, file.recording, start_time, file.start_s, end_time)
    connection.execute("INSERT OR REPLACE INTO recordings VALUES (?, ?, ?, ?, ?, ?)", values)


def find(connection: sqlite3.Connection, camera: str, since: float, until: float) -> list[StoredRecording]:
    """The files of a camera that may have frames of a time span, in seconds since 1970; in the order of their begin."""
    rows = connection.execute(
        "SELECT path, recording, start_time, end_time, start_s FROM recordings "
        "WHERE camera = ? AND start_time < ? AND (end_time IS NULL OR end_time > ?) ORDER BY start_time",
        (camera, until, since),
    )
    return [StoredRecording(Path(path), *rest) for path, *rest in rows]


def cameras(connection: sqlite3.Connection) -> dict[str, tuple[float, float]]:
    """The cameras with files, and the time of the first and of the last begin of a file of each."""
    sql = "SELECT camera, min(start_time), max(coalesce(end_time, start_time)) FROM recordings GROUP BY camera"
    return {camera: (first, last) for camera, first, last in connection.execute(sql)}


def missing(connection: sqlite3.Connection) -> list[str]:
    """The paths of rows whose files are gone. A folder that is gone may be on a disk that is not mounted."""
    found = []
    for (text,) in connection.execute("SELECT path FROM recordings ORDER BY path"):
        path = Path(text)
        if paths.is_dir(path.parent) and not paths.is_file(path) and not any(partials_of(path)):
            found.append(text)
    return found


def forget(connection: sqlite3.Connection, gone: Iterable[str]) -> None:
    """Delete the rows of paths."""
    connection.executemany("DELETE FROM recordings WHERE path = ?", ((path,) for path in gone))


def _known_start(connection: sqlite3.Connection, file: RecordedFile) -> float | None:
    """When a recovered file began: as it was noted before, else its last change less its duration."""
    row = connection.execute("SELECT start_time FROM recordings WHERE path = ?", (str(file.path),)).fetchone()
    if row is not None:
        return float(row[0])
    with suppress(OSError):
        return file.path.stat().st_mtime - (file.duration_s or 0.0)
    return None
