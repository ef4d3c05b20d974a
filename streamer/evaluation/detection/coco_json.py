"""Reads ground truth in the format of COCO (https://cocodataset.org/#format-data). Called by the main thread."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from streamer.classes import label_maps, open_images
from streamer.errors import ConfigError
from streamer.evaluation.detection.truth import Metric, Truth, TruthImage
from streamer.values.labels import LabelTable

FRAME = "frame_id"
"""Key of an image that is a frame of a video: its number from 0, as in the CocoVID format of MMTracking."""


def read(path: Path, content: Mapping[str, Any]) -> Truth:
    """The ground truth in the content of a file.

    Classes get the MIDs of the Open Images classes of the same meaning, so that detectors with other names match.

    Raises:
        ConfigError: an entry is missing, malformed or repeated, or refers to an unknown one.
    """
    rows, names = _classes(path, content)
    coco = _coco_mids() if _coco_mids().keys() <= set(names) else {}  # its mouse is no animal
    mids = tuple(coco.get(name) or label_maps.mid_of(name) for name in names)
    classes = LabelTable(names, mids, open_images.hierarchy())
    images = _entries(path, content, "images")
    ids = {_whole(path, f"images[{at}]", image, "id"): image for at, image in enumerate(images)}
    if len(ids) != len(images):
        raise ConfigError(f"{path}: two images have the same id")
    boxes: dict[int, list[_Annotation]] = defaultdict(list)
    for at, annotation in enumerate(_entries(path, content, "annotations")):
        where = f"annotations[{at}]"
        image = _whole(path, where, annotation, "image_id")
        category = _whole(path, where, annotation, "category_id")
        if image not in ids:
            raise ConfigError(f"{path}, {where}: no image has the id {image}")
        if category not in rows:
            raise ConfigError(f"{path}, {where}: no category has the id {category}")
        boxes[image].append(_annotation(path, where, annotation, rows[category]))
    found = [_image(path, f"images[{at}]", image, boxes[image["id"]]) for at, image in enumerate(images)]
    if len({image.name for image in found}) != len(found):
        raise ConfigError(f"{path}: two images have the same file_name")
    return Truth(str(path), classes, found, Metric.COCO)


_Annotation = tuple[tuple[float, float, float, float], int, bool, float]
"""Box, row of the class, whether it is a crowd, area."""


def _classes(path: Path, content: Mapping[str, Any]) -> tuple[dict[int, int], tuple[str, ...]]:
    rows: dict[int, int] = {}
    names: list[str] = []
    for at, category in enumerate(_entries(path, content, "categories")):
        name = category.get("name")
        if not isinstance(name, str) or not name.strip():
            raise ConfigError(f"{path}, categories[{at}]: no name")
        number = _whole(path, f"categories[{at}]", category, "id")
        if number in rows:
            raise ConfigError(f"{path}, categories[{at}]: the id {number} appears twice")
        if name in names:
            raise ConfigError(f"{path}, categories[{at}]: the name {name!r} appears twice")
        rows[number] = len(names)
        names.append(name)
    return rows, tuple(names)


def _coco_mids() -> Mapping[str, str]:
    """The MID of each class of COCO."""
    table = label_maps.coco_table()
    return {table.names[row]: table.mids[row] for row in table.used()}


def _annotation(path: Path, where: str, annotation: Mapping[str, Any], row: int) -> _Annotation:
    try:
        left, top, width, height = (float(value) for value in annotation["bbox"])
        valid = all(map(math.isfinite, (left, top, width, height))) and width >= 0 and height >= 0
        area = float(annotation.get("area", width * height))
    except (KeyError, TypeError, ValueError):
        valid = False
    if not valid:
        raise ConfigError(f"{path}, {where}: bbox must be [left, top, width, height] in pixels")
    return (left, top, left + width, top + height), row, bool(annotation.get("iscrowd", 0)), area


def _image(path: Path, where: str, image: Mapping[str, Any], annotations: Sequence[_Annotation]) -> TruthImage:
    name = image.get("file_name")
    if not isinstance(name, str) or not name:
        raise ConfigError(f"{path}, {where}: no file_name")
    width, height = (_whole(path, where, image, key) for key in ("width", "height"))
    if width < 1 or height < 1:
        raise ConfigError(f"{path}, {where}: width and height must be above 0")
    return TruthImage(
        name,
        np.array([box for box, *_ in annotations], np.float64).reshape(-1, 4),
        np.array([row for _, row, *_ in annotations], np.int64),
        np.array([crowd for *_, crowd, _ in annotations], np.bool_),
        np.array([area for *_, area in annotations], np.float64),
        size=(width, height),
        frame=_whole(path, where, image, FRAME) if FRAME in image else None,
    )


def _entries(path: Path, content: Mapping[str, Any], key: str) -> Sequence[Mapping[str, Any]]:
    entries = content.get(key)
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ConfigError(f"{path}: no list {key!r}; COCO JSON has images, annotations and categories")
    if not entries and key != "annotations":
        raise ConfigError(f"{path}: the list {key!r} is empty")
    return entries


def _whole(path: Path, where: str, entry: Mapping[str, Any], key: str) -> int:
    value = entry.get(key)
    if not isinstance(value, int) or isinstance(value, bool):
        raise ConfigError(f"{path}, {where}: {key} must be a whole number, not {value!r}")
    return value
