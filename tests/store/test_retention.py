"""Events beyond the limits are deleted with their files, the oldest first; favourites and open events stay."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from streamer.errors import ConfigError
from streamer.store import changes, files
from streamer.store.database import writer
from streamer.store.database.connections import open_for_reading, open_for_writing
from streamer.store.event_store import EventStore
from streamer.store.records import EventFilter
from streamer.store.retention import retention
from streamer.store.retention.age_clock import GRACE_S, AgeClock
from streamer.values.events import EventPhase
from tests.disks import mounted_disk
from tests.store.stores import DAY_S, DEADLINE_S, NOON, add_clip, ended, event, filled, rows, settings, until

GB = 1_000_000_000


class Clock:
    """A clock that stands where it is put."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def test_old_events_are_deleted_with_their_files(tmp_path: Path) -> None:
    with EventStore(settings(tmp_path), clock=lambda: NOON + 30 * DAY_S) as store:
        (old, old_path), (favourite, favourite_path) = filled(store, 2)
        ((young, young_path),) = filled(store, 1, begin=NOON + 20 * DAY_S)
        lasting, long = event(NOON), ended(NOON, end_time=NOON + 20 * DAY_S)
        store.save(lasting, EventPhase.START)
        store.save(long, EventPhase.END)
        store.favourite([favourite.id], True)
        assert store.flush()
    with EventStore(settings(tmp_path, keep_days=14), clock=lambda: NOON + 30 * DAY_S) as store:
        until(lambda: store.get(old.id) is None and not old_path.exists())
        assert {one.id for one in store.find()} == {favourite.id, young.id, lasting.id, long.id}
        assert favourite_path.exists()
        assert young_path.exists()
        assert old_path.parent.exists()  # it has the clip of the favourite


def test_the_folder_of_a_day_goes_with_its_last_file(tmp_path: Path) -> None:
    with EventStore(settings(tmp_path)) as store:
        ((_, path),) = filled(store, 1, begin=NOON - 400 * DAY_S)
        assert store.flush()
    with EventStore(settings(tmp_path, keep_days=300)):
        until(lambda: not path.parent.parent.exists())


