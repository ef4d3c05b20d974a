"""Reads the annotations of Open Images: boxes, image-level labels, the class hierarchy and class descriptions.

The formats are those of https://storage.googleapis.com/openimages/web/download.html and of the Open Images Challenge
2018 and 2019. Called by the main thread.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from streamer.classes import open_images
from streamer.errors import ConfigError, SourceUnavailable
from streamer.evaluation.detection.truth import Metric, Truth, TruthImage, rows_by_mid
from streamer.system.suggestions import nearest
from streamer.values.labels import Hierarchy, LabelTable

BOX_COLUMNS = ("ImageID", "LabelName", "XMin", "XMax", "YMin", "YMax", "IsGroupOf")
LABEL_COLUMNS = ("ImageID", "LabelName", "Confidence")
_ROUNDING = 1e-3
"""How far a box may reach beyond its image."""


@dataclass(slots=True)
class Annotations:
    """The files of one set, by kind.

    Attributes:
        boxes: CSV files with `BOX_COLUMNS`.
        labels: CSV files with `LABEL_COLUMNS`.
        hierarchy: the content of the JSON file; None for that of Open Images V4.
        names: readable name of each MID, from a file of class descriptions; the metric covers these classes only.
            Empty for all classes of the hierarchy.
    """

    boxes: list[Path] = field(default_factory=list)
    labels: list[Path] = field(default_factory=list)
    hierarchy: Mapping[str, Any] | None = None
    names: dict[str, str] = field(default_factory=dict)


def read(annotations: Annotations) -> Truth:
    """The ground truth in these files; the hierarchy is not applied.

    Raises:
        SourceUnavailable: a file cannot be read.
        ConfigError: a row is malformed, or its box has a class that the hierarchy does not have.
    """
    classes = _classes(annotations)
    rows, found = rows_by_mid(classes), defaultdict[str, _Image](_Image)
    for path in annotations.boxes:
        for line, row in _rows(path, BOX_COLUMNS):
            label = _label(row["LabelName"], rows, classes, f"{path} line {line}")
            found[row["ImageID"]].add_box(_box(row, f"{path} line {line}"), label, _is_group(row, path, line))
    others = 0
    for path in annotations.labels:
        for line, row in _rows(path, LABEL_COLUMNS):
            known = rows.get(row["LabelName"])
            image = found[row["ImageID"]]
            if known is None:
                others += 1
            elif _flag(row, "Confidence", path, line):
                image.present.add(known)
            else:
                image.absent.add(known)
    notes = [f"{others} image-level labels of classes without boxes were left out"] if others else []
    if not annotations.labels:
        notes.append("no file of image-level labels: a class counts only on images where it has a box")
    name = str(annotations.boxes[0])
    return Truth(name, classes, [found[each].truth(each) for each in sorted(found)], Metric.OPEN_IMAGES, notes)


def read_descriptions(path: Path) -> dict[str, str]:
    """The readable name of each MID: lines `/m/01g317,Person`.

    Raises:
        SourceUnavailable, ConfigError: the file cannot be read, or a line has another form.
    """
    names: dict[str, str] = {}
    for number, cells in _lines(path):
        if cells == ["LabelName", "DisplayName"]:
            continue
        if len(cells) < 2 or not cells[0].startswith("/"):
            raise ConfigError(f"{path} line {number}: {','.join(cells)[:60]!r} is not a class such as /m/01g317,Person")
        names[cells[0]] = cells[1].strip()
    return names


def hierarchy_of(root: Mapping[str, Any], names: Mapping[str, str]) -> Hierarchy:
    """The subclass relation in a hierarchy file. Its top node is no class; the relation `Part` is not used.

    Raises:
        ConfigError: a node has no `LabelName`.
    """
    parents: dict[str, list[str]] = {}
    waiting: list[tuple[Mapping[str, Any], str | None]] = [(node, None) for node in root.get("Subcategory", ())]
    for node, above in waiting:  # the list grows during the iteration
        mid = node.get("LabelName")
        if not isinstance(mid, str):
            raise ConfigError("the class hierarchy has a node without LabelName; download the file again")
        known = parents.setdefault(mid, [])
        if above is not None and above not in known:
            known.append(above)
        waiting += [(child, mid) for child in node.get("Subcategory", ())]
    known_names = open_images.hierarchy().names
    titles = {mid: names.get(mid) or known_names.get(mid, mid) for mid in parents}
    return Hierarchy("the class hierarchy", titles, {mid: tuple(above) for mid, above in parents.items() if above})


def first_line(path: Path) -> list[str]:
    """The cells of the first line that is not empty; none if there is no such line.

    Raises:
        SourceUnavailable, ConfigError: the file cannot be read, or is no text.
    """
    return next((cells for _, cells in _lines(path)), [])


class _Image:
    """The annotations of one image while they are read."""

    __slots__ = ("absent", "boxes", "groups", "labels", "present")

    def __init__(self) -> None:
        self.boxes: list[tuple[float, ...]] = []
        self.labels: list[int] = []
        self.groups: list[bool] = []
        self.present: set[int] = set()
        self.absent: set[int] = set()

    def add_box(self, box: tuple[float, ...], label: int, is_group: bool) -> None:
        self.boxes.append(box)
        self.labels.append(label)
        self.groups.append(is_group)

    def truth(self, name: str) -> TruthImage:
        boxes = np.array(self.boxes, np.float64).reshape(-1, 4)
        labels, groups = np.array(self.labels, np.int64), np.array(self.groups, np.bool_)
        areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
        return TruthImage(name, boxes, labels, groups, areas, frozenset(self.present), frozenset(self.absent))


def _classes(annotations: Annotations) -> LabelTable:
    if annotations.hierarchy is None and not annotations.names:
        return open_images.label_table()
    packaged = open_images.hierarchy()
    tree = packaged if annotations.hierarchy is None else hierarchy_of(annotations.hierarchy, annotations.names)
    mids = tuple(annotations.names or tree.names)
    names = tuple(annotations.names.get(mid) or tree.names.get(mid, mid) for mid in mids)
    return LabelTable(names, mids, tree)


def _label(mid: str, rows: Mapping[str, int], classes: LabelTable, where: str) -> int:
    row = rows.get(mid)
    if row is None:
        count = sum(1 for _ in classes.used())
        known = "the class hierarchy" if mid.startswith("/") else "LabelName, a MID such as /m/01g317,"
        raise ConfigError(
            f"{where}: no class {mid!r} among the {count} of {known}; add the hierarchy and the class descriptions "
            "of this set with --truth"
        )
    return row


def _box(row: Mapping[str, str], where: str) -> tuple[float, ...]:
    """x0, y0, x1, y1 as fractions."""
    try:
        box = tuple(float(row[column]) for column in ("XMin", "YMin", "XMax", "YMax"))
    except ValueError:
        box = (float("nan"),) * 4
    inside = all(-_ROUNDING <= value <= 1 + _ROUNDING for value in box)
    if not (inside and box[0] <= box[2] and box[1] <= box[3]):
        shown = ", ".join(f"{column}={row[column]}" for column in ("XMin", "XMax", "YMin", "YMax"))
        raise ConfigError(f"{where}: {shown} is no box; the values are fractions of the image's width and height")
    return box


def _is_group(row: Mapping[str, str], path: Path, line: int) -> bool:
    """-1, "unknown", counts as 1, as in the Object Detection API, which makes the number a bool."""
    return row["IsGroupOf"] == "-1" or _flag(row, "IsGroupOf", path, line)


def _flag(row: Mapping[str, str], column: str, path: Path, line: int) -> bool:
    text = row[column]
    if text in ("0", "1"):
        return text == "1"
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if value not in (0.0, 1.0):
        human = "; use the labels that people verified" if column == "Confidence" else ""
        raise ConfigError(f"{path} line {line}: {column} must be 0 or 1, not {text!r}{human}")
    return value == 1.0


def _rows(path: Path, columns: Collection[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Line number and the named cells of each row after the header."""
    lines = _lines(path)
    header: Sequence[str] = next(lines, (0, []))[1]
    at = {column: header.index(column) for column in columns if column in header}
    if missing := [column for column in columns if column not in at]:
        raise ConfigError(f"{path}: no column {missing[0]}{nearest(missing[0], header)}")
    most = max(at.values())
    for number, cells in lines:
        if len(cells) <= most:
            raise ConfigError(f"{path} line {number}: {len(cells)} values, but the header has {len(header)}")
        yield number, {column: cells[place] for column, place in at.items()}


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Line number and cells of each line that is not empty."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            for cells in reader:
                if any(cells):
                    yield reader.line_num, cells
    except OSError as error:
        raise SourceUnavailable(f"cannot read {path}: {error.strerror or error}; check --truth") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{path} is no CSV text; --truth takes Open Images CSV or COCO JSON") from error
