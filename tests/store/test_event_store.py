"""The event store, with real database files."""

from __future__ import annotations

import sqlite3
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from streamer.errors import ConfigError
from streamer.store.event_store import EventStore
from streamer.store.records import Ending, EventFilter
from streamer.values.events import EventPhase
from tests.store.stores import DEADLINE_S, NOON, add_clip, ended, event, filled, rows, settings, until


def test_a_saved_event_is_found_with_its_files_and_delivered_in_order(tmp_path: Path) -> None:
    record = event(label="Person", zones=("door", "yard"), score=0.75)
    with EventStore(settings(tmp_path), targets_for=lambda asked, _: [] if asked.crop else ["mqtt"]) as store:
        store.save(record, EventPhase.START, ["mqtt", "hook"])
        store.attach(record.id, snapshot="gate/2026-11-26/a.jpg", bytes=1000)
        store.attach(record.id, crop="gate/2026-11-26/a-crop.jpg", bytes=50)
        last = replace(record, end_time=NOON + 3, end_s=8.0, ending=Ending.RULE, revision=2)
        store.save(last, EventPhase.END, ["mqtt"])
        assert store.flush()
        stored = store.get(record.id)
        files = {"snapshot": "gate/2026-11-26/a.jpg", "bytes": 1000}
        assert stored == replace(last, crop="gate/2026-11-26/a-crop.jpg", **files | {"bytes": 1050})  # type: ignore[arg-type]
        found = store.pending("mqtt")
        assert [(one.phase, one.files) for one in found] == [
            (EventPhase.START, ()),
            (None, ("snapshot",)),
            (EventPhase.END, ()),
        ]
        assert [one.event for one in found] == [record, replace(record, **files), stored]  # type: ignore[arg-type]
        assert [(one.event_id, one.target) for one in found] == [(record.id, "mqtt")] * 3


def test_a_delivered_message_is_never_pending_again(tmp_path: Path) -> None:
    with EventStore(settings(tmp_path)) as store:
        for _ in range(300):
            store.save(ended(), EventPhase.END, ["mqtt", "hook"])
        assert store.flush()
        seen = []
        while found := store.pending("mqtt", 7):
            seen += [one.number for one in found]
            store.delivered([one.number for one in found])
        assert seen == sorted(set(seen))
        assert (len(seen), store.waiting("mqtt"), store.waiting("hook")) == (300, 0, 300)
        (first, *_) = store.pending("hook", 1)
        store.failed(first.number, "refused")
        store.failed(first.number, "timed out")
    with EventStore(settings(tmp_path)) as store:
        assert (store.waiting("mqtt"), store.waiting("hook")) == (0, 300)
        (again, *_) = store.pending("hook", 1)
        assert (again.number, again.attempts, again.error) == (first.number, 2, "timed out")


def test_an_event_of_a_killed_program_is_ended_with_deliveries(tmp_path: Path) -> None:
    record = event()
    with EventStore(settings(tmp_path), clock=lambda: NOON + 7) as store:
        store.save(record, EventPhase.START)
    with EventStore(settings(tmp_path), targets_for=lambda _, phase: [f"{phase}"]) as store:
        last = store.get(record.id)
        assert last is not None
        assert (last.ending, last.end_time, last.end_s, last.revision) == (Ending.KILLED, NOON + 7, 12.0, 2)
        assert [one.event for one in store.pending("end")] == [last]


def test_saving_does_not_wait_for_a_program_that_writes(tmp_path: Path) -> None:
    with EventStore(settings(tmp_path)) as store:
        busy = sqlite3.connect(tmp_path / "events.db", isolation_level=None)
        busy.execute("BEGIN IMMEDIATE")
        records = [ended() for _ in range(20)]
        for record in records:
            store.save(record, EventPhase.END)
        assert store.find() == []
        busy.execute("COMMIT")
        busy.close()
        assert store.flush(DEADLINE_S)
        assert {one.id for one in store.find()} == {one.id for one in records}


def test_files_that_are_complete_before_their_event_is_written_are_told(tmp_path: Path) -> None:
    record = event()
    with EventStore(settings(tmp_path), targets_for=lambda asked, _: [asked.rule]) as store:
        busy = sqlite3.connect(tmp_path / "events.db", isolation_level=None)
        busy.execute("BEGIN IMMEDIATE")
        store.save(record, EventPhase.START)
        store.attach(record.id, snapshot="a.jpg")
        assert store.get(record.id) is None
        busy.execute("COMMIT")
        busy.close()
        assert store.flush(DEADLINE_S)
        assert [one.files for one in store.pending(record.rule)] == [("snapshot",)]


def test_callbacks_follow_each_commit_and_may_fail(tmp_path: Path) -> None:
    told, seen = threading.Event(), []
    with EventStore(settings(tmp_path)) as store:
        store.on_commit(lambda _: 1 / 0)
        store.on_commit(lambda ids: (seen.append((ids, len(store.find()))), told.set()))  # type: ignore[func-returns-value]
        record = ended()
        store.save(record, EventPhase.END)
        assert told.wait(DEADLINE_S)
        assert seen[0] == ([record.id], 1)


