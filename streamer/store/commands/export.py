"""Writes events as JSON lines or CSV, and copies their files. Used by the thread of the command."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from streamer.errors import SinkError
from streamer.store import files
from streamer.store.event_json import event_json
from streamer.store.records import EventRecord
from streamer.store.rows import PATHS
from streamer.system.partial_file import PartialFile, make_folder
from streamer.system.paths import encodable

COLUMNS = (
    "id", "camera", "rule", "kind", "direction", "label", "track", "start_time", "end_time", "duration_s",
    "start_s", "end_s", "zones", "score", "value", "text", "ending", "clip", "annotated", "boxes", "snapshot",
    "crop", "clip_start_time", "clip_duration_s", "clip_note", "bytes", "favourite",
)  # fmt: skip
"""Columns of the CSV; the keys of `event_json`. Zones are separated by spaces."""


def json_lines(records: Iterable[EventRecord]) -> Iterator[str]:
    """One JSON object and a newline per event."""
    for record in records:
        yield f"{json.dumps(event_json(record), ensure_ascii=False)}\n"


def csv_rows(records: Iterable[EventRecord]) -> Iterator[str]:
    """A heading, and one row per event, quoted as in RFC 4180; lines end with a newline alone."""
    yield f"{','.join(COLUMNS)}\n"
    for record in records:
        row = io.StringIO(newline="")
        csv.writer(row, lineterminator="\n").writerow(_cells(event_json(record)))
        yield row.getvalue()


def write(path: Path, lines: Iterable[str], *, overwrite: bool) -> None:
    """Write lines to a file, which appears when it is complete.

    Raises:
        SinkUnavailable: it exists, or cannot be created.
        SinkError: it cannot be written.
    """
    output = PartialFile(path, overwrite=overwrite)
    try:
        with output.path.open("w", encoding="utf-8", newline="") as file:
            file.writelines(lines)
    except OSError as error:
        output.discard()
        raise SinkError(f"cannot write {path}: {error.strerror}; nothing was kept") from error
    except BaseException:
        output.discard()
        raise
    output.commit()


def copy_files(store: Path, record: EventRecord, folder: Path) -> tuple[int, int]:
    """Copy the files of an event, with the same paths below another folder; how many were copied, and are missing.

    A file that is there with the same size is not copied again.

    Raises:
        SinkUnavailable, SinkError: one cannot be written.
    """
    copied = missing = 0
    for name in PATHS:
        relative = getattr(record, name)
        source = files.place(store, relative)
        if source is None:
            continue
        target = folder / relative
        try:
            size = source.stat().st_size
        except OSError:
            missing += 1
            continue
        if not (target.is_file() and target.stat().st_size == size):
            _copy(source, target)
        copied += 1
    return copied, missing


def _copy(source: Path, target: Path) -> None:
    make_folder(target.parent)
    output = PartialFile(target, overwrite=True)
    try:
        shutil.copyfile(source, output.path)
    except OSError as error:
        output.discard()
        raise SinkError(f"cannot copy {source} to {target}: {error.strerror}") from error
    output.commit()


def _cells(values: Mapping[str, Any]) -> list[Any]:
    row = {**values, "zones": " ".join(values["zones"]), "favourite": str(values["favourite"]).lower()}
    return [encodable(row[name]) for name in COLUMNS]
