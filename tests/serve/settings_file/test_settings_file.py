"""The settings file is changed in one step or not at all, whatever happens meanwhile."""

from __future__ import annotations

import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
import yaml

from streamer.errors import ConfigError, ModelError
from streamer.serve.settings_file.settings_file import FileChanged, SettingsFile, revision_of
from streamer.serve.settings_file.yaml_text import YamlText
from tests.disks import mounted_disk

SITE = "# mine\ncameras:\n  front: rtsp://192.0.2.10/1\n"
YARD = "  yard: rtsp://192.0.2.11/1\n"


def add(name: str = "yard", uri: str = "rtsp://192.0.2.11/1") -> Callable[[YamlText], None]:
    return lambda text: text.set(("cameras", name), uri)


def nothing() -> None: ...


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "site.yaml"
    path.write_text(SITE)
    return path


def check_untouched(path: Path) -> None:
    """The file is as before, and nothing lies beside it."""
    assert path.read_text() == SITE
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_a_change_keeps_the_mode_and_is_applied_once(path: Path) -> None:
    path.chmod(0o640)
    seen: list[str] = []
    SettingsFile(path).change(add(), lambda: seen.append(path.read_text()), revision_of(SITE.encode()))
    assert seen == [SITE + YARD]
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert [one.name for one in path.parent.iterdir()] == ["site.yaml"]


def test_a_link_stays_and_its_file_is_changed(path: Path, tmp_path: Path) -> None:
    (tmp_path / "links").mkdir()
    link = tmp_path / "links" / "site.yaml"
    link.symlink_to(path)
    SettingsFile(link).change(add(), nothing)
    assert link.is_symlink()
    assert path.read_text() == SITE + YARD


@pytest.mark.parametrize("error", [ConfigError("no such class"), ModelError("no model"), KeyboardInterrupt()])
def test_what_cannot_be_applied_is_taken_back(path: Path, error: BaseException) -> None:
    inode = path.stat().st_ino

    def fail() -> None:
        raise error

    with pytest.raises(type(error)):
        SettingsFile(path).change(add(), fail)
    check_untouched(path)
    assert path.stat().st_ino == inode


def test_invalid_settings_are_not_written(path: Path) -> None:
    applied: list[int] = []
    with pytest.raises(ConfigError, match="cameras: 'a b' is no name of a camera"):
        SettingsFile(path).change(add("a b"), lambda: applied.append(1))
    with pytest.raises(ConfigError, match=r"cameras.yard.source.uri: missing.mp4: no such file"):
        SettingsFile(path).change(add("yard", "missing.mp4"), lambda: applied.append(1))
    check_untouched(path)
    assert not applied


def test_values_of_the_command_line_override_the_file_and_are_not_written(path: Path) -> None:
    file = SettingsFile(path, ["cameras.front.delay_s=2"])
    file.change(add(), nothing)
    assert path.read_text() == SITE + YARD
    assert file.load().cameras["front"].delay_s == 2


def test_the_second_of_two_changes_is_told(path: Path) -> None:
    file, revision = SettingsFile(path), revision_of(SITE.encode())
    assert file.revision == revision
    file.change(add(), nothing, revision)
    with pytest.raises(FileChanged, match="somebody else has changed"):
        file.change(add("side"), nothing, revision)
    file.change(add("side"), nothing, file.revision)
    assert list(yaml.safe_load(path.read_text())["cameras"]) == ["front", "yard", "side"]


def test_a_change_by_hand_meanwhile_is_not_overwritten(path: Path) -> None:
    mine = SITE + "# by hand\n"

    def edit(text: YamlText) -> None:
        add()(text)
        path.write_text(mine)

    with pytest.raises(FileChanged, match="somebody else has changed"):
        SettingsFile(path).change(edit, nothing)
    assert path.read_text() == mine
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_changes_wait_for_one_another(path: Path) -> None:
    file, inside, go_on = SettingsFile(path), threading.Event(), threading.Event()

    def apply() -> None:
        inside.set()
        assert go_on.wait(30)

    first = threading.Thread(target=file.change, args=(add(), apply))
    second = threading.Thread(target=file.change, args=(add("side"), nothing))
    first.start()
    assert inside.wait(30)
    second.start()
    assert "side" not in path.read_text()
    go_on.set()
    for thread in (first, second):
        thread.join(30)
    assert path.read_text() == SITE + YARD + "  side: rtsp://192.0.2.11/1\n"


