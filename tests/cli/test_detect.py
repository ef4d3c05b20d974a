"""The command `detect`: a part is complete or absent, and goes on after every interruption."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streamer.cli.cluster.detect import detect
from streamer.config.loading import load_settings
from streamer.config.settings import Settings
from streamer.parts.part_file import read_part
from streamer.parts.plan_file import write_plan
from streamer.parts.planning import make_plan
from tests.cli.program import DEADLINE_S, Program, exit_code
from tests.cli.stalling import NAME, Stalling
from tests.clips import write_video
from tests.disks import mounted_disk

FRAMES, FIRST = 40, 16
"""Of the clip, and where its second part begins."""
BOXES = "".join(f"{index + 1},-1,1,2,{index + 3},4,0.5\n" for index in range(FRAMES))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with a plan of two parts and detections out of a file."""
    write_video(tmp_path / "clip.mp4", frames=FRAMES, options={"g": "8"})
    (tmp_path / "boxes.txt").write_text(BOXES)
    write_plan(make_plan(tmp_path / "clip.mp4", detections_of(tmp_path / "boxes.txt"), 2), tmp_path / "plan.json")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def detections_of(file: Path) -> Settings:
    return load_settings(None, [f"detector.name={file}"])


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """Run the command in this process: its exit code and its messages."""

    def ran(part: int = 1, output: str = "out/", **options: Any) -> tuple[int, str]:
        code = exit_code(detect, Path("plan.json"), part, output, **options)
        return code, capsys.readouterr().err

    return ran


Run = Callable[..., tuple[int, str]]


def test_a_part_is_written_once(folder: Path, run: Run) -> None:
    assert run() == (0, f"using detections of {folder}/boxes.txt\nwritten: out/part-1.npz, 24 frames, 24 detections\n")
    file = folder / "out" / "part-1.npz"
    part = read_part(file)
    assert list(part.frames) == [512 * index for index in range(FIRST, FRAMES)]
    widths = [float(frame.detections.boxes[0, 2] - frame.detections.boxes[0, 0]) for frame in part.frames.values()]
    assert widths == [index + 3.0 for index in range(FIRST, FRAMES)]
    before = file.stat()
    assert run() == (0, "out/part-1.npz is complete already\n")
    assert file.stat() == before
    assert [path.name for path in file.parent.iterdir()] == ["part-1.npz"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"output": "part.npz", "part": 0}, "part.npz is part 1, not part 0; choose another output"),
        ({"output": "mine.npz"}, "mine.npz exists and is no part; choose another output"),
        ({"output": "absent/a"}, "cannot write absent/a.npz: No such file or directory; choose another output"),
        ({"part": 2}, "plan.json has the parts 0 to 1, no part 2"),
        ({"part": -1}, "plan.json has the parts 0 to 1, no part -1"),
        ({"assign": ["detector.min_score=0.1"]}, "detector.min_score is 0.1, but null in the plan; leave it out"),
        ({"assign": ["tracker.name=iou"]}, "tracker.name does not change detections; --set takes detector.NAME=VALUE"),
        ({"source": Path("other.mp4")}, "other.mp4: is not the file of the plan"),
        ({"source": Path("absent.mp4")}, "absent.mp4: No such file"),
    ],
    ids=["part", "file", "folder", "number", "negative", "setting", "no setting", "input", "no input"],
)
def test_bad_input_is_refused_in_one_line(folder: Path, run: Run, options: dict[str, Any], message: str) -> None:
    run(output="part.npz")
    (folder / "mine.npz").write_text("a file of the user")
    write_video(folder / "other.mp4", frames=FRAMES - 1)
    code, errors = run(**options)
    assert code == 2
    assert errors.startswith(f"error: {message}")
    assert errors.count("\n") == 1
    assert (folder / "mine.npz").read_text() == "a file of the user"


def test_a_complete_part_needs_neither_video_nor_model(folder: Path, run: Run) -> None:
    run()
    (folder / "clip.mp4").unlink()
    (folder / "boxes.txt").unlink()
    assert run() == (0, "out/part-1.npz is complete already\n")
    code, errors = run(part=0)
    assert code == 2
    assert errors == f"error: {folder}/clip.mp4 is not on this machine; --input FILE names the video here\n"
    assert [path.name for path in (folder / "out").iterdir()] == ["part-1.npz"]


def test_a_part_of_a_newer_program_is_not_replaced(folder: Path, run: Run) -> None:
    header = np.frombuffer(b'{"format": 2}', np.uint8)
    np.savez(folder / "part.npz", streamer_part=header)
    before = (folder / "part.npz").read_bytes()
    code, errors = run(output="part.npz")
    assert (code, errors.count("\n")) == (2, 1)
    assert "part.npz has version 2 of the format of parts, this program reads version 1" in errors
    assert (folder / "part.npz").read_bytes() == before


