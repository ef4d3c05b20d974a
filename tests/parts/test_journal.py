"""The journal of an unfinished part: what is in it is used again, if it is sound and of the same detections."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from streamer.errors import SinkError, SinkUnavailable
from streamer.parts.values import FrameDetections, PartDetections
from streamer.parts.worker.journal import Journal, journal_path
from streamer.values.labels import LabelTable
from tests.disks import mounted_disk
from tests.parts.parts import equal, part

LABELS = LabelTable(("cat", "dog", "bird"))
FULL = part((3, 0, 2, 100), labels=LABELS)
EMPTY = replace(FULL, frames={})


def write(output: Path) -> Path:
    """A journal with the frames of `FULL`."""
    with Journal(output) as journal:
        assert journal.begin(EMPTY) == {}
        for frame in FULL.frames.values():
            journal.add(frame)
    return journal_path(output)


def kept(output: Path, of: PartDetections = EMPTY) -> list[int]:
    """The times of the frames that the next worker gets."""
    with Journal(output) as journal:
        return list(journal.begin(of))


def test_the_frames_of_a_killed_worker_come_back(tmp_path: Path) -> None:
    write(tmp_path / "part-7.npz")
    with Journal(tmp_path / "part-7.npz") as journal:
        frames = journal.begin(EMPTY)
    assert list(frames) == list(FULL.frames)
    for pts, frame in FULL.frames.items():
        assert frames[pts].picture_digest == frame.picture_digest
        assert equal(frames[pts].detections, frame.detections)


def test_a_journal_without_frames_is_not_left_behind(tmp_path: Path) -> None:
    with Journal(tmp_path / "part-7.npz") as journal:
        journal.begin(EMPTY)
    assert not list(tmp_path.iterdir())


def test_a_journal_that_is_not_begun_keeps_its_frames(tmp_path: Path) -> None:
    """The model could not be loaded, for example."""
    write(tmp_path / "part-7.npz")
    with Journal(tmp_path / "part-7.npz"):
        pass
    assert kept(tmp_path / "part-7.npz") == list(FULL.frames)


def test_a_journal_that_ends_anywhere_keeps_its_complete_frames(tmp_path: Path) -> None:
    output = tmp_path / "part-7.npz"
    content = write(output).read_bytes()
    counts = []
    for end in range(0, len(content) + 1, 5):
        journal_path(output).write_bytes(content[:end])
        counts.append(len(kept(output)))
    assert counts == sorted(counts)
    assert set(counts) >= {0, 1, 2, 3}


def test_a_damaged_record_and_those_after_it_are_not_used(tmp_path: Path) -> None:
    output = tmp_path / "part-7.npz"
    content = bytearray(write(output).read_bytes())
    second = list(FULL.frames.values())[2]
    content[content.index(second.detections.scores.tobytes())] ^= 1
    journal_path(output).write_bytes(content)
    assert kept(output) == list(FULL.frames)[:2]
    assert kept(output) == list(FULL.frames)[:2]  # the damaged end is gone


@pytest.mark.parametrize(
    "other",
    [
        replace(EMPTY, plan_digest="34" * 32),
        replace(EMPTY, number=8),
        replace(EMPTY, labels=LabelTable(("cat", "dog", "cow"))),
        replace(EMPTY, worker=replace(EMPTY.worker, canary="00")),
        replace(EMPTY, worker=replace(EMPTY.worker, model="00")),
    ],
    ids=["plan", "part", "classes", "canary", "model"],
)
def test_a_journal_of_other_detections_begins_anew(tmp_path: Path, other: PartDetections) -> None:
    write(tmp_path / "part-7.npz")
    told = list[bool]()
    with Journal(tmp_path / "part-7.npz") as journal:
        assert journal.begin(other, refused=lambda: told.append(True)) == {}
    assert kept(tmp_path / "part-7.npz") == []
    assert told == [True]


def test_another_machine_that_computes_the_same_goes_on(tmp_path: Path) -> None:
    write(tmp_path / "part-7.npz")
    moved = replace(EMPTY, worker=replace(EMPTY.worker, machine="another CPU", versions={"av": "19"}))
    assert kept(tmp_path / "part-7.npz", moved) == list(FULL.frames)


def test_a_second_worker_waits_and_takes_over(tmp_path: Path) -> None:
    output, waits, entered = tmp_path / "part-7.npz", threading.Event(), threading.Event()
    frames: list[int] = []

    def second() -> None:
        with Journal(output, waiting=waits.set) as journal:
            entered.set()
            frames.extend(journal.begin(EMPTY))

    with Journal(output) as first:
        first.begin(EMPTY)
        first.add(FULL.frames[-512])
        thread = threading.Thread(target=second)
        thread.start()
        assert waits.wait(30)
        assert not entered.is_set()
    thread.join(30)
    assert frames == [-512]


def test_a_removed_journal_is_not_locked_by_the_one_that_waited(tmp_path: Path) -> None:
    output, waits = tmp_path / "part-7.npz", threading.Event()
    files: list[bool] = []

    def second() -> None:
        with Journal(output, waiting=waits.set) as journal:
            files.append(journal.path.exists())

    with Journal(output) as first:
        thread = threading.Thread(target=second)
        thread.start()
        assert waits.wait(30)
        first.remove()
    thread.join(30)
    assert files == [True]


def test_an_old_journal_is_removed_unless_its_process_lives(tmp_path: Path) -> None:
    output = tmp_path / "part-7.npz"
    with Journal(output) as journal:
        journal.begin(EMPTY)
        journal.add(FULL.frames[-512])
        Journal.remove_old(output)
        assert journal.path.exists()
    Journal.remove_old(output)
    Journal.remove_old(output)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_missing_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(SinkUnavailable, match=r"cannot write .*part-7\.npz: No such file or directory; choose"):
        Journal(tmp_path / "absent" / "part-7.npz").__enter__()


def add_all(journal: Journal, frames: Iterable[FrameDetections]) -> None:
    for frame in frames:
        journal.add(frame)


@pytest.mark.system
def test_a_full_disk_keeps_the_frames_before(tmp_path: Path) -> None:
    with mounted_disk(tmp_path, "64k") as disk:
        (disk / "ballast").write_bytes(bytes(40_000))
        frames = part((100,) * 50, labels=LABELS).frames
        with Journal(disk / "part-7.npz") as journal:
            journal.begin(EMPTY)
            with pytest.raises(SinkError, match=r"No space left on device; free some space and run the same command"):
                add_all(journal, frames.values())
        before = kept(disk / "part-7.npz")
        assert before == list(frames)[: len(before)]
        assert before
