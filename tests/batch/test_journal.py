"""The journal of a batch: what a killed program has written of it, and who may write it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from streamer.batch.file_identity import FileIdentity
from streamer.batch.journal import JOURNAL, Entry, FileState, Journal
from streamer.errors import ConfigError, SinkUnavailable
from streamer.run.outcome import RunFigures


def entry(file: str, state: FileState = FileState.DONE) -> Entry:
    return Entry(
        file=file, state=state, outputs={f"{file}.jsonl": None}, figures=RunFigures("complete", 5, 2.5, {"Car": 1})
    )


def test_the_last_line_of_a_file_counts(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        journal.add(entry("a", FileState.BEGUN))
        journal.add(entry("a"))
        journal.add(entry("b", FileState.BEGUN))
    with Journal(tmp_path) as journal:
        assert journal.entry("a") == entry("a").model_copy(update={"at": journal.entry("a").at})  # type: ignore[union-attr]
        assert journal.entry("b").state is FileState.BEGUN  # type: ignore[union-attr]
        assert journal.entry("c") is None
        assert journal.has_written("b.jsonl")
        assert not journal.has_written("c.jsonl")


@pytest.mark.parametrize("cut", range(1, 80, 13))
def test_a_cut_line_loses_itself_only(cut: int, tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        journal.add(entry("a"))
        journal.add(entry("b"))
    path = tmp_path / JOURNAL
    path.write_bytes(path.read_bytes()[:-cut])
    with Journal(tmp_path) as journal:
        assert journal.entry("a") is not None
        assert (journal.entry("b") is None) == (cut > 1)  # without its line end it is whole
        journal.add(entry("c"))
    with Journal(tmp_path) as journal:
        assert journal.entry("a") is not None
        assert journal.entry("c") is not None


def test_lines_of_other_programs_are_ignored(tmp_path: Path) -> None:
    (tmp_path / JOURNAL).write_bytes(b"\n\xff\xfe not JSON\n[]\n{}\n" + b'{"file":"a","state":"done","later":1}\n')
    with Journal(tmp_path) as journal:
        assert journal.entry("a") is not None


def test_a_name_need_not_be_text(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        journal.add(entry("caf\udce9.mp4"))
    with Journal(tmp_path) as journal:
        assert journal.entry("caf\udce9.mp4") is not None
        assert journal.has_written("caf\udce9.mp4.jsonl")


def test_every_line_has_its_time(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        for _ in range(20):
            journal.add(Entry(file="a.mp4", state=FileState.BEGUN))
    lines = (tmp_path / JOURNAL).read_text(encoding="utf-8").splitlines()
    assert all("at" in json.loads(line) for line in lines)


def test_nothing_is_written_before_the_first_entry(tmp_path: Path) -> None:
    with Journal(tmp_path / "out"):
        assert not (tmp_path / "out" / JOURNAL).exists()


def test_another_program_cannot_write_into_the_folder(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from streamer.batch.journal import Journal\n"
        "with Journal(Path(sys.argv[1])): print('locked', flush=True); sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdin is not None
        assert other.stdout.readline() == "locked\n"
        with pytest.raises(ConfigError, match="another batch writes into"), Journal(tmp_path):
            pass
        other.kill()
        other.wait()
        with Journal(tmp_path):
            pass  # the lock of a killed program is free


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SinkUnavailable, match="cannot create"), Journal(tmp_path / "file" / "out"):
        pass


def test_a_file_is_known_by_its_content(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"one")
    known = FileIdentity.of(path)
    assert known.is_of(path)
    path.touch()
    assert known.is_of(path)
    path.write_bytes(b"two")
    assert not known.is_of(path)
    path.unlink()
    assert not known.is_of(path)


def test_a_file_whose_times_have_not_changed_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"one")
    known = FileIdentity.of(path).model_copy(update={"sha256": "of other content"})
    assert known.is_of(path)
    path.touch()
    assert not known.is_of(path)
