"""The files of events: where they lie, and how they are deleted together with their rows.

The transaction that deletes a row notes its files in the database. Then the files are deleted, and then the notes. So a
program that is killed in between leaves a note, and the next one deletes the file. Any thread.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterable
from contextlib import suppress
from datetime import date
from pathlib import Path, PurePosixPath

log = logging.getLogger(__name__)


def noted(connection: sqlite3.Connection, after: str, limit: int) -> list[str]:
    """Paths of files that are to be deleted, in order, behind `after`."""
    sql = "SELECT path FROM removed_files WHERE path > ? ORDER BY path LIMIT ?"
    rows = connection.execute(sql, (after, limit)).fetchall()
    return [path for (path,) in rows]


def unlink(folder: Path, paths: Iterable[str], *, today: date) -> list[str]:
    """Delete files of a store, and the folders of earlier days that become empty; the paths that are gone.

    Args:
        folder: of the store.
        paths: relative to it. A path that leads out of it is refused, and counts as gone.
        today: events of this day may still come, so its folders stay.
    """
    gone = []
    for path in paths:
        file = place(folder, path)
        try:
            if file is not None:
                file.unlink(missing_ok=True)
                _remove_empty(folder, file.parent, today)
        except OSError as error:
            log.warning("store: cannot delete %s: %s", file, error.strerror)
        else:
            gone.append(path)
    return gone


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
