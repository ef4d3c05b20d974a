"""Write your own output: a CSV file with one row per track and frame.

    python examples/own_sink.py clip.mp4 tracks.csv

A sink is a context manager with `write(scene)`. It runs in its own thread. `streamer.Sink` has the defaults.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path
from typing import Self

import streamer


class CsvSink(streamer.Sink):
    """Appends rows to a CSV file.

    Args:
        path: an existing file is replaced.
    """

    stage = "csv"
    wants_picture = False

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> Self:
        self._file = self._path.open("w", newline="", encoding="utf-8")
        self._rows = csv.writer(self._file)
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


def main() -> None:
    """Parse the options and write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source")
    parser.add_argument("csv", type=Path)
    parser.add_argument("--detector", default="auto")
    options = parser.parse_args()
    with streamer.open(options.source, detector=options.detector, outputs=[CsvSink(options.csv)]) as scenes:
        for _ in scenes:
            pass


if __name__ == "__main__":
    main()
