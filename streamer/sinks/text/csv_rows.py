"""Boxes as CSV, one row for each. One thread writes the sink; the main thread enters and leaves it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from streamer.config.output import OutputEntry
from streamer.features import SinkContext
from streamer.interfaces import Scene
from streamer.sinks.text.text_file import ORIGINS, LabelTexts, TextFileSink
from streamer.system.paths import encodable
from streamer.values.labels import LabelTable

COLUMNS = (
    "frame", "time_s", "track_id", "class_id", "class", "score", "x0_px", "y0_px", "x1_px", "y1_px", "origin",
    "arrival_wall_clock_s", "file",
)  # fmt: skip
_ROW = "%s,%d,%d,%s,%.4f,%.2f,%.2f,%.2f,%.2f,%s,%s\n"


class CsvSink(TextFileSink):
    """Writes a heading, and one row per box in UTF-8. Fields are quoted as in RFC 4180; lines end with a newline alone.

    Columns:
        frame: counts from 0 (`Scene.frame.index`); a frame without boxes has no row.
        time_s: media time, seconds, 6 decimals.
        track_id: of the track.
        class_id: the row of the class in the label table, which `models labels` prints.
        class: its readable name.
        score: 0 to 1, 4 decimals.
        x0_px, y0_px, x1_px, y1_px: corners in pixels of the upright frame, half-open, 2 decimals; may lie outside.
        origin: `detected`, `interpolated` or `predicted`.
        arrival_wall_clock_s: when the frame arrived, seconds since 1970, 6 decimals; empty for files.
        file: name of the picture, within the folder that is read; empty for videos.

    Args and errors: as of `TextFileSink`.
    """

    stage = "csv"
    heading = ",".join(COLUMNS) + "\n"

    def __init__(self, entry: OutputEntry, context: SinkContext) -> None:
        super().__init__(entry, context)
        self._classes = LabelTexts(LabelTable(()), _quoted_name)

    @classmethod
    def accepts(cls, entry: OutputEntry) -> bool:
        """A path that ends in `.csv`."""
        return "://" not in entry.to and entry.to.lower().endswith(".csv")

    def text_of(self, scene: Scene) -> str:
        """The rows of the scene's boxes."""
        return "".join(self._rows(scene))

    def _rows(self, scene: Scene) -> Iterator[str]:
        if scene.labels is not self._classes.labels:
            self._classes = LabelTexts(scene.labels, _quoted_name)
        frame, tracks = scene.frame, scene.tracks
        first = f"{frame.index},{frame.time_s:.6f}"
        arrival = "" if frame.arrival_wall_clock_s is None else f"{frame.arrival_wall_clock_s:.6f}"
        last = f"{arrival},{_quoted(encodable(frame.file)) if frame.file else ''}"
        columns = (tracks.ids, tracks.labels, tracks.scores, tracks.boxes, tracks.origin)
        for track, label, score, box, origin in zip(*(column.tolist() for column in columns), strict=True):
            yield _ROW % (first, track, label, self._classes[label], score, *box, ORIGINS[origin], last)


def _quoted_name(labels: LabelTable, label: int) -> str:
    """The name of a class as a field."""
    return _quoted(labels.name(label))


def _quoted(text: str) -> str:
    """A text that is not empty as a field."""
    field = io.StringIO(newline="")
    # This line end has the writer quote both of its characters, too.
    csv.writer(field, lineterminator="\r\n").writerow([text])
    return field.getvalue().removesuffix("\r\n")