def test_the_oldest_events_are_deleted_beyond_the_size(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with EventStore(settings(tmp_path)) as store:
        made = filled(store, 120, size=100)
        store.favourite([made[0][0].id], True)
        assert store.flush()
    with EventStore(settings(tmp_path, keep_gb=5000 / GB)) as store:
        until(lambda: len(store.find(limit=200)) == 50)
        assert {one.id for one in store.find(limit=200)} == {one.id for one, _ in (made[0], *made[-49:])}
        until(lambda: not rows(tmp_path, "SELECT * FROM removed_files"))
    assert {path for _, path in made if path.exists()} == {path for _, path in (made[0], *made[-49:])}
    assert not caplog.records


def test_favourites_beyond_the_size_are_said_and_kept(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with EventStore(settings(tmp_path)) as store:
        made = filled(store, 3, size=100)
        store.favourite([one.id for one, _ in made], True)
        assert store.flush()
    with EventStore(settings(tmp_path, keep_gb=100 / GB)) as store:
        until(lambda: bool(caplog.records))
        assert len(store.find()) == 3
    assert "larger than store.keep_gb" in caplog.text


def test_the_oldest_files_go_while_the_disk_has_too_little_space(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with EventStore(settings(tmp_path)) as store:
        made = filled(store, 10)
        empty = ended(NOON - 1)
        store.save(empty, EventPhase.END)
        assert store.flush()

    def disk(_: Path) -> tuple[int, int]:
        return sum(not path.exists() for _, path in made) * 1000, 100 * GB

    monkeypatch.setattr(retention, "disk_space", disk)
    with EventStore(settings(tmp_path, min_free_gb=4000 / GB)) as store:
        until(lambda: len(store.find()) == 7)
        assert {one.id for one in store.find()} == {one.id for one, _ in made[4:]} | {empty.id}
    assert caplog.text.count("store.min_free_gb") == 1


def test_a_disk_that_is_smaller_than_the_free_space_keeps_a_tenth(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(retention, "disk_space", lambda _: (GB // 2, GB // 2))
    with EventStore(settings(tmp_path, min_free_gb=1)) as store:
        filled(store, 1)
        until(lambda: bool(caplog.records))
    assert "has 0.5 GB in all; 0.05 GB are kept free" in caplog.text


def test_files_that_a_killed_program_did_not_delete_are_deleted(tmp_path: Path) -> None:
    with EventStore(settings(tmp_path)) as store:
        ((record, path),) = filled(store, 1)
    connection = open_for_writing(tmp_path / "events.db")
    changes.delete(connection, [record.id])
    connection.close()
    assert path.exists()
    with EventStore(settings(tmp_path)):
        until(lambda: not path.exists())
        until(lambda: not rows(tmp_path, "SELECT * FROM removed_files"))


def test_old_files_of_a_lost_database_are_deleted(tmp_path: Path) -> None:
    with EventStore(settings(tmp_path)) as store:
        made = [*filled(store, 2, begin=NOON - 30 * DAY_S), *filled(store, 1)]
        store.favourite([made[0][0].id], True)
        notes = made[0][1].with_name("notes.txt")
        notes.touch()
    connection = open_for_writing(tmp_path / "events.db")
    with connection:
        connection.execute("DELETE FROM events WHERE NOT favourite")
    connection.close()
    with EventStore(settings(tmp_path, keep_days=14), clock=lambda: NOON + 7200):
        until(lambda: not made[1][1].exists())
    assert made[0][1].exists()  # its event is a favourite
    assert made[2][1].exists()  # it is young
    assert notes.exists()


def test_files_that_cannot_be_deleted_are_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with EventStore(settings(tmp_path)) as store:
        made = filled(store, 120)
        for _, path in made[:5]:
            path.unlink()
            path.mkdir()  # a folder cannot be deleted like a file
        store.delete([one.id for one, _ in made])
        assert store.flush()
        until(lambda: len(rows(tmp_path, "SELECT * FROM removed_files")) == 5)
        store.delete([])  # the next attempt
        ((_, last),) = filled(store, 1)
        store.delete([one.id for one in store.find()])
        until(lambda: not last.exists())
    assert caplog.text.count("cannot delete") == 1


def test_a_limit_of_many_years_keeps_events(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with EventStore(settings(tmp_path, keep_days=1e7)) as store:
        ((record, path),) = filled(store, 1)
        store.delete([record.id])
        until(lambda: not path.exists())  # the thread has applied the limits, and goes on
    assert not caplog.records


# Clocks that jump


def test_a_clock_that_leaps_ahead_deletes_nothing_by_age(caplog: pytest.LogCaptureFixture) -> None:
    clock, steady = Clock(NOON), Clock(0.0)
    age = AgeClock(14 * DAY_S, NOON - 60, clock=clock, steady=steady)
    assert age.now() == NOON
    clock.now, steady.now = NOON + 365 * DAY_S, 60.0
    assert age.now() is None
    clock.now, steady.now = clock.now + GRACE_S / 2, steady.now + GRACE_S / 2
    assert age.now() is None
    clock.now, steady.now = NOON + GRACE_S / 2, steady.now + 1
    assert age.now() == clock.now  # it is corrected
    assert caplog.text.count("the clock has moved") == 1


def test_a_leap_that_is_right_counts_after_a_day() -> None:
    clock, steady = Clock(NOON), Clock(0.0)
    age = AgeClock(14 * DAY_S, NOON - 60, clock=clock, steady=steady)
    clock.now, steady.now = NOON + 365 * DAY_S, 60.0
    assert age.now() is None
    clock.now, steady.now = clock.now + GRACE_S, steady.now + GRACE_S
    assert age.now() == clock.now


@pytest.mark.parametrize(("off_days", "deletes"), [(2.0, True), (6.9, True), (7.1, False), (4000.0, False)])
def test_a_start_long_after_the_last_use_waits_for_a_day(
    off_days: float, deletes: bool, caplog: pytest.LogCaptureFixture
) -> None:
    age = AgeClock(14 * DAY_S, NOON, clock=Clock(NOON + off_days * DAY_S), steady=Clock(0.0))
    assert (age.now() is not None) == deletes
    assert deletes or f"the clock has moved {off_days * 24:.0f} h since the store was last used" in caplog.text


def test_summer_time_and_time_servers_change_nothing() -> None:
    clock, steady = Clock(NOON), Clock(0.0)
    age = AgeClock(14 * DAY_S, None, clock=clock, steady=steady)
    for step_s in (3500.0, -3500.0, -DAY_S, 60.0):
        clock.now, steady.now = clock.now + 60 + step_s, steady.now + 60
        assert age.now() == clock.now


def test_a_program_that_starts_with_a_wrong_clock_keeps_its_events(tmp_path: Path) -> None:
    with EventStore(settings(tmp_path, keep_days=14), clock=lambda: NOON + 60) as store:
        made = filled(store, 3)
    with EventStore(settings(tmp_path, keep_days=14), clock=lambda: NOON + 4000 * DAY_S) as store:
        late = ended(NOON + 4000 * DAY_S)
        store.save(late, EventPhase.END)
        store.delete([made[0][0].id])
        until(lambda: not made[0][1].exists())  # the thread has applied the limits
        assert [one.id for one in store.find()] == [late.id, made[2][0].id, made[1][0].id]


def test_without_a_limit_of_age_no_clock_is_warned_about(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for now in (NOON, NOON + 4000 * DAY_S):
        with EventStore(settings(tmp_path), clock=lambda now=now: now) as store:  # type: ignore[misc]
            store.save(ended(now), EventPhase.END)
    assert not caplog.records


def test_the_end_of_a_killed_event_is_known_without_other_events(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "SEEN_EVERY_S", 0.01)
    clock = Clock(NOON)
    lasting = event(NOON)
    with EventStore(settings(tmp_path), clock=clock) as store:
        store.save(lasting, EventPhase.START)
        assert store.flush()
        clock.now = NOON + 3600
        until(lambda: rows(tmp_path, "SELECT value FROM state WHERE name = 'seen_time'") == [(clock.now,)])
    with EventStore(settings(tmp_path), clock=lambda: NOON + DAY_S) as store:
        found = store.get(lasting.id)
        assert found is not None
        assert found.end_time == NOON + 3600


# A disk that fills up


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 3 MB."""
    with mounted_disk(tmp_path, "3m") as disk:
        yield disk


def fill(disk: Path) -> Path:
    """Take all free space of a disk."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError:
            return ballast
    raise AssertionError("the disk has no end")


def test_on_a_full_disk_the_oldest_events_make_room(small_disk: Path, caplog: pytest.LogCaptureFixture) -> None:
    with EventStore(settings(small_disk)) as store:
        made = filled(store, 10, size=100_000)
        store.favourite([made[0][0].id], True)
        assert store.flush()
        fill(small_disk)
        records = [ended(NOON + DAY_S + number, text="x" * 500) for number in range(300)]
        for record in records:
            store.save(record, EventPhase.END)
        assert store.flush(DEADLINE_S)
        until(lambda: store.get(made[1][0].id) is None)
        stored = store.find(EventFilter(since=NOON + DAY_S), limit=5000)
        assert [one.id for one in stored] == [one.id for one in reversed(records)]
        assert made[0][1].exists()
        assert not made[1][1].exists()
        assert made[9][1].exists()
    said = [record.getMessage() for record in caplog.records if "is full" in record.getMessage()]
    assert len(said) == 2, said


def test_events_wait_in_memory_until_a_full_disk_has_room(small_disk: Path, caplog: pytest.LogCaptureFixture) -> None:
    with EventStore(settings(small_disk)) as store:
        ballast = fill(small_disk)
        records = [ended(NOON + number, text="x" * 500) for number in range(500)]
        for record in records:
            store.save(record, EventPhase.END, ["mqtt"])
        until(lambda: "they wait in memory" in caplog.text)
        assert store.find() == []
        ballast.unlink()
        assert store.flush(DEADLINE_S)
        assert len(store.find(limit=1000)) == store.waiting("mqtt") == len(records)
    assert "events are written again" in caplog.text
    assert caplog.text.count("cannot be written") == 1


def test_a_program_ends_on_a_full_disk_and_says_what_is_lost(
    small_disk: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with EventStore(settings(small_disk)) as store:
        fill(small_disk)
        for _ in range(500):
            store.save(ended(text="x" * 500), EventPhase.END)
        until(lambda: "they wait in memory" in caplog.text)
    assert "500 changes of events not written" in caplog.text
    assert shutil.disk_usage(small_disk).free == 0


def test_a_store_cannot_begin_on_a_full_disk(small_disk: Path) -> None:
    fill(small_disk)
    with pytest.raises(ConfigError, match=r"^store\.folder: cannot write \S+events\.db: its disk is full"):
        EventStore(settings(small_disk)).__enter__()


def test_a_killed_program_starts_again_on_a_full_disk(small_disk: Path) -> None:
    with EventStore(settings(small_disk)) as store:
        made = filled(store, 10, size=100_000)
        lasting = [event(NOON + number, text="x" * 500) for number in range(100)]
        for record in lasting:
            store.save(record, EventPhase.START)
        assert store.flush()
        left = open_for_reading(small_disk / "events.db")  # the log stays, as of a killed program
        left.execute("SELECT * FROM events LIMIT 1").fetchall()
    fill(small_disk)
    with EventStore(settings(small_disk), targets_for=lambda *_: ["mqtt"]) as store:
        until(lambda: store.waiting("mqtt") == len(lasting))
        assert store.find(EventFilter(open=True)) == []
        assert not made[0][1].exists()
    left.close()


def test_only_files_of_the_store_are_deleted(tmp_path: Path) -> None:
    for outside in ("", "/etc/passwd", "../x", "a/../../x"):
        assert files.place(tmp_path, outside) is None
    with EventStore(settings(tmp_path)) as store:
        record = ended()
        store.save(record, EventPhase.END)
        clip = add_clip(store, record)
        assert files.place(tmp_path, clip.relative_to(tmp_path).as_posix()) == clip
