"""The commands that `plan` prints work as they are, whatever the names of the files are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from streamer.parts.part_file import read_part
from streamer.parts.plan_file import read_plan
from tests.cli.program import Program, bash
from tests.clips import write_video


@pytest.mark.slow
@pytest.mark.parametrize("name", ["clip", "-clip", "it's {} 100% $HOME", "ein Film; ümläut 日本 🎬"])
def test_commands_that_plan_prints_work_in_a_shell(name: str, program: Program, nanodet_weights: Path) -> None:
    assert nanodet_weights.is_file()
    write_video(program.folder / f"{name}.mp4", frames=6, options={"g": "3"})
    planned = program("plan", "--parts", "2", "--", f"{name}.mp4")
    assert planned.code == 0, planned.errors
    (plan,) = program.folder.glob("*.plan.json")
    assert plan.name == f"{name}.plan.json"
    detect, join = re.findall(r"(streamer (?:detect|run) .*)$", planned.errors, re.MULTILINE)
    for part in ("0", "1"):
        done = bash(program.folder, detect.replace(" K ", f" {part} "))
        assert done.returncode == 0, done.stderr
        found = read_part(program.folder / f"part-{part}.npz")
        assert found.plan_digest == read_plan(plan).digest
    joined = bash(program.folder, join)
    assert joined.returncode == 0, joined.stderr
    assert list(program.folder.glob("*.annotated.mp4"))


def test_plan_makes_the_folder_of_the_plan(program: Program) -> None:
    write_video(program.folder / "clip.mp4", frames=6)
    planned = program("plan", "clip.mp4", "--parts", "1", "-o", "new/folder/plan.json")
    assert planned.code == 0, planned.errors
    assert "streamer detect new/folder/plan.json --part 0 -o new/folder/\n" in planned.errors
    assert read_plan(program.folder / "new" / "folder" / "plan.json").input.path == str(program.folder / "clip.mp4")
