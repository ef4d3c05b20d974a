"""A sink: one row per track and frame in a CSV file, with `-o tracks.csv`."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Self

from pydantic import Field

import streamer


class CsvSettings(streamer.OutputEntry):
    """An output with `extensions.csv` in the settings."""

    separator: str = Field(default=",", min_length=1, max_length=1)


class CsvSink(streamer.Sink, streamer.SinkFeature):
    """Writes a file; one sink thread uses it."""

    section = CsvSettings
    stage = "csv"
    wants_picture = False

    def __init__(self, settings: CsvSettings, context: streamer.SinkContext) -> None:
        self._path, self._separator = Path(settings.to), settings.separator
        self._overwrite = context.overwrite

    @classmethod
    def accepts(cls, entry: streamer.OutputEntry) -> bool:
        """Whether this class writes the output."""
        return entry.to.endswith(".csv")

    @classmethod
    def file_of(cls, entry: streamer.OutputEntry) -> Path:
        """The file that it writes."""
        return Path(entry.to)

    @classmethod
    def keeps_all(cls, entry: streamer.OutputEntry) -> bool:  # noqa: ARG003
        """Whether it gets every frame of a live source."""
        return True

    @classmethod
    def from_settings(cls, entry: CsvSettings, context: streamer.SinkContext) -> Self:
        """The sink, not yet entered."""
        return cls(entry, context)

    def __enter__(self) -> Self:
        try:
            self._file = self._path.open("w" if self._overwrite else "x", newline="", encoding="utf-8")
        except FileExistsError as error:
            raise streamer.SinkUnavailable(f"{self._path} exists already; add --overwrite to replace it") from error
        except OSError as error:
            raise streamer.SinkUnavailable(f"cannot write {self._path}: {error.strerror}") from error
        self._rows = csv.writer(self._file, delimiter=self._separator)
        self._rows.writerow(("time_s", "id", "class", "score", "x0", "y0", "x1", "y1"))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: object) -> None:
        self._file.close()

    def write(self, scene: streamer.Scene) -> None:
        """Called for every frame, in presentation order."""
        tracks = scene.tracks
        for track_id, label, score, box in zip(tracks.ids, tracks.labels, tracks.scores, tracks.boxes, strict=True):
            row = (f"{scene.frame.time_s:.3f}", track_id, scene.labels.name(label), f"{score:.2f}")
            self._rows.writerow((*row, *(f"{edge:.1f}" for edge in box)))
