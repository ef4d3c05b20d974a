"""Parts in a folder: found, awaited, refused."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from streamer.errors import ConfigError, Interrupted
from streamer.parts.folder import FolderSupply
from streamer.parts.matching import SameWorkers
from streamer.parts.part_file import part_name, write_part
from streamer.parts.plan import Part, Plan, PlannedInput
from streamer.parts.values import PartDetections
from streamer.system.threads import Thread
from tests.parts.parts import WORKER, part

PLAN = Plan(
    input=PlannedInput(path="clip.mp4", size_bytes=1, sha256="", edges_sha256=""),
    time_base="1/12800",
    frames=30,
    parts=tuple(Part(number=k, start_pts=100 * k or None, end_pts=100 * k + 100 if k < 2 else None) for k in range(3)),
)
LONG_AGO_S = 1_700_000_000


def own(number: int, **changes: Any) -> PartDetections:
    return replace(part((1, 2), number=number, plan=PLAN.digest), **changes)


def supply(folder: Path, **options: Any) -> FolderSupply:
    allow_mixed = options.pop("allow_mixed", False)
    return FolderSupply(folder, PLAN, SameWorkers(allow_mixed=allow_mixed), **options)


def test_a_part_is_found_whatever_its_file_is_called(tmp_path: Path) -> None:
    write_part(own(2), tmp_path / "seventh.npz")
    (tmp_path / "notes.txt").write_text("no part")
    (tmp_path / "weights.npz").write_bytes(b"no part either, but an .npz of somebody else")
    found = supply(tmp_path).wait(2)
    assert found is not None
    assert (found.number, len(found.frames)) == (2, 2)


def test_a_wait_ends_when_the_part_arrives(tmp_path: Path) -> None:
    told: list[Sequence[int]] = []
    waits = threading.Event()

    def waiting(missing: Sequence[int]) -> None:
        told.append(missing)
        waits.set()

    def worker() -> None:
        waits.wait(10)
        folder.mkdir()
        for number in (0, 2, 1):
            write_part(own(number), folder / part_name(number))

    folder = tmp_path / "later"
    thread = Thread("worker", worker)
    thread.start()
    parts = supply(folder, waiting=waiting)
    assert [found.number for found in map(parts.wait, range(3)) if found is not None] == [0, 1, 2]
    thread.join(10)
    assert told == [[0, 1, 2]]


def test_close_ends_a_wait(tmp_path: Path) -> None:
    parts: FolderSupply = supply(tmp_path, waiting=lambda _: parts.close())
    with pytest.raises(Interrupted):
        parts.wait(0)
    with pytest.raises(Interrupted):
        parts.wait(1)


def test_parts_that_do_not_come_are_given_up(tmp_path: Path) -> None:
    write_part(own(1), tmp_path / "part-1.npz")
    parts = supply(tmp_path, wait_s=0)
    assert parts.wait(0) is None
    assert parts.wait(1) is not None
    assert parts.wait(2) is None


def test_a_truncated_part_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "part-1.npz"
    write_part(own(1), file)
    file.write_bytes(file.read_bytes()[:-40])
    os.utime(file, (LONG_AGO_S, LONG_AGO_S))
    with pytest.raises(ConfigError, match=r"part-1\.npz is truncated or damaged; delete it"):
        supply(tmp_path).look()


@pytest.mark.parametrize("content", [b"", b"no part"])
def test_a_file_with_the_name_of_a_part_must_be_one(content: bytes, tmp_path: Path) -> None:
    """`detect` does not replace it, so no part would ever come."""
    path = tmp_path / part_name(1)
    path.write_bytes(content)
    os.utime(path, (LONG_AGO_S, LONG_AGO_S))
    with pytest.raises(ConfigError, match=r"part-1\.npz is (no part|truncated or damaged); delete it"):
        supply(tmp_path).wait(1)


def test_a_part_that_is_being_copied_is_awaited(tmp_path: Path) -> None:
    file = tmp_path / "part-0.npz"
    write_part(own(0), file)
    content = file.read_bytes()
    file.write_bytes(content[:-40])
    parts = supply(tmp_path, waiting=lambda _: file.write_bytes(content))
    assert parts.wait(0) is not None


def test_a_copy_may_come_from_a_machine_whose_clock_is_ahead(tmp_path: Path) -> None:
    file = tmp_path / "part-0.npz"
    write_part(own(0), file)
    file.write_bytes(file.read_bytes()[:-40])
    os.utime(file, (time.time() + 5, time.time() + 5))
    assert supply(tmp_path, wait_s=0).wait(0) is None


def test_a_part_of_another_plan_under_our_name_is_refused(tmp_path: Path) -> None:
    write_part(own(1, plan_digest="ab" * 32), tmp_path / "part-1.npz")
    with pytest.raises(ConfigError, match=r"part-1\.npz belongs to another plan; "):
        supply(tmp_path).look()


def test_a_part_under_the_name_of_another_one_is_refused(tmp_path: Path) -> None:
    """`detect` does not replace it, so the other one would never come."""
    write_part(own(2), tmp_path / part_name(0))
    with pytest.raises(ConfigError, match=r"part-0\.npz is part 2; rename it to part-2\.npz"):
        supply(tmp_path).look()


def test_parts_of_another_plan_are_ignored_elsewhere(tmp_path: Path) -> None:
    write_part(own(1, plan_digest="ab" * 32), tmp_path / "other-1.npz")
    assert supply(tmp_path, wait_s=0).wait(1) is None


def test_workers_that_differ_are_refused_at_the_start(tmp_path: Path) -> None:
    write_part(own(0), tmp_path / "part-0.npz")
    write_part(own(2, worker=replace(WORKER, canary="00" * 32, machine="other CPU")), tmp_path / "part-2.npz")
    with pytest.raises(ConfigError, match=r"other numbers than .* \(.*other CPU.*allow mixed workers"):
        supply(tmp_path).look()
    parts = supply(tmp_path, allow_mixed=True)
    parts.look()
    assert parts.wait(2) is not None


def test_the_folder_must_be_one(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="is no folder"):
        supply(tmp_path / "file").look()
