"""Displayed boxes as MOT Challenge text and back, so that the written text is what is scored."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from streamer.evaluation.streaming.scores import Displayed
from streamer.system.partial_file import PartialFile, make_folder
from streamer.values.mot import track_rows
from tracking.types import Detections, Origin, Tracks

# As in `streamer.values.mot`: detectors round, so boxes may reach this far beyond the frame.
_EDGE_PX = 1.0


def lie_inside(detections: Sequence[Detections], size: tuple[int, int]) -> bool:
    """Whether all detections lie inside the frame; then boxes made of them are clipped to it.

    Args:
        detections: those of every frame.
        size: width and height of the frame in pixels.
    """
    boxes = np.concatenate([np.empty((0, 4), np.float32), *(seen.boxes for seen in detections)])
    return bool((boxes >= -_EDGE_PX).all() and (boxes <= np.array((*size, *size)) + _EDGE_PX).all())


def rows(displayed: Sequence[Tracks | Detections], size: tuple[int, int], *, clip: bool) -> list[list[str]]:
    """The rows of each frame.

    Args:
        displayed: those at the time of every frame; detections get the ids 1, 2, 3, ... in each.
        size: width and height of the frame in pixels.
        clip: clip boxes to the frame.
    """
    return [track_rows(index, _tracks(one), size, clip=clip) for index, one in enumerate(displayed)]


def parse(rows: Sequence[str]) -> Displayed:
    """Boxes and scores of the rows of one frame."""
    values = np.array([row.split(",")[2:7] for row in rows], dtype=np.float64).reshape(-1, 5)
    return Displayed(values[:, :4], values[:, 4])


def write(path: Path, rows_by_frame: Sequence[Sequence[str]]) -> None:
    """Write the rows of all frames, replacing the file. Creates the folder.

    Raises:
        SinkUnavailable, SinkError: it cannot be written; nothing is left behind.
    """
    make_folder(path.parent)
    PartialFile(path, overwrite=True).complete("".join(row for rows in rows_by_frame for row in rows))


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
