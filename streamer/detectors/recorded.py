"""Detections from a file: MOT Challenge text or this program's JSON lines. Used by one detector thread."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from streamer.config.detector import DetectorSettings
from streamer.errors import ConfigError, SourceUnavailable
from streamer.features import DetectorContext, DetectorFeature
from streamer.values.frame import Frame
from streamer.values.labels import LabelTable
from streamer.values.mot import read_detections
from tracking.types import Detections

SUFFIXES = (".txt", ".jsonl")


class RecordedDetector(DetectorFeature):
    """Returns the recorded detections of each frame; none for a frame without a record.

    Args:
        detections: by the frame's key.
        labels: names of their labels.
        by_pts: the key is `Frame.pts`; otherwise it is `Frame.index`.
        size: width and height in pixels of the frames that the boxes belong to; boxes are scaled to a frame of another
            size. None: boxes are not scaled.
    """

    recorded: ClassVar[bool] = True

    def __init__(
        self,
        detections: Mapping[int, Detections],
        labels: LabelTable,
        *,
        by_pts: bool = False,
        size: tuple[int, int] | None = None,
    ) -> None:
        self._detections = detections
        self._labels = labels
        self._by_pts = by_pts
        self._size = size

    @classmethod
    def accepts(cls, name: str) -> bool:
        """Whether the name is that of a .txt or .jsonl file."""
        return name.lower().endswith(SUFFIXES)

    @classmethod
    def title(cls, name: str) -> str:
        """What messages call it."""
        return f"detections of {name}"

    @classmethod
    def model_files(cls, settings: DetectorSettings) -> Sequence[Path]:
        """The file with the detections."""
        return [Path(settings.name)]

    @classmethod
    def from_settings(cls, settings: DetectorSettings, context: DetectorContext) -> Sequence[RecordedDetector]:
        """The detections of the file `settings.name`; `read` has the errors."""
        del context
        return [read(Path(settings.name))]

    @property
    def labels(self) -> LabelTable:
        return self._labels

    def detect(self, frame: Frame) -> Detections:
        """The detections that are recorded for the frame."""
        found = self._detections.get(frame.pts if self._by_pts else frame.index)
        if found is None:
            return Detections.empty()
        if self._size is None or self._size == (frame.width, frame.height):
            return found
        scale = np.tile(np.array([frame.width, frame.height]) / self._size, 2)
        return Detections((found.boxes * scale).astype(np.float32), found.scores, found.labels)

    def close(self) -> None:
        """Nothing to release."""


def read(path: Path) -> RecordedDetector:
    """A detector that returns the detections of a file.

    A `.txt` is MOT Challenge text: frame 1 is the first frame, boxes are in pixels of the frames. A `.jsonl` is what
    `run --jsonl` writes: its boxes of every frame, by the frame's pts, with their class names.

    Raises:
        SourceUnavailable: the file cannot be read.
        ConfigError: a malformed line; the message has its number.
    """
    if path.suffix.lower() == ".txt":
        return RecordedDetector(dict(read_detections(path)), LabelTable(("object",)))
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is no text"
        raise SourceUnavailable(f"cannot read {path}: {why}; give JSON lines that run --jsonl wrote") from error
    rows: dict[int, list[tuple[list[float], float, int]]] = defaultdict(list)
    names: dict[tuple[str, str | None], int] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            scene = json.loads(line)
            for track in scene["tracks"]:
                name = str(track["label"]), track.get("mid")
                rows[int(scene["pts"])].append((track["box"], track["score"], names.setdefault(name, len(names))))
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigError(f"{path}, line {number}: not what run --jsonl writes: {line[:60]!r}") from error
    mids = tuple(mid or "" for _, mid in names)
    labels = LabelTable(tuple(name for name, _ in names) or ("object",), mids if any(mids) else ())
    detections = {pts: _detections(path, pts, tracks) for pts, tracks in rows.items()}
    return RecordedDetector(detections, labels, by_pts=True)


def _detections(path: Path, pts: int, tracks: list[tuple[Any, Any, int]]) -> Detections:
    try:
        order = sorted(range(len(tracks)), key=lambda row: -float(tracks[row][1]))
        return Detections(
            np.array([tracks[row][0] for row in order], np.float32).reshape(-1, 4),
            np.array([tracks[row][1] for row in order], np.float32),
            np.array([tracks[row][2] for row in order], np.int32),
        )
    except (ValueError, TypeError) as error:
        raise ConfigError(f"{path}: the boxes of the frame with pts {pts}: {error}") from error
