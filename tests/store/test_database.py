"""Database files that are corrupt, of another version or program, or in a folder that does not fit."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from streamer.errors import ConfigError
from streamer.store import schema
from streamer.store.commands.access import changing, reading
from streamer.store.database import folder as store_folder
from streamer.store.database.connections import LOG_BYTES, StoreError, open_for_writing
from streamer.store.event_store import EventStore
from streamer.store.records import EventFilter
from streamer.values.events import EventPhase
from tests.store.stores import NOON, ended, filled, rows, settings, until

PAGE = 4096


def damage(path: Path, first: int, last: int) -> None:
    """Overwrite bytes of a file."""
    with path.open("r+b") as file:
        file.seek(first)
        file.write(b"\xa5" * (last - first))


def damage_index(folder: Path, name: str) -> None:
    """Overwrite the first page of an index."""
    ((page,),) = rows(folder, f"SELECT rootpage FROM sqlite_master WHERE name = '{name}'")
    damage(folder / "events.db", (page - 1) * PAGE, page * PAGE)


def kept(folder: Path) -> list[Path]:
    """The databases that were set aside, without their logs."""
    return [path for path in folder.glob("events.db.corrupt-*") if not path.name.endswith(("-wal", "-shm"))]


def test_a_corrupt_database_is_set_aside_and_a_new_one_begins(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with EventStore(settings(tmp_path)) as store:
        filled(store, 3)
    damage(tmp_path / "events.db", 0, 200)
    content = (tmp_path / "events.db").read_bytes()
    with EventStore(settings(tmp_path)) as store:
        store.save(ended(), EventPhase.END)
        assert store.flush()
        assert len(store.find()) == 1
    (aside,) = kept(tmp_path)
    assert aside.read_bytes() == content
    assert f"{tmp_path / 'events.db'} is corrupt" in caplog.text
    assert aside.name in caplog.text


def test_what_can_be_read_of_a_corrupt_database_is_taken_over(tmp_path: Path) -> None:
    with EventStore(settings(tmp_path)) as store:
        for number in range(2000):
            store.save(ended(), EventPhase.END, ["mqtt"] if number % 10 == 0 else [])
        assert store.flush()
    damage_index(tmp_path, "events_by_time")
    middle = (tmp_path / "events.db").stat().st_size // PAGE // 2 * PAGE
    damage(tmp_path / "events.db", middle, middle + PAGE)
    with EventStore(settings(tmp_path)) as store:
        assert store.find(limit=1)
        assert len(store.find(limit=3000)) > 1500
        assert store.waiting("mqtt") > 100
    assert rows(tmp_path, "PRAGMA integrity_check") == [("ok",)]


def test_damage_that_a_read_finds_replaces_the_database(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with EventStore(settings(tmp_path)) as store:
        for _ in range(500):
            store.save(ended(), EventPhase.END)
    with EventStore(settings(tmp_path)) as store:
        damage_index(tmp_path, "events_by_camera")
        assert store.find(EventFilter(cameras=("gate",))) == []
        until(lambda: len(kept(tmp_path)) == 1)
        until(lambda: len(store.find(EventFilter(cameras=("gate",)), limit=1000)) == 500)
        store.save(ended(), EventPhase.END, ["mqtt"])
        assert store.flush()
        assert len(store.find(limit=1000)) == 501
        assert store.waiting("mqtt") == 1
    assert "500 events and 0 waiting messages" in caplog.text


def test_a_corrupt_database_that_cannot_be_renamed_yet_is_replaced_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with EventStore(settings(tmp_path)) as store:
        for _ in range(500):
            store.save(ended(), EventPhase.END)
    mistakes = [PermissionError(13, "Permission denied"), OSError(30, "Read-only file system")]
    rename = Path.rename

    def refused(path: Path, target: Path) -> Path:
        if mistakes:
            raise mistakes.pop()
        return rename(path, target)

    with EventStore(settings(tmp_path)) as store:
        monkeypatch.setattr(Path, "rename", refused)
        damage_index(tmp_path, "events_by_camera")
        store.save(last := ended(NOON + 1), EventPhase.END)
        assert store.find(EventFilter(cameras=("gate",))) == []
        store.save(ended(NOON + 2), EventPhase.END)
        assert store.flush()
        assert store.get(last.id) == last
        assert len(store.find(limit=1000)) == 502
    assert len(kept(tmp_path)) == 1
    assert "cannot rename the corrupt" in caplog.text
    assert caplog.text.count("a new database begins") == 1


def test_a_corrupt_database_keeps_its_name_if_no_new_one_can_begin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with EventStore(settings(tmp_path)) as store:
        filled(store, 3)
    damage(tmp_path / "events.db", 0, 200)
    content = (tmp_path / "events.db").read_bytes()
    monkeypatch.setattr(schema, "STEPS", ("CREATE TABLE",))
    with pytest.raises(ConfigError, match="cannot write"):
        EventStore(settings(tmp_path)).__enter__()
    assert (tmp_path / "events.db").read_bytes() == content
    assert kept(tmp_path) == []


def test_the_log_of_a_long_read_becomes_small_again(tmp_path: Path) -> None:
    log, large = tmp_path / "events.db-wal", "x" * 4000
    with EventStore(settings(tmp_path)) as store, reading(tmp_path) as connection:
        connection.execute("BEGIN")
        connection.execute("SELECT count(*) FROM events").fetchone()
        for part in range(12):
            for _ in range(500):
                store.save(ended(text=large), EventPhase.END)
            assert store.flush()
            if part == 7:
                assert log.stat().st_size > LOG_BYTES
                connection.execute("COMMIT")
        assert log.stat().st_size <= LOG_BYTES


def test_a_database_that_is_deleted_while_the_program_runs_begins_anew(tmp_path: Path) -> None:
    last = ended()
    with EventStore(settings(tmp_path)) as store:
        filled(store, 3)
        for path in tmp_path.glob("events.db*"):
            path.unlink()
        store.save(last, EventPhase.END)
        assert store.flush()
        assert store.find() == [last]


def test_a_folder_that_is_gone_for_a_while_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    mistakes = [ConfigError("store.folder: cannot open it")] * 3

    def refused(path: Path) -> sqlite3.Connection:
        if mistakes:
            raise mistakes.pop()
        return open_for_writing(path)

    with EventStore(settings(tmp_path)) as store:
        filled(store, 3)
        monkeypatch.setattr("streamer.store.database.writer.open_for_writing", refused)
        for path in tmp_path.glob("events.db*"):
            path.unlink()
        store.save(last := ended(), EventPhase.END)
        assert store.flush(60)
        assert store.find() == [last]
    assert caplog.text.count("was deleted while the program runs") == 1


def test_a_database_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    with EventStore(settings(tmp_path)):
        pass
    connection = sqlite3.connect(tmp_path / "events.db")
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(ConfigError, match=r"^store\.folder: \S+ has version 99.* update Streamer, or"):
        EventStore(settings(tmp_path)).__enter__()
    with pytest.raises(ConfigError, match="version 99"), reading(tmp_path):
        pass
    assert kept(tmp_path) == []


def test_the_database_of_another_program_is_refused(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "events.db")
    connection.execute("CREATE TABLE events (id)")
    connection.close()
    with pytest.raises(ConfigError, match="database of another program; choose another folder"):
        EventStore(settings(tmp_path)).__enter__()


def test_version_1_is_upgraded_with_its_events(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "events.db")
    connection.executescript((Path(__file__).parent / "version_1.sql").read_text())
    connection.close()
    with reading(tmp_path) as connection:  # a command upgrades it, too
        assert schema.version_of(connection) == schema.VERSION
    with EventStore(settings(tmp_path)) as store:
        (record,) = store.find()
        assert (record.camera, record.label, record.zones, record.favourite) == ("gate", "Person", ("door",), True)
        (delivery,) = store.pending("mqtt")
        assert (delivery.event_id, delivery.phase, delivery.event.label) == (record.id, EventPhase.END, "Person")


def test_an_empty_file_becomes_a_database(tmp_path: Path) -> None:
    (tmp_path / "events.db").touch()
    with EventStore(settings(tmp_path)) as store:
        store.save(ended(), EventPhase.END)
        assert store.flush()
    assert kept(tmp_path) == []


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"^store\.folder: cannot write \S+file/store: Not a directory; choose"):
        EventStore(settings(tmp_path / "file" / "store")).__enter__()
    with pytest.raises(ConfigError, match="has no events"), changing(tmp_path):
        pass


@pytest.mark.system
def test_a_folder_without_rights_is_refused(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root may become another user")
    code = (
        "import os, sys; from tests.store.stores import settings; from streamer.store.event_store import EventStore; "
        "from pathlib import Path; os.seteuid(65534); EventStore(settings(Path(sys.argv[1]))).__enter__()"
    )
    tmp_path.chmod(0o755)
    command = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "ConfigError: store.folder: cannot write" in done.stderr
    assert "Permission denied" in done.stderr


@pytest.mark.system
@pytest.mark.parametrize(("rights", "reason"), [(0o700, "Permission denied"), (0o755, "a readonly database")])
def test_a_command_without_rights_says_whom_to_be(rights: int, reason: str) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root may become another user")
    code = (
        "import os, sys; from pathlib import Path; from streamer.store.commands.access import reading; "
        "os.seteuid(65534); reading(Path(sys.argv[1])).__enter__()"
    )
    with tempfile.TemporaryDirectory() as name:  # its parents can be entered by all users
        with EventStore(settings(Path(name))):
            pass
        Path(name).chmod(rights)
        done = subprocess.run([sys.executable, "-c", code, name], capture_output=True, text=True, check=False)
    message = done.stderr.splitlines()[-1]
    assert message.startswith("streamer.errors.ConfigError: store.folder: cannot read")
    assert reason in message
    assert message.endswith("run it as the user that stores the events")


@pytest.mark.parametrize(
    ("mounts", "kind"),
    [
        ("/dev/sda1 / ext4 rw 0 0\nnas:/v {} nfs4 rw 0 0\n", "nfs4"),
        ("/dev/sda1 / ext4 rw 0 0\nme@nas: {} fuse.sshfs rw 0 0\n", "sshfs"),
        ("//nas/v / cifs rw 0 0\n/dev/sda1 {} ext4 rw 0 0\n", None),
        ("nas:/v {} nfs rw 0 0\n/dev/sda1 {} ext4 rw 0 0\n", None),
        ("nas:/v {}/other nfs rw 0 0\n", None),
    ],
)
def test_a_network_file_system_is_warned_about(
    tmp_path: Path, mounts: str, kind: str | None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    disk = tmp_path / "my disk"
    table = tmp_path / "mounts"
    table.write_text(mounts.replace("{}", str(disk).replace(" ", r"\040")))
    monkeypatch.setattr(store_folder, "_MOUNTS", table)
    with EventStore(settings(disk / "store")) as store:
        store.save(ended(), EventPhase.END)
    assert [f"({kind})" in record.getMessage() for record in caplog.records] == ([] if kind is None else [True])


def test_a_command_says_that_the_database_is_corrupt(tmp_path: Path) -> None:
    with EventStore(settings(tmp_path)):
        pass
    damage(tmp_path / "events.db", 0, 200)
    with pytest.raises(StoreError, match=r"is corrupt .*--repair' sets it aside"), reading(tmp_path):
        pass


def test_a_corrupt_database_of_version_1_is_read_too(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "events.db")
    connection.executescript((Path(__file__).parent / "version_1.sql").read_text())
    connection.close()
    damage_index(tmp_path, "events_by_time")
    with EventStore(settings(tmp_path)) as store:
        (record,) = store.find()
        assert (record.camera, store.waiting("mqtt")) == ("gate", 1)
    assert len(kept(tmp_path)) == 1


def test_version_1_is_what_the_first_step_makes() -> None:
    """A released step of the schema never changes."""
    made, released = sqlite3.connect(":memory:"), sqlite3.connect(":memory:")
    made.executescript(schema.STEPS[0])
    released.executescript((Path(__file__).parent / "version_1.sql").read_text())
    tables = "SELECT sql FROM sqlite_master ORDER BY name"
    assert made.execute(tables).fetchall() == released.execute(tables).fetchall()