def test_a_part_of_another_plan_is_refused(folder: Path, run: Run) -> None:
    run(output="part.npz")
    plan = make_plan(folder / "clip.mp4", detections_of(folder / "boxes.txt"), 3)
    write_plan(plan, folder / "plan.json", overwrite=True)
    message = "error: part.npz is part 1 of another plan; choose another output, or delete it\n"
    assert run(output="part.npz") == (2, message)


def test_another_model_is_refused(folder: Path, run: Run) -> None:
    (folder / "boxes.txt").write_text(BOXES.replace("0.5", "0.6"))
    code, errors = run()
    assert code == 2
    assert "boxes.txt of this machine is not the plan's: its SHA-256 is" in errors
    assert not list((folder / "out").iterdir())


def test_the_model_may_be_elsewhere_on_this_machine(folder: Path, run: Run) -> None:
    (folder / "boxes.txt").rename(folder / "moved.txt")
    assert run(detector=str(folder / "moved.txt"))[0] == 0


def test_a_truncated_part_is_made_again(folder: Path, run: Run) -> None:
    run()
    file = folder / "out" / "part-1.npz"
    whole = file.read_bytes()
    for length in (len(whole) - 100, 0):
        file.write_bytes(whole[:length])
        code, errors = run()
        assert code == 0
        assert "out/part-1.npz is truncated or damaged; it is made again" in errors
        assert file.read_bytes() == whole


@pytest.mark.system
def test_a_full_disk_is_one_line(folder: Path, run: Run) -> None:
    with mounted_disk(folder, "4k") as disk:
        code, errors = run(output=str(disk))
        assert code == 1
        (line,) = [line for line in errors.splitlines() if line.startswith("error")]
        assert errors.endswith(f"{line}\n")
        assert "No space left on device; free some space" in line
        assert not list(disk.glob("*.npz"))


@pytest.fixture
def stalling(program: Program, monkeypatch: pytest.MonkeyPatch) -> Stalling:
    """A plan for a detector that stalls."""
    made = Stalling(program.folder, monkeypatch)
    write_video(program.folder / "clip.mp4", frames=FRAMES, options={"g": "8"})
    result = program("plan", "clip.mp4", "--parts", "2", "-o", "plan.json", "--detector", NAME)
    assert result.code == 0, result.errors
    return made


ONE_PART = ("detect", "plan.json", "--part", "1", "-o", "out/")


def stalled(program: Program, stalling: Stalling, index: int) -> subprocess.Popen[str]:
    """The program when its detector has stalled on a frame."""
    stalling.at(index)
    before = stalling.seen.count(index)
    process = program.start(*ONE_PART)
    while stalling.seen.count(index) == before:
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.02)
    return process


@pytest.mark.slow
def test_a_killed_worker_loses_the_frames_in_flight_only(program: Program, stalling: Stalling) -> None:
    for index in (26, 26, 33, 39):
        with stalled(program, stalling, index) as process:
            process.kill()
        assert not list((program.folder / "out").glob("*.npz"))
    stalling.at(None)
    result = program(*ONE_PART)
    assert result.code == 0, result.errors
    assert "frames of an unfinished run" in result.errors
    part = read_part(program.folder / "out" / "part-1.npz")
    assert list(part.frames) == [512 * index for index in range(FIRST, FRAMES)]
    sides = [float(frame.detections.boxes[0, 2]) for frame in part.frames.values()]
    assert sides == pytest.approx([index / 3 + 1 for index in range(FIRST, FRAMES)])
    assert len(stalling.seen) <= (FRAMES - FIRST) + 4 * 4
    assert {path.name for path in (program.folder / "out").iterdir()} == {"part-1.npz"}


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_keeps_the_frames(program: Program, stalling: Stalling, number: int, code: int) -> None:
    with stalled(program, stalling, 30) as process:
        process.send_signal(number)
        _, errors = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == code
    assert "frames are kept in out/.part-1.npz.journal; the same command goes on with them" in errors
    assert "Traceback" not in errors
    stalling.at(None)
    assert program(*ONE_PART).code == 0
    assert set(stalling.seen) == set(range(FIRST, FRAMES))


@pytest.mark.slow
def test_a_second_worker_waits_and_takes_over(program: Program, stalling: Stalling) -> None:
    with stalled(program, stalling, 30) as first:
        stalling.at(None)
        with program.start(*ONE_PART) as second:
            assert second.stderr is not None
            assert second.stderr.readline() == "another process works on out/part-1.npz; waiting for it\n"
            first.kill()
            _, errors = second.communicate(timeout=DEADLINE_S)
    assert second.returncode == 0
    assert "written: out/part-1.npz, 24 frames" in errors
