"""The event store, with real database files."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamer.config.events import StoreSettings
from streamer.store.event_store import EventStore
from streamer.store.ids import new_id
from streamer.store.records import Ending, EventRecord
from streamer.values.events import EventKind, EventPhase

NOON = 1_795_694_400.0


def event(start_time: float = NOON, **fields: object) -> EventRecord:
    values: dict[str, object] = {"camera": "gate", "rule": "door", "kind": EventKind.ENTER, "start_s": 5.0, **fields}
    return EventRecord(id=new_id(), start_time=start_time, **values)  # type: ignore[arg-type]


def test_a_saved_event_is_found_with_its_files_and_delivered_in_order(tmp_path: Path) -> None:
    record = event(label="Person", zones=("door",), score=0.75)
    with EventStore(StoreSettings(folder=tmp_path)) as store:
        store.save(record, EventPhase.START, ["mqtt", "hook"])
        store.attach(record.id, targets=["mqtt"], snapshot="gate/2026-11-26/a.jpg", bytes=1000)
        assert store.flush()
        stored = store.get(record.id)
        assert stored is not None
        assert (stored.label, stored.zones, stored.snapshot, stored.bytes) == (
            "Person",
            ("door",),
            "gate/2026-11-26/a.jpg",
            1000,
        )
        first, second = store.pending("mqtt")
        assert (first.phase, first.event, second.phase, second.files) == (EventPhase.START, record, None, ("snapshot",))
        store.delivered([first.number])
        assert [one.number for one in store.pending("mqtt")] == [second.number]
        assert (store.waiting("mqtt"), store.waiting("hook")) == (1, 1)


def test_an_event_of_a_killed_program_is_ended_with_deliveries(tmp_path: Path) -> None:
    record = event()
    with EventStore(StoreSettings(folder=tmp_path), clock=lambda: NOON + 7) as store:
        store.save(record, EventPhase.START)
    with EventStore(StoreSettings(folder=tmp_path), targets_for=lambda _, phase: [f"{phase}"]) as store:
        ended = store.get(record.id)
        assert ended is not None
        assert (ended.ending, ended.end_time, ended.end_s, ended.revision) == (Ending.KILLED, NOON + 7, 12.0, 2)
        assert [one.event for one in store.pending("end")] == [ended]


@pytest.mark.parametrize("name", ["clips", "id", "favourite"])
def test_attach_refuses_fields_that_are_not_of_files(tmp_path: Path, name: str) -> None:
    with EventStore(StoreSettings(folder=tmp_path)) as store, pytest.raises(ValueError, match=name):
        store.attach("x", **{name: 1})  # type: ignore[arg-type]
