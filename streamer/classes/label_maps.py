"""The classes of a detector before it is built: the starter's, Open Images V4, COCO, or those of a label map file.

Called by the main thread at the start. Nothing here imports TensorFlow or LiteRT.

A file has one of these formats:

* `.pbtxt`: `StringIntLabelMap` of the TensorFlow Object Detection API, `item { id: 1 name: "/m/01g317" display_name:
  "Person" }`; other fields are ignored;
* `.csv`: `id,name` or `id,name,mid`; with a header, columns of these names in any order; other columns are ignored;
* `.txt`: one name a line; the first line has id 1, an empty line is an id without a name; if the first line is `???`,
  which marks the background in TensorFlow Lite's label files, it has id 0.

Ids may have gaps. A class without a MID gets the MID of the Open Images class of the same name (any case, also by
COCO's names), so that the hierarchy applies to it.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from importlib import resources
from pathlib import Path
from typing import NamedTuple

from streamer.classes import open_images
from streamer.errors import ConfigError
from streamer.system.suggestions import did_you_mean
from streamer.values.labels import LabelTable

OPEN_IMAGES_V4 = "open_images_v4"
COCO = "coco"
MAX_ID = 100_000
"""Higher ids are refused: a table has a row for each id up to the highest."""
STARTER_LABEL_MAP_BYTES = 184
"""In the starter's file the label map, one name a line, precedes the flatbuffer."""

_BACKGROUND = "???"
# COCO's mouse belongs to a computer, that of Open Images is an animal.
_AMBIGUOUS = frozenset({"mouse"})


class Item(NamedTuple):
    """One class of a label map; `where` is its line or item in the file."""

    where: str
    id: int
    name: str
    mid: str = ""


def of_module(label_map: str | None) -> LabelTable:
    """The classes of a hub module.

    Args:
        label_map: `open_images_v4`, `coco` or a file; None means Open Images V4.

    Raises:
        ConfigError: no such label map, or a malformed file; one line that names the file and the place in it.
    """
    if label_map is None or label_map.casefold() == OPEN_IMAGES_V4:
        return open_images_table()
    return coco_table() if label_map.casefold() == COCO else read(label_map)


def starter_table(content: bytes) -> LabelTable:
    """The starter's 24 rows from the content of its file; row 0 is `???` and never reported."""
    names = tuple(content[:STARTER_LABEL_MAP_BYTES].decode("ascii").splitlines())
    mids = open_images.mid_by_name()
    return LabelTable(names, tuple(mids.get(name, "") for name in names), open_images.hierarchy())


@cache
def coco_table() -> LabelTable:
    """COCO's 80 classes by their ids in the papers, 1..90 with gaps, as `mscoco_label_map.pbtxt` has them.

    The MIDs are those of the Open Images classes with the same meaning; `cup` has none, because Open Images has
    separate classes for mugs, coffee cups and others.
    """
    return _table(_csv_items(_packaged_coco(), "coco.csv"), "coco.csv", guess_mids=False)


@cache
def coco_rows() -> LabelTable:
    """COCO's 80 classes numbered from 0 without gaps, as detectors trained on COCO number them.

    A class with a MID has the name that Open Images gives it, and COCO's name as its alias: `Mobile phone` and
    `cell phone`.
    """
    table = coco_table()
    rows = tuple(table.used())
    mids = tuple(table.mid(row) or "" for row in rows)
    coco_names = tuple(table.names[row] for row in rows)
    titles = open_images.hierarchy().names
    names = tuple(titles.get(mid) or name.capitalize() for mid, name in zip(mids, coco_names, strict=True))
    return LabelTable(names, mids, table.hierarchy, coco_names)


@cache
def open_images_table() -> LabelTable:
    """The 602 rows of Open Images V4, with COCO's names as aliases."""
    coco, table = coco_rows(), open_images.label_table()
    aliases = dict(zip(coco.mids, coco.aliases, strict=True))
    return replace(table, aliases=tuple(aliases.get(mid, "") if mid else "" for mid in table.mids))


def named(names: Sequence[str]) -> LabelTable:
    """The table of a model that names its classes itself: one name a row, "" for an unused row."""
    mids = tuple(_mid_by_folded_name().get(name.casefold(), "") for name in names)
    return LabelTable(tuple(names), mids, open_images.hierarchy())


