"""Events and messages for tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from streamer.notify.payload import message_of
from streamer.notify.target import Message
from streamer.store.ids import new_id
from streamer.store.records import Delivery, EventRecord
from streamer.values.events import EventKind, EventPhase

TIME = 1_795_732_503.12  # 2026-11-26T22:35:03.120Z


def record(**values: Any) -> EventRecord:
    """An event of a person in a zone."""
    given: dict[str, Any] = {"camera": "gate", "rule": "door", "kind": EventKind.ENTER, "label": "Person", "track": 7}
    given |= {"id": new_id(), "start_time": TIME, "start_s": 4.5, "zones": ("door",), "score": 0.91, **values}
    return EventRecord(**given)


def message(phase: EventPhase | None = EventPhase.START, *, folder: Path | None = None, **values: Any) -> Message:
    """A message about such an event."""
    event = record(**values)
    return message_of(Delivery(1, "ops", event.id, phase, event), folder)
