"""Detections that were written down, read back: MOT Challenge text or this program's JSON lines. Main thread."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from streamer.detectors.recorded import RecordedDetector
from streamer.errors import ConfigError, SourceUnavailable
from streamer.values.labels import LabelTable
from streamer.values.mot import read_detections
from tracking.types import Detections

SUFFIXES = (".txt", ".jsonl")


def is_recording(name: str) -> bool:
    """Whether a detector's name means a file of detections."""
    return name.lower().endswith(SUFFIXES)


def read(path: Path) -> RecordedDetector:
    """A detector that finds what the file says.

    A `.txt` is MOT Challenge text: frame 1 is the first frame, boxes are in pixels of the frames. A `.jsonl` is what
    `run --jsonl` writes: its boxes of every frame, by the frame's pts, with their class names.

    Raises:
        SourceUnavailable: it cannot be read.
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
    found = {pts: _detections(path, pts, seen) for pts, seen in rows.items()}
    return RecordedDetector(found, labels, by_pts=True)


def _detections(path: Path, pts: int, seen: list[tuple[Any, Any, int]]) -> Detections:
    try:
        order = sorted(range(len(seen)), key=lambda row: -float(seen[row][1]))
        return Detections(
            np.array([seen[row][0] for row in order], np.float32).reshape(-1, 4),
            np.array([seen[row][1] for row in order], np.float32),
            np.array([seen[row][2] for row in order], np.int32),
        )
    except (ValueError, TypeError) as error:
        raise ConfigError(f"{path}: the boxes of the frame with pts {pts}: {error}") from error