def read(file: str) -> LabelTable:
    """The table of a label map file; a row is an id.

    Raises:
        ConfigError: no such file, another kind of file, no classes, or an id that is out of range or appears twice.
    """
    path = Path(file).expanduser()
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        kinds = f"it is {OPEN_IMAGES_V4}, {COCO}, or a .pbtxt, .csv or .txt file"
        hint = did_you_mean(file, (OPEN_IMAGES_V4, COCO), otherwise=kinds, cutoff=0.5)
        raise ConfigError(f"no label map {file!r}; {hint}")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError(f"cannot read the label map {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"the label map {path} is no text in UTF-8") from error
    except ValueError as error:  # a null character in the name
        raise ConfigError(f"cannot read the label map {path}: no such file") from error
    return _table(reader(text, str(path)), str(path), guess_mids=True)


def _table(items: Iterator[Item], file: str, *, guess_mids: bool) -> LabelTable:
    by_id: dict[int, Item] = {}
    for item in items:
        if not 0 <= item.id <= MAX_ID:
            raise ConfigError(f"{file}, {item.where}: the id {item.id} is not in 0..{MAX_ID}")
        if item.id in by_id:
            raise ConfigError(f"{file}, {item.where}: the id {item.id} appears twice, first in {by_id[item.id].where}")
        if not item.name:
            raise ConfigError(f"{file}, {item.where}: the id {item.id} has no name")
        by_id[item.id] = item
    if not by_id:
        raise ConfigError(f"{file} has no classes in it")
    names, mids = [""] * (max(by_id) + 1), [""] * (max(by_id) + 1)
    for item in by_id.values():
        names[item.id] = item.name
        mids[item.id] = item.mid or (mid_of(item.name) if guess_mids else "")
    return LabelTable(tuple(names), tuple(mids), open_images.hierarchy())


def _csv_items(text: str, file: str) -> Iterator[Item]:
    columns = {"id": 0, "name": 1, "mid": 2}
    lines = csv.reader(text.splitlines())
    for cells in lines:
        cells = [cell.strip() for cell in cells]
        if not any(cells):
            continue
        if lines.line_num == 1 and not cells[0].lstrip("-").isdecimal():
            columns = {cell.casefold().replace("label", "id"): at for at, cell in enumerate(cells)}
            if not {"id", "name"} <= columns.keys():
                raise ConfigError(f"{file}, line 1: expected the columns id,name or id,name,mid")
            continue
        found = {key: cells[at] for key, at in columns.items() if at < len(cells)}
        where = f"line {lines.line_num}"
        yield Item(where, _integer(found.get("id", ""), file, where), found.get("name", ""), found.get("mid", ""))


def _txt_items(text: str, file: str) -> Iterator[Item]:
    del file  # every line is a name
    lines = [line.strip() for line in text.splitlines()]
    first = 0 if lines[:1] == [_BACKGROUND] else 1
    return (Item(f"line {row + 1}", row + first, name) for row, name in enumerate(lines) if name)


def _pbtxt_items(text: str, file: str) -> Iterator[Item]:
    from streamer.classes import pbtxt  # imports protobuf, which the other formats do not need

    hierarchy = open_images.hierarchy()
    for number, item in enumerate(pbtxt.items(text, file), 1):
        if item.id is None:
            raise ConfigError(f"{file}, item {number}: no id")
        mid = item.name if item.name.startswith("/") else ""
        name = item.display_name or hierarchy.names.get(mid, item.name)
        yield Item(f"item {number}", item.id, name, mid)


_READERS: dict[str, Callable[[str, str], Iterator[Item]]] = {
    ".pbtxt": _pbtxt_items,
    ".csv": _csv_items,
    ".txt": _txt_items,
}


def mid_of(name: str) -> str:
    """The MID of the Open Images class that a name of Open Images or COCO means, in any case; "" if there is none."""
    return _mid_by_folded_name().get(name.strip().casefold(), "")


@cache
def _mid_by_folded_name() -> dict[str, str]:
    """MIDs by the names of Open Images and of COCO."""
    coco = {item.name: item.mid for item in _csv_items(_packaged_coco(), "coco.csv") if item.mid}
    names = coco | {name.casefold(): mid for name, mid in open_images.mid_by_name().items()}
    return {name: mid for name, mid in names.items() if name not in _AMBIGUOUS}


def _packaged_coco() -> str:
    return resources.files("streamer.classes").joinpath("coco.csv").read_text(encoding="utf-8")


def _integer(text: str, file: str, where: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise ConfigError(f"{file}, {where}: the id {text!r} is not a whole number") from error