def test_callbacks_get_the_ids_of_changed_and_deleted_events(tmp_path: Path) -> None:
    told: list[str] = []
    with EventStore(settings(tmp_path)) as store:
        ((record, _),) = filled(store, 1)
        store.on_commit(told.extend)
        store.favourite([record.id], True)
        assert store.flush(DEADLINE_S)
        assert told == [record.id]
        store.delete([record.id])
        assert store.flush(DEADLINE_S)
        assert told == [record.id, record.id]


def test_callbacks_get_the_ids_of_events_beyond_a_limit(tmp_path: Path) -> None:
    told, gone = list[str](), threading.Event()
    with EventStore(settings(tmp_path, keep_gb=1e-6)) as store:
        store.on_commit(lambda ids: gone.set() if told and ids == told else None)
        (old, _), _ = filled(store, 2)
        told.append(old.id)
        store.delete(["unknown"])  # the limits are applied after it
        assert gone.wait(DEADLINE_S)
        assert store.get(old.id) is None


def test_a_deleted_event_loses_its_files_and_an_open_one_stays(tmp_path: Path) -> None:
    with EventStore(settings(tmp_path)) as store:
        (old, path), (kept, kept_path) = filled(store, 2)
        lasting = event()
        store.save(lasting, EventPhase.START)
        store.delete([old.id, lasting.id, "unknown"])
        until(lambda: not path.exists())
        assert {one.id for one in store.find()} == {kept.id, lasting.id}
        assert kept_path.exists()
        until(lambda: not rows(tmp_path, "SELECT * FROM removed_files"))


def test_files_that_come_after_the_deletion_are_deleted(tmp_path: Path) -> None:
    record = ended()
    with EventStore(settings(tmp_path)) as store:
        store.save(record, EventPhase.END)
        store.delete([record.id])
        path = add_clip(store, record)
        assert store.flush()
    with EventStore(settings(tmp_path)):
        until(lambda: not path.exists())


def test_a_path_out_of_the_folder_is_never_deleted(tmp_path: Path) -> None:
    outside, record = tmp_path / "precious.txt", ended()
    outside.write_text("data")
    with EventStore(settings(tmp_path / "store")) as store:
        store.save(record, EventPhase.END)
        store.attach(record.id, clip="../precious.txt", snapshot=str(outside), bytes=4)
        store.delete([record.id])
        assert store.flush()
        until(lambda: not rows(store.folder, "SELECT * FROM removed_files"))
    assert outside.exists()


def test_favourites_are_found(tmp_path: Path) -> None:
    with EventStore(settings(tmp_path)) as store:
        records = [ended(NOON + number) for number in range(3)]
        for record in records:
            store.save(record, EventPhase.END)
        store.favourite([records[1].id], True)
        store.save(replace(records[1], text="again"), EventPhase.UPDATE)
        assert store.flush()
        assert [one.text for one in store.find(EventFilter(favourite=True))] == ["again"]
        store.favourite([records[1].id], False)
        assert store.flush()
        assert store.find(EventFilter(favourite=True)) == []


def test_a_second_program_is_refused_until_the_first_has_ended(tmp_path: Path) -> None:
    with EventStore(settings(tmp_path)), pytest.raises(ConfigError, match=r"store\.folder: another Streamer"):
        EventStore(settings(tmp_path)).__enter__()
    with EventStore(settings(tmp_path)):
        pass


def test_strange_values_are_stored(tmp_path: Path) -> None:
    record = ended(camera="tür\udcff", rule="'; DROP TABLE events; --", label="", score=float("nan"), zones=('"', "ü"))
    with EventStore(settings(tmp_path)) as store:
        store.save(record, EventPhase.END)
        assert store.flush()
        (stored,) = store.find()
        assert (stored.camera, stored.rule, stored.score, stored.zones) == ("tür\\xff", record.rule, None, record.zones)


def test_a_change_that_cannot_be_written_does_not_stop_others(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    good = ended()
    with EventStore(settings(tmp_path)) as store:
        store.save(replace(good, id="other", camera=None), EventPhase.END)  # type: ignore[arg-type]
        store.save(replace(good, id="third", kind=None), EventPhase.END)  # type: ignore[arg-type]
        store.save(good, EventPhase.END)
        assert store.flush()
        assert store.find() == [good]
    assert "a change of an event is not written" in caplog.text


@pytest.mark.parametrize("name", ["clips", "id", "favourite"])
def test_attach_refuses_fields_that_are_not_of_files(tmp_path: Path, name: str) -> None:
    with EventStore(settings(tmp_path)) as store, pytest.raises(ValueError, match=name):
        store.attach("x", **{name: 1})
