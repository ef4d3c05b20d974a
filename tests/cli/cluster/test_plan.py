"""The command `plan`: what it says, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from streamer.cli.cluster.plan import plan
from streamer.parts.plan_file import read_plan
from tests.cli.program import exit_code
from tests.clips import write_video
from tests.disks import mounted_disk

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command on a clip in this process: its exit code and its messages."""
    write_video(tmp_path / "clip.mp4", frames=60, options={"g": "10"})
    monkeypatch.chdir(tmp_path)

    def ran(source: str = "clip.mp4", parts: int = 3, output: str | None = None, **options: Any) -> tuple[int, str]:
        path = None if output is None else Path(output)
        code = exit_code(plan, source, parts, path, **{"detector": "starter", **options})
        return code, capsys.readouterr().err

    return ran


def test_it_says_how_to_go_on(run: Run) -> None:
    code, messages = run(output="job/plan.json")
    assert code == 0
    assert messages.splitlines() == [
        "written: job/plan.json, 60 frames in 3 parts of 20 frames, for starter",
        "detect the parts 0 to 2, on any machine: streamer detect job/plan.json --part K -o job/",
        "join them: streamer run clip.mp4 --plan job/plan.json",
    ]


def test_the_plan_has_the_name_of_the_input(run: Run, tmp_path: Path) -> None:
    assert run(parts=1, quiet=True) == (0, "")
    assert len(read_plan(tmp_path / "clip.plan.json").parts) == 1


def test_fewer_parts_than_asked_are_explained(run: Run) -> None:
    code, messages = run(parts=90)
    assert code == 0
    assert "not 90 parts, because the file has frames at 60 times only" in messages


def test_the_options_of_the_detector_are_in_the_plan(run: Run, tmp_path: Path) -> None:
    assert run(min_score=0.3, classes="Person, Car", detect_every="2", fps="30000/1001")[0] == 0
    made = read_plan(tmp_path / "clip.plan.json")
    assert (made.detector.min_score, made.detector.classes, made.detector.every) == (0.3, ("Person", "Car"), 2)
    assert made.source["fps"] == "30000/1001"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"source": "none.mp4"}, "none.mp4: no such file; check the path"),
        ({"source": "."}, ".: is a folder; a plan is for one video file: name one in it"),
        ({"source": "0"}, "0: a plan is for a video file; record or download it first"),
        ({"source": "-"}, "-: a plan is for a video file; record or download it first"),
        ({"parts": 0}, "a plan has 1 to 100000 parts, not 0"),
        ({"output": "clip.mp4", "overwrite": True}, "clip.mp4 is the input; name another file for the plan with -o"),
        ({"output": "."}, "cannot write .: it is a folder; name a file in it"),
        ({"detector": "nodet"}, "no detector 'nodet'; did you mean nanodet?"),
        ({"assign": ["source.live=true"]}, "source.live (--live) plays a file in real time, in one process"),
    ],
)
def test_bad_input_is_one_line(run: Run, tmp_path: Path, options: dict[str, Any], message: str) -> None:
    before = (tmp_path / "clip.mp4").read_bytes()
    code, messages = run(**options)
    assert code == 2
    assert message in messages
    assert messages.count("\n") == 1
    assert [file.name for file in tmp_path.iterdir()] == ["clip.mp4"]
    assert (tmp_path / "clip.mp4").read_bytes() == before


def test_a_plan_that_exists_is_replaced_only_if_asked(run: Run, tmp_path: Path) -> None:
    assert run()[0] == 0
    code, messages = run(parts=2)
    assert (code, messages.count("\n")) == (2, 1)
    assert "clip.plan.json exists already" in messages
    assert run(parts=2, overwrite=True)[0] == 0
    assert len(read_plan(tmp_path / "clip.plan.json").parts) == 2


@pytest.mark.system
def test_a_full_disk_leaves_no_plan(run: Run, tmp_path: Path) -> None:
    with mounted_disk(tmp_path, "16k") as disk:
        (disk / "filler").write_bytes(bytes(12 << 10))
        code, messages = run(parts=60, output=str(disk / "plan.json"))
        assert code == 1
        assert "No space left on device; nothing was kept" in messages
        assert [file.name for file in disk.iterdir()] == ["filler"]
