"""The names of a model's classes: from a label map, or from the metadata of the file. Main thread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from streamer.classes import label_maps
from streamer.detectors.onnx.families import Recognised
from streamer.detectors.onnx.metadata import names_of, rfdetr
from streamer.errors import ModelError
from streamer.values.labels import LabelTable

_COCO_COUNTS = (None, 80, 91)
"""Classes of models that were trained on COCO: without gaps, and with its ids."""


def table(model: Recognised, label_map: str | None) -> LabelTable:
    """The classes of a model; a row is the number that the model gives the class.

    Models number their classes from 0. The names of a label map are taken in their order if there are as many as
    classes. Else its ids are the numbers: models that were trained with COCO's ids have 91 classes, 80 with a name.
    The first line of a .txt file is class 0.

    Args:
        model: a recognised file.
        label_map: `detector.label_map`.

    Raises:
        ConfigError: no such label map, or a malformed file.
        ModelError: no names, or more or fewer names than classes.
    """
    count = model.family.class_count
    if label_map is not None:
        return _from_label_map(model, label_maps.of_module(label_map), label_map)
    names = names_of(model.header.metadata)
    if not names:
        which = "its classes" if count is None else f"its {count} classes"
        coco = "coco, or " if count in _COCO_COUNTS else ""
        raise ModelError(
            f"{model.header.name} does not name {which}; set detector.label_map={coco}FILE.txt with one name a line"
        )
    # RF-DETR numbers its classes with gaps.
    is_wrong = count is not None and (max(names) >= count if rfdetr(model.header.metadata) else len(names) != count)
    if is_wrong:
        raise ModelError(
            f"{model.header.name}, read as {model.family.name}, has {count} classes, but names {len(names)}; set "
            "detector.label_map=FILE.txt with one name a line, or another detector.onnx.family"
        )
    return _numbered(names, max(names) + 1 if count is None else count)


def _from_label_map(model: Recognised, given: LabelTable, name: str) -> LabelTable:
    count = model.family.class_count
    if Path(name).suffix.lower() == ".txt" and not given.names[0]:
        given = _part(given, range(1, len(given)))  # the first line has id 1, and is class 0
    rows = tuple(given.used())
    if count == len(rows) or (count is None and name.casefold() == label_maps.COCO):
        return _part(given, rows)
    if count in (None, rows[-1] + 1):
        return given
    if count == len(rows) + 1:  # behind them "no object", as in RF-DETR
        return _part(given, rows)
    raise ModelError(f"{model.header.name} has {count} classes, but the label map {name} has {len(rows)}")


def _part(given: LabelTable, rows: Sequence[int]) -> LabelTable:
    mids = tuple(given.mid(row) or "" for row in rows)
    return LabelTable(tuple(given.names[row] for row in rows), mids, given.hierarchy)


def _numbered(names: Mapping[int, str], count: int) -> LabelTable:
    return label_maps.named([names.get(number, "") for number in range(count)])
