"""What was on screen as MOT Challenge text, and back from there: what is written is what is scored. Main thread."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from streamer.errors import SinkError, SinkUnavailable
from streamer.evaluation.streaming.scores import Displayed
from streamer.system.partial_file import PartialFile
from streamer.values.mot import track_rows
from tracking.types import Detections, Origin, Tracks

# As in `streamer.values.mot`: detectors round, and boxes that reach no further than this beyond the picture are in it.
_EDGE_PX = 1.0


def lie_inside(detections: Sequence[Detections], size: tuple[int, int]) -> bool:
    """Whether a detector keeps to the picture, so that boxes made of its boxes are to be clipped too.

    Args:
        detections: of every frame.
        size: width and height of the picture in pixels.
    """
    boxes = np.concatenate([np.empty((0, 4), np.float32), *(seen.boxes for seen in detections)])
    return bool((boxes >= -_EDGE_PX).all() and (boxes <= np.array((*size, *size)) + _EDGE_PX).all())


def lines(shown: Sequence[Tracks | Detections], size: tuple[int, int], *, clip: bool) -> list[list[str]]:
    """For each frame the rows of what was on screen at its instant.

    Args:
        shown: of every frame; detections get the ids 1, 2, 3... in each.
        size: width and height of the picture in pixels.
        clip: cut off what lies outside the picture.
    """
    return [track_rows(index, _tracks(one), size, clip=clip) for index, one in enumerate(shown)]


def displayed(rows: Sequence[str]) -> Displayed:
    """Boxes and scores of one frame's rows."""
    values = np.array([row.split(",")[2:7] for row in rows], dtype=np.float64).reshape(-1, 5)
    return Displayed(values[:, :4], values[:, 4])


def write(path: Path, rows_by_frame: Sequence[Sequence[str]]) -> None:
    """Write the rows of all frames, replacing the file; its folder is made.

    Raises:
        SinkUnavailable, SinkError: that cannot be written; nothing is left behind.
    """
    make_folder(path.parent)
    output = PartialFile(path, overwrite=True)
    try:
        output.path.write_text("".join(row for rows in rows_by_frame for row in rows), encoding="ascii")
        output.commit()
    except OSError as error:
        raise SinkError(f"cannot write {path}: {error.strerror or error}; nothing was kept") from error
    finally:
        output.discard()


def make_folder(folder: Path) -> None:
    """Have a folder for results.

    Raises:
        SinkUnavailable: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SinkUnavailable(f"cannot make {folder}: {error.strerror or error}; choose another folder") from error


def _tracks(one: Tracks | Detections) -> Tracks:
    if isinstance(one, Tracks):
        return one
    count = len(one)
    zero = np.zeros(count, np.float32)
    return Tracks(
        ids=np.arange(1, count + 1),
        boxes=one.boxes,
        scores=one.scores,
        labels=one.labels,
        velocities=np.zeros((count, 2), np.float32),
        age_s=zero,
        unseen_s=zero,
        origin=np.full(count, Origin.DETECTED, np.uint8),
        confirmed=np.ones(count, np.bool_),
    )
