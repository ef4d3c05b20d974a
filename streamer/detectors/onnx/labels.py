"""The names of a model's classes: from a label map, or from the metadata of the file. Main thread."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from streamer.classes import label_maps
from streamer.detectors.onnx.families import Recognised
from streamer.detectors.onnx.metadata import names_of, rfdetr
from streamer.errors import ModelError
from streamer.values.labels import LabelTable

_COCO_COUNTS = (None, 80, 90, 91)
"""Classes of models that were trained on COCO: without gaps, with its ids, with one more."""


def table(model: Recognised, label_map: str | None) -> LabelTable:
    """The classes of a model; a row is the number that the model gives the class.

    Models number their classes from 0. The names of a label map are taken in their order if there are as many as
    classes. Else its ids are the numbers: models that were trained with COCO's ids have 91 classes, 80 with a name.

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
            f"{model.header.path} does not name {which}; set detector.label_map={coco}FILE.txt with one name a line"
        )
    # RF-DETR numbers its classes with gaps.
    is_wrong = count is not None and (max(names) >= count if rfdetr(model.header.metadata) else len(names) != count)
    if is_wrong:
        raise ModelError(
            f"{model.header.path} has {count} classes, but names {len(names)}; set detector.label_map=FILE.txt "
            "with one name a line"
        )
    return _numbered(names, max(names) + 1 if count is None else count)


def _from_label_map(model: Recognised, given: LabelTable, name: str) -> LabelTable:
    count, rows = model.family.class_count, tuple(given.used())
    has_own_ids = name.casefold() != label_maps.COCO and Path(name).suffix.lower() != ".txt"
    in_order = (not has_own_ids or rows[0] == 0) if count is None else count == len(rows)
    # RF-DETR adds a class for "no object" behind the others.
    in_order = in_order or (count == len(rows) + 1 and (rows[-1] + 1 != count or not has_own_ids))
    if in_order:
        return _part(given, rows)
    if count is not None and rows[-1] + 1 != count:
        raise ModelError(f"{model.header.path} has {count} classes, but the label map {name} has {len(rows)}")
    return given


def _part(given: LabelTable, rows: tuple[int, ...]) -> LabelTable:
    mids = tuple(given.mid(row) or "" for row in rows)
    return LabelTable(tuple(given.names[row] for row in rows), mids, given.hierarchy)


def _numbered(names: Mapping[int, str], count: int) -> LabelTable:
    return label_maps.named([names.get(number, "") for number in range(count)])
