"""The files of events: where they lie, and how they are deleted together with their rows.

The transaction that deletes a row notes its files in the database. Then the files are deleted, and then the notes. So a
program that is killed in between leaves a note, and the next one deletes the file. Any thread.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import date
from pathlib import Path, PurePosixPath

from streamer.store.ids import LENGTH, is_id

SUFFIXES = {
    ".mp4": "clip", "-annotated.mp4": "annotated", ".boxes.json": "boxes", ".jpg": "snapshot", "-crop.jpg": "crop",
}  # fmt: skip
"""The field of a file by the rest of its name behind the id of the event."""
log = logging.getLogger(__name__)


def noted(connection: sqlite3.Connection, after: str, limit: int) -> list[str]:
    """Paths of files that are to be deleted, in order, behind `after`."""
    sql = "SELECT path FROM removed_files WHERE path > ? ORDER BY path LIMIT ?"
    rows = connection.execute(sql, (after, limit)).fetchall()
    return [path for (path,) in rows]


def warn(file: Path, error: OSError) -> None:
    """Say that a file cannot be deleted."""
    log.warning("store: cannot delete %s: %s", file, error.strerror)


def unlink(
    folder: Path,
    paths: Iterable[str],
    *,
    today: date,
    failed: Callable[[Path, OSError], object] = warn,
    pause: Callable[[float], object] = lambda _: None,
) -> list[str]:
    """Delete files of a store, and the folders of earlier days that become empty; the paths that are gone.

    Args:
        folder: of the store.
        paths: relative to it. A path that leads out of it is refused, and counts as gone.
        today: events of this day may still come, so its folders stay.
        failed: called for a file that cannot be deleted.
        pause: called after each file with the time that it took, seconds.
    """
    gone, days = [], set()
    for path in paths:
        file, began_s = place(folder, path), time.monotonic()
        try:
            if file is not None:
                file.unlink(missing_ok=True)
                days.add(file.parent)
        except OSError as error:
            failed(file or folder, error)
        else:
            gone.append(path)
        pause(time.monotonic() - began_s)
    for day in days:
        _remove_empty(folder, day, today)
    return gone


def event_files(folder: Path, *, before: date | None = None) -> Iterator[tuple[Path, str, str]]:
    """The files in `<camera>/<YYYY-MM-DD>/` whose names begin with the id of an event: path, id and field.

    Args:
        folder: of the store.
        before: only in folders of earlier days.
    """
    for day in folder.glob("*/*-*-*"):
        if before is not None and day.name >= before.isoformat():
            continue
        with suppress(FileNotFoundError, NotADirectoryError):  # a program deletes it meanwhile; it is a file
            for path in day.iterdir():
                event_id, rest = path.name[:LENGTH], path.name[LENGTH:]
                if is_id(event_id) and rest in SUFFIXES:
                    yield path, event_id, SUFFIXES[rest]


def without_event(connection: sqlite3.Connection, folder: Path, before: date) -> list[str]:
    """The paths of files in folders of days before `before` whose events are not in the database."""
    sql = "SELECT 1 FROM events WHERE id = ?"
    return [
        path.relative_to(folder).as_posix()
        for path, event_id, _ in event_files(folder, before=before)
        if connection.execute(sql, (event_id,)).fetchone() is None
    ]


def place(folder: Path, path: str) -> Path | None:
    """The file of a path in the database; None if it is not inside the folder of the store."""
    relative = PurePosixPath(path)
    if not path or relative.is_absolute() or ".." in relative.parts:
        return None
    return folder / relative


def _remove_empty(folder: Path, day: Path, today: date) -> None:
    """Remove the folder of a day, and that of its camera, if they are empty."""
    if day.parent.parent != folder or day.name >= today.isoformat():
        return
    with suppress(OSError):  # it has other files
        day.rmdir()
        day.parent.rmdir()
