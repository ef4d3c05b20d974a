"""Files get their final name only when they are complete."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from streamer.errors import Interrupted, SinkError, SinkUnavailable
from streamer.system.partial_file import PartialFile, completes
from tests.system.permissions import as_an_ordinary_user


def test_the_name_appears_with_the_complete_file(tmp_path: Path) -> None:
    partial = PartialFile(tmp_path / "clip.mp4")
    partial.path.write_bytes(b"half")
    assert partial.path.suffix == ".mp4"
    assert not (tmp_path / "clip.mp4").exists()
    partial.path.write_bytes(b"whole")
    partial.commit()
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mp4"]
    assert (tmp_path / "clip.mp4").read_bytes() == b"whole"


def test_discard_leaves_nothing(tmp_path: Path) -> None:
    partial = PartialFile(tmp_path / "clip.mp4")
    partial.path.write_bytes(b"half")
    partial.discard()
    partial.discard()
    partial.commit()
    assert list(tmp_path.iterdir()) == []


def test_discard_after_commit_keeps_the_file(tmp_path: Path) -> None:
    partial = PartialFile(tmp_path / "clip.mp4")
    partial.commit()
    partial.discard()
    assert (tmp_path / "clip.mp4").exists()


def test_an_existing_file_is_refused_and_untouched(tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").write_bytes(b"old")
    with pytest.raises(SinkUnavailable, match=r"exists already.*set overwrite"):
        PartialFile(tmp_path / "clip.mp4")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"old"]


def test_overwriting_replaces_only_on_commit_and_keeps_the_mode(tmp_path: Path) -> None:
    final = tmp_path / "clip.mp4"
    final.write_bytes(b"old")
    final.chmod(0o640)
    partial = PartialFile(final, overwrite=True)
    partial.path.write_bytes(b"new")
    assert final.read_bytes() == b"old"
    partial.commit()
    assert final.read_bytes() == b"new"
    assert final.stat().st_mode & 0o777 == 0o640


def test_a_file_created_in_the_meantime_is_not_replaced(tmp_path: Path) -> None:
    partial = PartialFile(tmp_path / "clip.mp4")
    partial.path.write_bytes(b"mine")
    (tmp_path / "clip.mp4").write_bytes(b"theirs")
    with pytest.raises(SinkError, match="kept as"):
        partial.commit()
    assert (tmp_path / "clip.mp4").read_bytes() == b"theirs"
    assert partial.path.read_bytes() == b"mine"


def test_a_disk_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    partial = PartialFile(tmp_path / "clip.mp4")
    partial.path.write_bytes(b"whole")
    partial.commit()
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"whole"]
    late = PartialFile(tmp_path / "late.mp4")
    (tmp_path / "late.mp4").write_bytes(b"theirs")
    with pytest.raises(SinkError):
        late.commit()
    assert (tmp_path / "late.mp4").read_bytes() == b"theirs"


def test_a_new_file_has_the_default_mode(tmp_path: Path) -> None:
    (tmp_path / "plain.mp4").touch()
    PartialFile(tmp_path / "clip.mp4").commit()
    assert (tmp_path / "clip.mp4").stat().st_mode == (tmp_path / "plain.mp4").stat().st_mode


def test_a_second_commit_does_nothing(tmp_path: Path) -> None:
    partial = PartialFile(tmp_path / "clip.mp4")
    partial.commit()
    (tmp_path / "clip.mp4").write_bytes(b"edited since")
    partial.commit()
    assert (tmp_path / "clip.mp4").read_bytes() == b"edited since"


def fail_to_sync(monkeypatch: pytest.MonkeyPatch, number: int, *, folders: bool) -> None:
    """Make the sync of files, or of folders, fail."""
    sync = os.fsync

    def fail(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode) == folders:
            raise OSError(number, os.strerror(number))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", fail)


@pytest.mark.parametrize("number", [errno.EIO, errno.EINVAL])
def test_a_file_that_cannot_be_synced_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    partial = PartialFile(tmp_path / "clip.mp4")
    fail_to_sync(monkeypatch, number, folders=False)
    with pytest.raises(SinkError, match=r"cannot finish .*; nothing was kept"):
        partial.commit()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_without_sync_is_accepted_and_a_broken_disk_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_to_sync(monkeypatch, errno.EINVAL, folders=True)
    PartialFile(tmp_path / "clip.mp4").commit()
    assert (tmp_path / "clip.mp4").exists()
    monkeypatch.undo()
    fail_to_sync(monkeypatch, errno.EIO, folders=True)
    with pytest.raises(SinkError, match="Input/output error"):
        PartialFile(tmp_path / "other.mp4").commit()


def test_a_failed_rename_removes_the_created_target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    monkeypatch.setattr(Path, "replace", refuse)
    partial = PartialFile(tmp_path / "clip.mp4")
    with pytest.raises(SinkError, match=r"cannot finish .*Operation not permitted"):
        partial.commit()
    assert list(tmp_path.iterdir()) == []


def test_a_vanished_file_is_an_error(tmp_path: Path) -> None:
    partial = PartialFile(tmp_path / "clip.mp4")
    partial.path.unlink()
    with pytest.raises(SinkError, match="cannot finish"):
        partial.commit()


@pytest.mark.parametrize("name", ["folder", "missing/clip.mp4", "file/clip.mp4", "x" * 300 + ".mp4", "a\0b.mp4"])
def test_invalid_names_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(SinkUnavailable, match="cannot write") as caught:
        PartialFile(tmp_path / name)
    assert "\n" not in str(caught.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


def test_a_folder_without_write_permission_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(SinkUnavailable, match="Permission denied"):
        as_an_ordinary_user(lambda: PartialFile(tmp_path / "clip.mp4"))


@pytest.mark.parametrize(
    "name",
    ["ü" * 125 + ".mp4", "語" * 83 + "a.mp4", "\udce9" * 251 + ".mp4", "x." + "s" * 253, "x" * 100 + "." + "語" * 51],
)
def test_the_longest_name_has_a_temporary_name(tmp_path: Path, name: str) -> None:
    final = tmp_path / name
    assert 253 <= len(os.fsencode(name)) <= 255
    partial = PartialFile(final)
    partial.path.write_bytes(b"whole")
    partial.commit()
    assert final.read_bytes() == b"whole"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_text_is_written_completely_or_not_at_all(tmp_path: Path) -> None:
    partial = PartialFile(tmp_path / "report.json")
    partial.complete("{}\n")
    assert (tmp_path / "report.json").read_bytes() == b"{}\n"
    late = PartialFile(tmp_path / "late.json")
    late.path.unlink()
    late.path.mkdir()
    with pytest.raises(SinkError, match=r"cannot write .*late\.json: Is a directory"):
        late.complete("{}\n")
    assert not (tmp_path / "late.json").exists()


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "clip.mp4").symlink_to(tmp_path / "disk" / "real.mp4")
    partial = PartialFile(tmp_path / "clip.mp4")
    partial.path.write_bytes(b"whole")
    partial.commit()
    assert (tmp_path / "clip.mp4").is_symlink()
    assert (tmp_path / "disk" / "real.mp4").read_bytes() == b"whole"


def test_special_files_are_written_directly() -> None:
    partial = PartialFile(Path("/dev/null"))
    assert partial.path == Path("/dev/null")
    partial.commit()
    partial.discard()
    assert Path("/dev/null").is_char_device()


def test_exceptions_that_complete_an_output() -> None:
    kinds = (None, Interrupted, KeyboardInterrupt, SystemExit, ValueError, SinkError)
    assert [completes(kind) for kind in kinds] == [True, True, True, True, False, False]
