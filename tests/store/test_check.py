"""Checking a store and mending it; exporting; deleting and following while another program writes."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from streamer.errors import ConfigError
from streamer.store import files, queries
from streamer.store.commands import deletion, following
from streamer.store.commands.check import YOUNG_S, check
from streamer.store.commands.export import csv_rows, json_lines
from streamer.store.database.folder import locked
from streamer.store.event_store import EventStore
from streamer.store.ids import new_id
from streamer.store.records import Ending, EventFilter, EventRecord
from streamer.values.events import EventPhase
from tests.store.stores import NOON, add_clip, ended, event, filled, rows, settings


@pytest.fixture
def made(tmp_path: Path) -> list[tuple[EventRecord, Path]]:
    """Three events with clips in a store whose program has ended."""
    with EventStore(settings(tmp_path)) as store:
        return filled(store, 3)


def test_a_sound_store_has_no_problem(tmp_path: Path, made: list[tuple[EventRecord, Path]]) -> None:
    (tmp_path / "gate" / "2026-11-26" / "notes.txt").write_text("mine")
    found = check(tmp_path, repair=True)
    assert (found.is_sound, found.lines) == (True, [f"{tmp_path / 'events.db'}: ok", "3 events, 0.0 MB of files"])
    assert all(path.exists() for _, path in made)


def test_missing_files_are_removed_from_their_rows(tmp_path: Path, made: list[tuple[EventRecord, Path]]) -> None:
    (record, path), *_ = made
    path.unlink()
    found = check(tmp_path, repair=False)
    assert (found.problems, found.lines[1]) == (1, "1 file of 1 event missing")
    assert check(tmp_path, repair=True).is_sound
    assert check(tmp_path, repair=False).lines[1:] == ["3 events, 0.0 MB of files"]
    with EventStore(settings(tmp_path)) as store:
        stored = store.get(record.id)
        assert stored is not None
        assert (stored.clip, stored.clip_start_time, stored.clip_duration_s, stored.bytes) == ("", None, None, 0)


def test_files_without_an_event_are_deleted(tmp_path: Path, made: list[tuple[EventRecord, Path]]) -> None:
    day = made[0][1].parent
    for suffix in (".mp4", "-annotated.mp4", ".boxes.json", ".jpg", "-crop.jpg"):
        (day / f"{new_id()}{suffix}").write_bytes(b"x" * 1000)
    found = check(tmp_path, repair=False)
    assert found.problems == 5
    assert found.lines[1].startswith(f"5 files without an event, 0.0 MB, such as {day}")
    assert check(tmp_path, repair=True).is_sound
    assert sorted(day.iterdir()) == sorted(path for _, path in made)


def test_a_file_that_its_event_does_not_name_is_added(tmp_path: Path, made: list[tuple[EventRecord, Path]]) -> None:
    (record, path), *_ = made
    snapshot = path.with_suffix(".jpg")  # the program was killed before it told the store
    snapshot.write_bytes(b"x" * 77)
    assert check(tmp_path, repair=False).lines[1] == "1 file not named by the row of the event"
    assert check(tmp_path, repair=True).is_sound
    with EventStore(settings(tmp_path)) as store:
        stored = store.get(record.id)
        assert stored is not None
        assert (stored.snapshot, stored.bytes) == (snapshot.relative_to(tmp_path).as_posix(), 1077)


def test_young_files_of_a_running_program_are_left_alone(tmp_path: Path) -> None:
    with EventStore(settings(tmp_path)) as store:
        ((_, path),) = filled(store, 1)
        unfinished = path.with_name(f"{new_id()}.mp4")
        unfinished.write_bytes(b"x")
        assert check(tmp_path, repair=True).is_sound
        assert unfinished.exists()
        old = unfinished.stat().st_mtime - YOUNG_S - 1
        os.utime(unfinished, (old, old))
        assert check(tmp_path, repair=True).is_sound
        assert not unfinished.exists()


def test_events_that_are_deleted_during_the_check_are_no_problem(
    tmp_path: Path, made: list[tuple[EventRecord, Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [record.id for record, _ in made]
    find_all, event_files = queries.find_all, files.event_files

    def rows_then_deletion(*arguments: Any, **options: Any) -> Iterator[EventRecord]:
        found = [*find_all(*arguments, **options)]
        deletion.delete(tmp_path, ids[:1])
        yield from found

    def files_then_deletion(folder: Path, **options: Any) -> Iterator[tuple[Path, str, str]]:
        found = [*event_files(folder, **options)]
        deletion.delete(tmp_path, ids[1:])
        yield from found

    monkeypatch.setattr(queries, "find_all", rows_then_deletion)
    monkeypatch.setattr(files, "event_files", files_then_deletion)
    assert check(tmp_path, repair=False).lines == [f"{tmp_path / 'events.db'}: ok", "0 events, 0.0 MB of files"]


def test_a_corrupt_database_is_replaced_and_clips_are_kept(
    tmp_path: Path, made: list[tuple[EventRecord, Path]]
) -> None:
    with (tmp_path / "events.db").open("r+b") as file:
        file.write(b"\xa5" * 200)
    damaged = check(tmp_path, repair=False)
    assert damaged.problems == 1
    assert damaged.lines == [f"{tmp_path / 'events.db'}: file is not a database"]
    found = check(tmp_path, repair=True)
    assert not found.is_sound  # the clips may belong to events of the old database
    assert any("delete that file first" in line for line in found.lines)
    assert all(path.exists() for _, path in made)
    next(tmp_path.glob("events.db.corrupt-*")).unlink()
    assert check(tmp_path, repair=True).is_sound
    assert not any(path.exists() for _, path in made)


def test_a_corrupt_database_that_is_in_use_is_not_replaced(
    tmp_path: Path, made: list[tuple[EventRecord, Path]]
) -> None:
    with (tmp_path / "events.db").open("r+b") as file:
        file.write(b"\xa5" * 200)
    with locked(tmp_path), pytest.raises(ConfigError, match="another Streamer"):
        check(tmp_path, repair=True)
    assert all(path.exists() for _, path in made)


def test_events_are_deleted_while_a_program_writes(tmp_path: Path) -> None:
    with EventStore(settings(tmp_path)) as store:
        made = filled(store, 450)
        lasting = event()
        store.save(lasting, EventPhase.START)
        assert store.flush()
        chosen = deletion.choose(tmp_path, EventFilter(until=made[-1][0].start_time))
        assert (len(chosen.ids), chosen.bytes, chosen.open) == (449, 449_000, 1)
        deletion.delete(tmp_path, chosen.ids)
        assert {one.id for one in store.find()} == {made[-1][0].id, lasting.id}
    assert [path for _, path in made if path.exists()] == [made[-1][1]]
    assert rows(tmp_path, "SELECT * FROM removed_files") == []


def test_json_lines_and_csv_have_the_same_values(tmp_path: Path) -> None:
    with EventStore(settings(tmp_path)) as store:
        record = ended(label='Person, "tall"', zones=("a", "b"), score=0.98765, text="line\nbreak")
        store.save(record, EventPhase.END)
        add_clip(store, record)
        assert store.flush()
        found = store.find()
    (values,) = [json.loads(line) for line in json_lines(found)]
    (row,) = csv.DictReader(io.StringIO("".join(csv_rows(found)), newline=""))
    assert values["start_time"] == "2026-11-26T12:00:00.000Z"
    assert (values["score"], values["zones"], values["favourite"]) == (0.988, ["a", "b"], False)
    assert (row["label"], row["zones"], row["favourite"], row["text"]) == (
        'Person, "tall"',
        "a b",
        "false",
        "line\nbreak",
    )
    assert values.keys() - row.keys() == {"revision"}
    assert all(row[name] == ("" if values[name] is None else str(values[name])) for name in ("id", "clip", "value"))


def test_followed_events_begin_and_end_once(tmp_path: Path) -> None:
    with EventStore(settings(tmp_path)) as store:
        old, first, other = ended(NOON - 9), event(), event(camera="yard")
        store.save(old, EventPhase.END)
        assert store.flush()
        steps: Iterator[list[tuple[EventRecord, EventPhase]]] = iter(
            [
                [(first, EventPhase.START), (other, EventPhase.START)],
                [(replace(first, revision=2), EventPhase.UPDATE)],
                [(replace(first, end_time=NOON + 3, end_s=8.0, ending=Ending.RULE), EventPhase.END)],
                [(ended(NOON - 1, rule="gate", end_time=NOON - 1), EventPhase.MOMENT)],
            ]
        )

        def wait() -> bool:
            changes = next(steps, None)
            for record, phase in changes or ():
                store.save(record, phase)
            return store.flush() and changes is not None

        seen = [*following.follow(tmp_path, EventFilter(cameras=("gate",)), latest=5, wait=wait)]
    assert [(one.start_time, phase) for one, phase in seen] == [
        (NOON - 9, EventPhase.START),
        (NOON - 9, EventPhase.END),
        (NOON, EventPhase.START),
        (NOON, EventPhase.END),
        (NOON - 1, EventPhase.START),
    ]


def test_following_goes_on_in_a_new_database(tmp_path: Path) -> None:
    with EventStore(settings(tmp_path)) as store:
        filled(store, 1)
        new, waits = ended(NOON + 9), iter(range(4))

        def wait() -> bool:
            step = next(waits, None)
            if step == 0:
                for path in tmp_path.glob("events.db*"):
                    path.unlink()
                (tmp_path / "events.db").touch()  # SQLite makes the file before the tables
            elif step == 1:
                store.save(ended(), EventPhase.END)
                store.flush()
            elif step == 2:
                store.save(new, EventPhase.END)
                store.flush()
            return step is not None

        seen = [*following.follow(tmp_path, EventFilter(), latest=0, wait=wait)]
    assert [one.id for one, _ in seen] == [new.id, new.id]


def test_a_check_leaves_the_store_free_for_a_program(tmp_path: Path, made: list[tuple[EventRecord, Path]]) -> None:
    (tmp_path / "events.db").write_bytes(b"\xa5" * 9000)
    check(tmp_path, repair=True)
    with EventStore(settings(tmp_path)) as store:
        assert store.find() == []
    assert made[0][1].exists()
