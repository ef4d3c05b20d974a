"""Checks a store and mends it: the database, rows without files, and files without rows. One thread.

Files that are not named like those of events are left alone (`streamer.store.files.event_files`). While another program
writes to the store, files that are younger than `YOUNG_S` are left alone too: their rows may follow.
"""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from stat import S_ISREG

from streamer.errors import ConfigError
from streamer.store import changes, files, queries, recordings
from streamer.store.commands.access import changing, reading
from streamer.store.commands.deletion import delete_noted_files
from streamer.store.database.connections import StoreError, begin_anew
from streamer.store.database.folder import DATABASE, locked
from streamer.store.ids import LENGTH
from streamer.store.records import EventFilter, EventRecord
from streamer.store.rows import PATHS
from streamer.system.suggestions import counted

YOUNG_S = 600.0


@dataclass(slots=True)
class Checked:
    """What a check found.

    Attributes:
        lines: for the user.
        problems: how many are not mended.
    """

    lines: list[str] = field(default_factory=list)
    problems: int = 0

    @property
    def is_sound(self) -> bool:
        """Nothing is wrong, or everything is mended."""
        return not self.problems

    def add(self, text: str, number: int, *, mended: str) -> None:
        """Report problems.

        Args:
            text: what they are.
            number: how many; nothing is reported for 0.
            mended: how they were mended; empty if they were not.
        """
        if number:
            self.lines.append(f"{text}{mended and f': {mended}'}")
            self.problems += 0 if mended else number


def check(folder: Path, *, repair: bool) -> Checked:
    """Check the store of a folder.

    Args:
        folder: of the store.
        repair: mend it: add files to their rows, remove missing files from rows, delete files without rows, and begin a
            new database for a corrupt one. Files without rows are kept while a corrupt database is in the folder,
            because they may belong to its events.

    Raises:
        ConfigError: there is no store, it is of a newer version, or another program uses a corrupt one.
        StoreError: an error while it was read.
    """
    found = Checked()
    if not _check_database(folder, found, repair):
        return found
    _check_rows(folder, found, repair)
    _check_files(folder, found, repair)
    _check_recordings(folder, found, repair)
    with reading(folder) as connection:
        events, size = connection.execute("SELECT count(*), total(bytes) FROM events").fetchone()
    found.lines.append(f"{counted(events, 'event')}, {size / 1e6:,.1f} MB of files")
    return found


def _check_database(folder: Path, found: Checked, repair: bool) -> bool:
    """Check the database file; whether it can be read."""
    try:
        with reading(folder) as connection:
            problems = [row[0] for row in connection.execute("PRAGMA integrity_check(20)") if row[0] != "ok"]
    except StoreError as error:
        problems = [str(error.__cause__ or error)]  # without the path, and the advice to use this command
    if not problems:
        found.lines.append(f"{folder / DATABASE}: ok")
        return True
    found.lines += [f"{folder / DATABASE}: {problem}" for problem in problems]
    if not repair:
        found.problems += 1
        return False
    with locked(folder):  # the program that uses it would go on with the old file
        connection, _ = begin_anew(folder / DATABASE, problems[0])
        connection.close()
    found.lines.append("it is set aside, and a new database begins with all events that could be read")
    return True


def _check_rows(folder: Path, found: Checked, repair: bool) -> None:
    """Find rows whose files are missing."""
    missing: list[tuple[EventRecord, list[str]]] = []
    with reading(folder) as connection:
        for record in queries.find_all(connection, EventFilter()):
            if _gone(folder, record) and (now := queries.get(connection, record.id)) and (gone := _gone(folder, now)):
                missing.append((now, gone))  # it was not deleted meanwhile, which removes the row first
    number = sum(len(names) for _, names in missing)
    for record, names in missing if repair else ():
        left = sum(_size(files.place(folder, getattr(record, name))) for name in PATHS if name not in names)
        with changing(folder) as connection:
            changes.detach(connection, record.id, names, left)
    found.add(
        f"{counted(number, 'file')} of {counted(len(missing), 'event')} missing",
        number,
        mended="removed from the rows" if repair else "",
    )


def _check_files(folder: Path, found: Checked, repair: bool) -> None:
    """Find files that no row names."""
    kept_databases = sorted(folder.glob(f"{DATABASE}.corrupt-*[0-9]"))  # without their logs
    newest = _newest(folder)
    unnamed: list[tuple[Path, str, int]] = []
    without: list[tuple[Path, int]] = []
    with reading(folder) as connection:
        for path, event_id, name in files.event_files(folder):
            record = queries.get(connection, event_id)
            # In the order in which a program deletes an event: its row, the file, the note of the file.
            if _is_noted(connection, folder, path) or (stat := _stat(path)) is None or stat.st_mtime > newest:
                continue
            if record is None:
                without.append((path, stat.st_size))
            elif getattr(record, name) == "" and record.end_time is not None:
                unnamed.append((path, name, stat.st_size))
    for path, name, size in unnamed if repair else ():
        relative = path.relative_to(folder).as_posix()
        with changing(folder) as connection:
            changes.attach(connection, path.name[:LENGTH], {name: relative, "bytes": size})
    mended = "added to the rows" if repair else ""
    found.add(f"{counted(len(unnamed), 'file')} not named by the row of the event", len(unnamed), mended=mended)
    total = sum(size for _, size in without) / 1e6
    text = (
        f"{counted(len(without), 'file')} without an event, {total:,.1f} MB, such as {without[0][0] if without else ''}"
    )
    if repair and without and not kept_databases:
        with changing(folder) as connection:
            changes.note_removed(connection, (path.relative_to(folder).as_posix() for path, _ in without))
        delete_noted_files(folder)
    elif without and kept_databases:
        text += f"; they may belong to {kept_databases[0].name}: delete that file first if you do not need it"
    found.add(text, len(without), mended="deleted" if repair and not kept_databases else "")


def _check_recordings(folder: Path, found: Checked, repair: bool) -> None:
    """Find files of continuous recordings that somebody has deleted."""
    with reading(folder) as connection:
        gone = recordings.missing(connection)
    if gone and repair:
        with changing(folder) as connection:
            recordings.forget(connection, gone)
    text = f"{counted(len(gone), 'recorded file')} missing, such as {gone[0] if gone else ''}"
    found.add(text, len(gone), mended="forgotten" if repair else "")


def _newest(folder: Path) -> float:
    """Files that changed later may get their rows still: of a program that runs."""
    try:
        with locked(folder):
            return float("inf")
    except ConfigError:
        return time.time() - YOUNG_S


def _is_noted(connection: sqlite3.Connection, folder: Path, path: Path) -> bool:
    relative = path.relative_to(folder).as_posix()
    return connection.execute("SELECT 1 FROM removed_files WHERE path = ?", (relative,)).fetchone() is not None


def _gone(folder: Path, record: EventRecord) -> list[str]:
    """The fields of an event whose files are missing."""
    paths = {name: getattr(record, name) for name in PATHS if getattr(record, name)}
    return [name for name, path in paths.items() if _stat(files.place(folder, path)) is None]


def _size(path: Path | None) -> int:
    found = _stat(path)
    return 0 if found is None else found.st_size


def _stat(path: Path | None) -> os.stat_result | None:
    """Of a file; None if there is none."""
    with suppress(OSError):
        if path is not None and S_ISREG((found := path.stat()).st_mode):
            return found
    return None
