"""The ground truth of a sequence in MOT Challenge layout as COCO JSON. Main thread."""

from __future__ import annotations

from collections.abc import Sequence as Names
from typing import Any

import numpy as np

from streamer.errors import ConfigError
from streamer.evaluation.detection.coco_json import FRAME
from streamer.evaluation.sequence_frames import find_frames
from streamer.evaluation.sequences import Sequence
from streamer.sources.images.files import find_images, relative_names
from streamer.system import paths

_PERSON = 1
# On a vehicle, standing still, resembling a person, reflection: neither right nor wrong (arXiv:1603.00831, 3.3).
_NOT_SCORED = (2, 7, 8, 12)


def coco_of(sequence: Sequence) -> dict[str, Any]:
    """The content of a COCO JSON with the class `Person`.

    Image k has the id k and the `frame_id` k - 1. Boxes are clipped to the frame, as those of detectors are. Rows that
    the benchmark does not score become crowds, which make detections on them neither right nor wrong, or are left out.

    Raises:
        SourceUnavailable: the ground truth or the frames cannot be read.
        ConfigError: they are malformed, or no box is inside the frame.
    """
    truth = sequence.ground_truth()
    width, height = sequence.size
    corners = np.concatenate([truth.boxes[:, :2], truth.boxes[:, :2] + truth.boxes[:, 2:]], axis=1)
    corners = np.clip(corners, 0, (width, height, width, height))
    inside = (corners[:, :2] < corners[:, 2:]).all(axis=1)
    chosen = np.flatnonzero(inside & (truth.scored | np.isin(truth.classes, _NOT_SCORED)))
    if not truth.scored[chosen].any():
        raise ConfigError(f"{sequence.folder}: no box to score against is inside the frame of {width}x{height}")
    annotations = [
        _annotation(at, int(truth.frames[row]), corners[row].tolist(), crowd=not truth.scored[row])
        for at, row in enumerate(chosen.tolist(), start=1)
    ]
    images = [
        {"id": k, "file_name": name, "width": width, "height": height, FRAME: k - 1}
        for k, name in enumerate(_names(sequence), start=1)
    ]
    return {
        "info": {"description": f"ground truth of {sequence.name}"},
        "images": images,
        "annotations": annotations,
        "categories": [{"id": _PERSON, "name": "Person"}],
    }


def _names(sequence: Sequence) -> Names[str]:
    """The file name of each frame; those of the benchmark if the frames are in a video or are missing."""
    found = find_frames(sequence)
    if found is None or paths.is_file(found):
        return [f"{k:06d}.jpg" for k in range(1, sequence.frames + 1)]
    return relative_names(find_images(str(found)))


def _annotation(number: int, frame: int, corners: list[float], *, crowd: bool) -> dict[str, Any]:
    left, top, right, bottom = (round(value, 3) for value in corners)
    width, height = round(right - left, 3), round(bottom - top, 3)
    return {
        "id": number,
        "image_id": frame,
        "category_id": _PERSON,
        "bbox": [left, top, width, height],
        "area": round(width * height, 3),
        "iscrowd": int(crowd),
    }