def test_invalid_yaml_of_a_person_is_named(path: Path) -> None:
    file = SettingsFile(path)
    path.write_text("cameras: [\n")
    with pytest.raises(ConfigError, match=r"site.yaml is not valid YAML \(line"):
        file.change(add(), nothing)
    assert path.read_text() == "cameras: [\n"


def test_a_file_that_is_gone_is_not_made_again(path: Path) -> None:
    for file in (SettingsFile(path), SettingsFile(path, events=path.parent / "events")):
        path.write_text(SITE)
        assert file.load().cameras
        path.unlink()
        assert file.revision == ""
        for read in (file.load, lambda file=file: file.change(add(), nothing)):
            with pytest.raises(ConfigError, match="cannot read the configuration"):
                read()
    assert not list(path.parent.iterdir())


def test_a_new_file_is_private_and_keeps_the_events(tmp_path: Path) -> None:
    path, events = tmp_path / "config" / "site.yaml", tmp_path / "data: 1" / "events"
    file = SettingsFile(path, ["detector.name=starter"], events=events)
    settings = file.load()
    assert (settings.cameras, settings.store.folder) == ({}, events)
    revision = file.revision
    file.change(add(), nothing, revision)
    text = path.read_text()
    assert text.startswith("# The cameras of 'streamer serve'.")
    assert yaml.safe_load(text) == {"store": {"folder": str(events)}, "cameras": {"yard": "rtsp://192.0.2.11/1"}}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert file.load().store == settings.store
    with pytest.raises(FileChanged):
        file.change(add("side"), nothing, revision)


def test_a_new_file_that_cannot_be_applied_is_removed(tmp_path: Path) -> None:
    def fail() -> None:
        raise ConfigError("no")

    path = tmp_path / "site.yaml"
    with pytest.raises(ConfigError, match="no"):
        SettingsFile(path, events=tmp_path / "events").change(add(), fail)
    assert not list(tmp_path.iterdir())


def test_a_read_only_file_is_respected(path: Path) -> None:
    path.chmod(0o444)
    with pytest.raises(ConfigError, match=r"site.yaml is read-only; .*chmod u\+w"):
        SettingsFile(path).change(add(), nothing)
    check_untouched(path)


def fill(disk: Path) -> None:
    """Write a file until the disk is full."""
    with suppress(OSError), (disk / "other").open("wb", buffering=0) as other:
        while True:
            other.write(b"x" * 512)


def test_a_full_disk_changes_nothing(tmp_path: Path) -> None:
    with mounted_disk(tmp_path, "64k") as disk:
        path = disk / "site.yaml"
        path.write_text(SITE)
        fill(disk)
        with pytest.raises(ConfigError, match=r"No space left on device; free some space; nothing is changed"):
            SettingsFile(path).change(add(), nothing)
        assert path.read_text() == SITE
        assert sorted(one.name for one in disk.iterdir()) == ["other", "site.yaml"]


def test_a_full_disk_cannot_keep_a_change_that_is_taken_back(tmp_path: Path) -> None:
    with mounted_disk(tmp_path, "64k") as disk:
        path = disk / "site.yaml"
        path.write_text(SITE)

        def fill_and_fail() -> None:
            fill(disk)
            raise ConfigError("no")

        with pytest.raises(ConfigError, match="no"):
            SettingsFile(path).change(add(), fill_and_fail)
        assert path.read_text() == SITE


def test_a_killed_program_leaves_a_valid_file_and_the_next_change_works(path: Path) -> None:
    program = (
        "import os, signal, sys; from pathlib import Path;"
        "from streamer.serve.settings_file.settings_file import SettingsFile;"
        "SettingsFile(Path(sys.argv[1])).change("
        "lambda text: text.set(('cameras', 'yard'), 'rtsp://192.0.2.11/1'),"
        "lambda: os.kill(os.getpid(), signal.SIGKILL))"
    )
    killed = subprocess.run([sys.executable, "-c", program, str(path)], check=False, timeout=100)
    assert killed.returncode == -signal.SIGKILL
    assert path.read_text() == SITE + YARD
    SettingsFile(path).change(add("side"), nothing)
    assert [one.name for one in path.parent.iterdir()] == ["site.yaml"]
    assert len(SettingsFile(path).load().cameras) == 3
