"""Messages as JSON: the documented schema of all targets (docs/alerts.md). Pure functions; any thread.

The envelope follows Standard Webhooks (https://github.com/standard-webhooks/standard-webhooks): `type`, `timestamp` and
`data`, with a version of the schema and the id of the message. `data` is the event as `streamer events --json` has it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from streamer.notify.target import Message
from streamer.store.event_json import event_json, time_text
from streamer.store.records import Delivery, EventRecord
from streamer.values.events import EventKind, EventPhase

VERSION = 1
"""Of the schema. A field that is added does not change it; one that is removed or changes its meaning does."""
FILE = "file"
"""The type and phase of a message about files that have become complete."""

_HAPPENED: Mapping[tuple[EventKind, EventPhase], EventKind] = {
    (EventKind.ENTER, EventPhase.UPDATE): EventKind.DWELL,
    (EventKind.ENTER, EventPhase.END): EventKind.LEAVE,
    (EventKind.APPEAR, EventPhase.END): EventKind.DISAPPEAR,
    (EventKind.ABOVE, EventPhase.END): EventKind.NORMAL,
    (EventKind.BELOW, EventPhase.END): EventKind.NORMAL,
    (EventKind.CAMERA_LOST, EventPhase.END): EventKind.CAMERA_BACK,
    (EventKind.CAMERA_COVERED, EventPhase.END): EventKind.CAMERA_CLEAR,
}


def happened(kind: EventKind, phase: EventPhase | None) -> EventKind:
    """What happened in a phase of an event that began with `kind`: an `enter` that is updated is a `dwell`."""
    return kind if phase is None else _HAPPENED.get((kind, phase), kind)


def begun_by(kind: EventKind) -> tuple[EventKind, ...]:
    """The kinds with which an event begins that `kind` updates or ends: `enter` for `leave`; empty if it begins one."""
    return tuple(begin for (begin, _), then in _HAPPENED.items() if then is kind)


def message_of(delivery: Delivery, folder: Path | None) -> Message:
    """The message of a delivery.

    Args:
        delivery: from the store.
        folder: of the store, which the paths of files are relative to; None: there are no files.
    """
    record, phase = delivery.event, delivery.phase
    key = f"{record.id}-{record.revision}" if phase is not None else f"{record.id}-file-{delivery.number}"
    return Message(
        event=record,
        phase=phase,
        key=key,
        payload=payload_of(record, phase, key, delivery.files),
        snapshot=_existing(folder, record.snapshot),
        clip=_existing(folder, record.clip),
        attempts=delivery.attempts,
    )


def payload_of(record: EventRecord, phase: EventPhase | None, key: str, files: tuple[str, ...] = ()) -> dict[str, Any]:
    """A message as JSON. Arguments as the attributes of `Message` and `Delivery`."""
    return {
        "version": VERSION,
        "id": key,
        "type": FILE if phase is None else happened(record.kind, phase).value,
        "phase": FILE if phase is None else phase.value,
        "timestamp": time_text(_time_of(record, phase)),
        "files": list(files),
        "data": event_json(record),
    }


def _time_of(record: EventRecord, phase: EventPhase | None) -> float:
    at_end = phase is EventPhase.END and record.end_time is not None
    return record.end_time if at_end and record.end_time is not None else record.start_time


def _existing(folder: Path | None, path: str) -> Path | None:
    file = folder / path if folder is not None and path else None
    return file if file is not None and file.is_file() else None
