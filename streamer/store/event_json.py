"""An event as JSON: the schema of `streamer events --json` (docs/events.md). Pure functions; any thread."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from streamer.store.records import EventRecord
from streamer.store.rows import PATHS


def event_json(record: EventRecord) -> dict[str, Any]:
    """The values of an event by key; None where it has none.

    Keys:
        id: of the event.
        camera, rule, kind, label, track, direction: as in `EventRecord`; `label` and `direction` may be empty.
        start_time, end_time: ISO 8601 in UTC, ms; `end_time` is None while the event lasts.
        duration_s: between them.
        start_s, end_s: media times of its run, seconds.
        zones: names.
        score: 0..1, 3 decimals.
        value, text, revision, ending: as in `EventRecord`.
        clip, annotated, boxes, snapshot, crop: paths relative to the folder of the store.
        clip_start_time: as `start_time`.
        clip_duration_s: seconds.
        clip_note: as in `EventRecord`.
        bytes: size of its files.
        favourite: whether it is one.
    """
    return {
        "id": record.id,
        "camera": record.camera,
        "rule": record.rule,
        "kind": record.kind.value,
        "label": record.label,
        "track": record.track,
        "direction": record.direction,
        "start_time": time_text(record.start_time),
        "end_time": time_text(record.end_time),
        "duration_s": None if record.end_time is None else round(record.end_time - record.start_time, 3),
        "start_s": round(record.start_s, 3),
        "end_s": None if record.end_s is None else round(record.end_s, 3),
        "zones": list(record.zones),
        "score": None if record.score is None else round(record.score, 3),
        "value": record.value,
        "text": record.text,
        "revision": record.revision,
        "ending": None if record.ending is None else record.ending.value,
        **{name: getattr(record, name) or None for name in PATHS},
        "clip_start_time": time_text(record.clip_start_time),
        "clip_duration_s": None if record.clip_duration_s is None else round(record.clip_duration_s, 3),
        "clip_note": record.clip_note,
        "bytes": record.bytes,
        "favourite": record.favourite,
    }


def time_text(time_s: float | None) -> str | None:
    """Seconds since 1970 as `2026-11-26T22:15:03.120Z`; None for None."""
    if time_s is None:
        return None
    return datetime.fromtimestamp(time_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
