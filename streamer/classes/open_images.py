"""The 601 boxable classes of Open Images V4: label ids, MIDs, names and parents.

A read-only table, loaded once on first use; any thread. The rows of `open_images_v4.csv` are
those of the label map `oid_v4_label_map.pbtxt` of the TensorFlow Object Detection API (ids count from 1); parents come
from the relation `Subcategory` of the Open Images V4 class hierarchy
(https://storage.googleapis.com/openimages/web/download_v4.html, CC BY 4.0). The relation `Part` is not used: a
`Human nose` is no kind of `Person`.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib import resources

from streamer.values.labels import Hierarchy, LabelTable


@dataclass(frozen=True, slots=True)
class OpenImagesClass:
    """One boxable class.

    Attributes:
        label: 1-based id in the label map of version 4.
        mid: Freebase id such as `/m/0k4j`.
        name: readable English name, unique.
        parent_mids: the classes directly above it; empty at the top.
    """

    label: int
    mid: str
    name: str
    parent_mids: tuple[str, ...]


@cache
def classes() -> tuple[OpenImagesClass, ...]:
    """All 601 classes by rising label id."""
    text = resources.files("streamer.classes").joinpath("open_images_v4.csv").read_text(encoding="utf-8")
    return tuple(
        OpenImagesClass(int(row["label"]), row["mid"], row["name"], tuple(row["parent_mids"].split()))
        for row in csv.DictReader(text.splitlines())
    )


@cache
def hierarchy() -> Hierarchy:
    """The class hierarchy: 601 classes, 45 of them with several parents, at most four steps from bottom to top."""
    return Hierarchy(
        title="Open Images V4",
        names={item.mid: item.name for item in classes()},
        parents={item.mid: item.parent_mids for item in classes() if item.parent_mids},
    )


@cache
def label_table() -> LabelTable:
    """602 rows: a row number is the label id; row 0 is not used and has no name."""
    return LabelTable(
        names=("", *(item.name for item in classes())),
        mids=("", *(item.mid for item in classes())),
        hierarchy=hierarchy(),
    )


@cache
def mid_by_name() -> dict[str, str]:
    """The MID of each class name, spelled as in the table."""
    return {item.name: item.mid for item in classes()}
