"""A sink: one row per track and frame in an SQLite database, with `-o tracks.sqlite`."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Self

from pydantic import Field

import streamer

COLUMNS = "time_s REAL, id INTEGER, class TEXT, score REAL, x0 REAL, y0 REAL, x1 REAL, y1 REAL"


class SqliteSettings(streamer.OutputEntry):
    """An output with `extensions.sqlite` in the settings."""

    table: str = Field(default="tracks", pattern=r"^\w+$")


class SqliteSink(streamer.Sink, streamer.SinkFeature):
    """Writes a file; one sink thread uses it."""

    section = SqliteSettings
    stage = "sqlite"
    wants_picture = False

    def __init__(self, settings: SqliteSettings, context: streamer.SinkContext) -> None:
        self._path, self._table = Path(settings.to), settings.table
        self._overwrite = context.overwrite

    @classmethod
    def accepts(cls, entry: streamer.OutputEntry) -> bool:
        """Whether this class writes the output."""
        return entry.to.endswith(".sqlite")

    @classmethod
    def file_of(cls, entry: streamer.OutputEntry) -> Path:
        """The file that it writes."""
        return Path(entry.to)

    @classmethod
    def keeps_all(cls, entry: streamer.OutputEntry) -> bool:  # noqa: ARG003
        """Whether it gets every frame of a live source."""
        return True

    @classmethod
    def from_settings(cls, entry: SqliteSettings, context: streamer.SinkContext) -> Self:
        """The sink, not yet entered."""
        return cls(entry, context)

    def __enter__(self) -> Self:
        try:
            self._path.open("w" if self._overwrite else "x").close()
        except FileExistsError as error:
            raise streamer.SinkUnavailable(f"{self._path} exists already; choose another name") from error
        except OSError as error:
            raise streamer.SinkUnavailable(f"cannot write {self._path}: {error.strerror}") from error
        # Entered and left by the main thread, written by one thread in between.
        self._database = sqlite3.connect(self._path, check_same_thread=False)
        self._database.execute(f"CREATE TABLE {self._table} ({COLUMNS})")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: object) -> None:
        self._database.commit()
        self._database.close()

    def write(self, scene: streamer.Scene) -> None:
        """Called for every frame, in presentation order."""
        rows = [(scene.frame.time_s, item.id, item.label, item.score, *item.box) for item in scene.objects]
        self._database.executemany(f"INSERT INTO {self._table} VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
