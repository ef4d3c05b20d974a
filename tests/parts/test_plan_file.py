"""Plan files: complete or absent, readable from any folder, and refused in one line if they are broken."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from streamer.errors import ConfigError, SinkUnavailable, SourceUnavailable
from streamer.parts.part_source import PartSource
from streamer.parts.plan import Plan
from streamer.parts.plan_file import check_input, read_plan, write_plan
from tests.clips import write_video
from tests.parts.identity import planned


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    (tmp_path / "job").mkdir()
    return write_video(tmp_path / "job" / "clip.mp4", frames=60, options={"g": "10"})


@pytest.fixture
def plan(clip: Path) -> Plan:
    return planned(clip, 4)


def test_a_plan_is_read_as_it_was_written(plan: Plan, tmp_path: Path) -> None:
    write_plan(plan, tmp_path / "plan.json")
    assert read_plan(tmp_path / "plan.json") == plan
    assert read_plan(tmp_path / "plan.json").digest == plan.digest


def test_a_part_is_one_line_of_the_file(plan: Plan, tmp_path: Path) -> None:
    write_plan(plan, tmp_path / "plan.json")
    lines = (tmp_path / "plan.json").read_text(encoding="utf-8").splitlines()
    assert sum(line.startswith('    {"number"') for line in lines) == 4


def test_plan_and_input_can_be_moved_together(plan: Plan, clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_plan(plan, clip.parent / "plan.json")
    moved = clip.parent.rename(clip.parents[1] / "elsewhere")
    monkeypatch.chdir(moved.parent)
    found = read_plan(Path("elsewhere/plan.json"))
    assert check_input(found) == moved / "clip.mp4"
    assert found.digest == plan.digest
    with PartSource(found, found.parts[3]) as source:
        assert len(list(source)) == found.parts[3].frames


@pytest.mark.parametrize("name", ["share/job/plan.json", "share/plan.json"])
def test_a_shared_folder_may_have_another_path_on_each_machine(plan: Plan, clip: Path, name: str) -> None:
    share = clip.parent / "share"
    (share / "job").mkdir(parents=True)
    video = clip.rename(share / "clip.mp4")
    given = plan.model_copy(update={"input": plan.input.model_copy(update={"path": str(video)})})
    write_plan(given, clip.parent / name)
    mounted = share.rename(clip.parent / "mnt")
    found = read_plan(clip.parent / name.replace("share", "mnt"))
    assert check_input(found) == mounted / "clip.mp4"
    assert found.digest == plan.digest


def test_a_file_of_the_same_name_beside_the_plan_must_have_its_content(plan: Plan, clip: Path) -> None:
    elsewhere = clip.parents[1] / "plan.json"
    write_plan(plan, elsewhere)
    clip.unlink()
    elsewhere.with_name("clip.mp4").write_bytes(b"another")
    with pytest.raises(ConfigError, match="is not the file of the plan"):
        check_input(read_plan(elsewhere))


def test_names_that_are_not_utf_8_come_back(plan: Plan, clip: Path) -> None:
    odd = clip.rename(clip.with_name(os.fsdecode(b"caf\xe9.mp4")))
    detector = plan.detector.model_copy(update={"name": os.fsdecode(b"/models/caf\xe9.onnx")})
    made = replaced(plan, input=planned(odd, 2).input, detector=detector)
    write_plan(made, clip.parent / "plan.json")
    found = read_plan(clip.parent / "plan.json")
    assert check_input(found) == odd
    assert (found.detector, found.digest) == (detector, made.digest)


def replaced(plan: Plan, **changes: object) -> Plan:
    return Plan.model_validate({name: getattr(plan, name) for name in Plan.model_fields} | changes)


def test_an_existing_plan_is_replaced_only_if_asked(plan: Plan, tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    write_plan(plan, path)
    with pytest.raises(SinkUnavailable, match="exists already"):
        write_plan(plan, path)
    write_plan(plan, path, overwrite=True)
    with pytest.raises(SinkUnavailable, match="create it first"):
        write_plan(plan, tmp_path / "none" / "plan.json")


def edited(change: Callable[[dict[str, Any]], object]) -> Callable[[str], str]:
    """The text of a plan with a change of its values."""

    def edit(text: str) -> str:
        values = json.loads(text)
        change(values)
        return json.dumps(values)

    return edit


BROKEN: dict[str, tuple[Callable[[str], str], str]] = {
    "truncated": (lambda text: text[: len(text) // 2], "is no plan (no JSON, or truncated)"),
    "empty": (lambda _: "", "is no plan (no JSON, or truncated)"),
    "deep": (lambda _: "[" * 100_000, "is no plan (no JSON, or truncated)"),
    "a list": (lambda _: "[]", "is no plan; 'streamer plan' writes one"),
    "a report": (lambda _: '{"state": "complete"}', "is no plan; 'streamer plan' writes one"),
    "another version": (edited(lambda plan: plan.update(format=9)), "a plan of format 9, but this version reads 1"),
    "an unknown key": (edited(lambda plan: plan.update(colour=1)), "colour: no such setting"),
    "no clock": (edited(lambda plan: plan.update(time_base="0")), "time_base 0"),
    "no number": (edited(lambda plan: plan.update(time_base="fast")), "fast"),
    "no parts": (edited(lambda plan: plan.update(parts=[])), "parts: "),
    "a part too few": (edited(lambda plan: plan["parts"].pop(1)), "parts.1 does not continue the one before it"),
    "no last part": (edited(lambda plan: plan["parts"].pop()), "parts.2 does not continue the one before it"),
    "an end before the begin": (
        edited(lambda plan: [plan["parts"][1].update(end_pts=0), plan["parts"][2].update(start_pts=0)]),
        "parts.1 ends before it begins",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_plan_is_refused_in_one_line(plan: Plan, tmp_path: Path, name: str) -> None:
    change, message = BROKEN[name]
    path = tmp_path / "plan.json"
    write_plan(plan, path)
    path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        read_plan(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)
    assert len(caught.value.problems) == 1
    assert "\n" not in str(caught.value)


def test_a_plan_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.json: No such file or directory; 'streamer plan' writes a plan"):
        read_plan(tmp_path / "none.json")
    with pytest.raises(ConfigError, match="Is a directory"):
        read_plan(tmp_path)


def test_another_file_is_refused_with_the_difference(plan: Plan, clip: Path, tmp_path: Path) -> None:
    longer = tmp_path / "longer.mp4"
    longer.write_bytes(clip.read_bytes() + b"x")
    with pytest.raises(ConfigError, match=r"it has \d+ bytes, the planned one \d+"):
        check_input(plan, longer)
    content = bytearray(clip.read_bytes())
    content[-1] ^= 1
    clip.write_bytes(content)
    with pytest.raises(ConfigError, match="is not the file of the plan"):
        check_input(plan)
    clip.unlink()
    with pytest.raises(SourceUnavailable, match="No such file or directory; name the file of the plan"):
        check_input(plan)
