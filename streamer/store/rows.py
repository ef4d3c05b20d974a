"""Rows of the database to records and back. Pure functions; any thread."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from streamer.store.records import Delivery, Ending, EventRecord
from streamer.system.paths import encodable
from streamer.values.events import EventKind, EventPhase

COLUMNS = tuple(field.name for field in fields(EventRecord))
"""Columns of an event, in the order of the fields of `EventRecord`."""
PATHS = ("clip", "annotated", "boxes", "snapshot", "crop")
"""Columns with the path of a file."""
ATTACHED = (*PATHS, "clip_start_time", "clip_duration_s", "clip_note", "bytes")
"""Columns that only `attach` changes."""
EVENT = ", ".join(COLUMNS)
"""The columns of a query for `record_of`."""
DELIVERY = "number, target, event_id, phase, event, attempts, error, files, time"
"""The columns of a query for `delivery_of`."""


def record_of(row: Sequence[Any]) -> EventRecord:
    """The record of a row with the columns `EVENT`."""
    return record_of_values(dict(zip(COLUMNS, row, strict=True)))


def values_of(record: EventRecord) -> dict[str, Any]:
    """The values of a row by column."""
    values: dict[str, Any] = {name: encodable(getattr(record, name)) for name in COLUMNS}
    values["kind"] = record.kind.value
    values["zones"] = json.dumps(values["zones"], ensure_ascii=False)
    values["ending"] = None if record.ending is None else record.ending.value
    values["favourite"] = int(record.favourite)
    return values


def delivery_of(row: Sequence[Any]) -> Delivery:
    """The delivery of a row with the columns `DELIVERY`."""
    number, target, event_id, phase, event, attempts, error, files, time = row
    record = record_of_text(event)
    names = tuple(json.loads(files))
    return Delivery(
        number, target, event_id, None if phase is None else EventPhase(phase), record, attempts, error, names, time
    )


def text_of(record: EventRecord) -> str:
    """A record as JSON, as a delivery keeps it."""
    return json.dumps(values_of(record), ensure_ascii=False)


def record_of_text(text: str) -> EventRecord:
    """The record of `text_of`. A field that did not exist when the text was written has its default."""
    values = json.loads(text)
    return record_of_values({name: values[name] for name in COLUMNS if name in values})


def record_of_values(values: dict[str, Any]) -> EventRecord:
    """The record of the values of a row by column. A column that is missing has the default of its field.

    Raises:
        TypeError, ValueError: they are no event.
    """
    values["kind"] = EventKind(values["kind"])
    values["zones"] = tuple(json.loads(values["zones"]))
    values["ending"] = None if values["ending"] is None else Ending(values["ending"])
    values["favourite"] = bool(values["favourite"])
    return EventRecord(**values)
