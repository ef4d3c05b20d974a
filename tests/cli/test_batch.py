"""The command `batch` as a user runs it: the table, signals, a killed program, two programs at once."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path

import av
import pytest

from tests.cli.program import DEADLINE_S, Program, Result
from tests.clips import write_video
from tests.disks import mounted_disk

DETECTOR = ["--detector", "boxes.txt"]
"""Detections of a file: no model is loaded."""


@pytest.fixture(autouse=True)
def videos(program: Program) -> Path:
    (program.folder / "boxes.txt").write_text("1,-1,10,10,60,60,0.9\n2,-1,10,10,60,60,0.9\n")
    for name in ("a.mp4", "day/b.mp4", "day/c.mkv"):
        path = program.folder / "videos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_video(path, frames=5)
    return program.folder / "videos"


def batch(program: Program, *arguments: str, given: str = "videos/**/*.m*", columns: int = 80) -> Result:
    return program("batch", given, "-o", "out", *DETECTOR, *arguments, columns=columns)


def outputs(program: Program) -> set[str]:
    """The outputs, also the hidden ones of a run in progress, without journal and lock."""
    found = {
        str(path.relative_to(program.folder / "out")) for path in (program.folder / "out").rglob("*") if path.is_file()
    }
    return found - {".streamer-batch.jsonl", ".streamer-batch.lock"}


def entries(program: Program) -> list[tuple[str, str]]:
    """File and state of each line of the journal."""
    lines = map(json.loads, (program.folder / "out/.streamer-batch.jsonl").read_text().splitlines())
    return [(line["file"], line["state"]) for line in lines]


def test_a_batch_ends_with_a_table_that_fits_the_terminal(program: Program, videos: Path) -> None:
    (videos / "day/broken-file-with-a-long-name.mp4").write_text("no video")
    result = batch(program)
    assert result.code == 1
    assert "4 files: 4 new; writing to out" in result.errors
    assert "error: 3/4 videos/day/broken-file-with-a-long-name.mp4: not a video" in " ".join(result.errors.split())
    assert "error: 1 of 4 inputs failed" in result.errors
    assert "Traceback" not in result.errors
    table = result.output[result.output.index("file ") :].splitlines()
    assert max(map(len, table)) <= 80
    assert table[1].split()[:3] == ["a.mp4", "done", "5"]
    assert table[3].split() == ["day/broken-file-with-a-long-name.mp4", "failed"]
    assert table[5].split()[:5] == ["4", "files", "3", "done", "15"]
    assert outputs(program) == {
        f"{name}.{kind}" for name in ("a", "day/b") for kind in ("annotated.mp4", "jsonl", "report.json")
    } | {
        "day/c.annotated.mkv",
        "day/c.jsonl",
        "day/c.report.json",
    }
    again = batch(program, "--jobs", "2")
    assert again.code == 1
    assert "4 files: 3 done before, 1 failed before" in again.errors
    assert "3 done before" in again.output


def test_a_batch_without_video_writes_data_only(program: Program) -> None:
    result = batch(program, "--no-video", "--csv", "--mot", "--quiet")
    assert (result.code, result.output, result.errors) == (0, "", "")
    names = ("a", "day/b", "day/c")
    assert outputs(program) == {f"{name}.{kind}" for name in names for kind in ("jsonl", "report.json", "csv", "txt")}


@pytest.mark.parametrize(
    ("given", "arguments", "message"),
    [
        ("videos/**/*.avi", [], "videos/**/*.avi: matches no file; put a pattern into quotes"),
        ("videos", ["--set", "outputs=[{to: '{name}.jsonl'}]"], "two outputs have the same name"),
        ("videos", ["--classes", "Unicorn", "--detector", "nanodet"], "Unicorn"),
        ("videos", ["-o", "videos/a.mp4"], "cannot create videos/a.mp4"),
    ],
)
def test_bad_input_is_one_line(given: str, arguments: list[str], message: str, program: Program) -> None:
    before = program.files()
    result = batch(program, *arguments, given=given, columns=200)
    assert result.code == 2
    assert message in result.errors
    assert "Traceback" not in result.errors
    assert program.files() == before


def begun(program: Program, *arguments: str, name: str = "long") -> subprocess.Popen[str]:
    """A batch in the middle of `videos/long.mp4`."""
    process = program.start("batch", "videos", "-o", "out", *DETECTOR, *arguments)
    while process.poll() is None:
        partial = list((program.folder / "out").glob(f".{name}.*.partial.jsonl"))
        if partial and partial[0].stat().st_size > 4096:
            return process
        try:
            process.wait(0.02)
        except subprocess.TimeoutExpired:
            continue
    raise AssertionError(process.communicate()[1])


def test_ctrl_c_leaves_nothing_half_written_and_the_rest_is_resumed(program: Program, videos: Path) -> None:
    write_video(videos / "long.mp4", frames=3000)
    (videos / "a.mp4").rename(videos / "day/a.mp4")  # all others come first
    with begun(program, "--jobs", "2") as process:
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    assert "long.mp4" in output
    assert not [name for name in outputs(program) if "long" in name or "partial" in name]
    for name in outputs(program):
        if name.endswith((".mp4", ".mkv")):
            with av.open(str(program.folder / "out" / name)) as container:
                assert sum(1 for _ in container.decode(video=0)) == 5
    write_video(videos / "long.mp4", frames=5)
    result = batch(program, given="videos")
    assert result.code == 0, result.errors
    assert "4 files" in result.output
    done = [file for file, state in entries(program) if state == "done"]
    assert sorted(done) == ["day/a.mp4", "day/b.mp4", "day/c.mkv", "long.mp4"]


def test_two_batches_into_one_folder_are_refused(program: Program, videos: Path) -> None:
    write_video(videos / "long.mp4", frames=3000)
    with begun(program) as process:
        second = batch(program)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=DEADLINE_S)
    assert second.code == 2
    assert "another batch writes into out; wait until it ends" in " ".join(second.errors.split())


def test_a_killed_batch_is_resumed_without_loss(program: Program, videos: Path) -> None:
    write_video(videos / "long.mp4", frames=3000)
    with begun(program) as process:
        process.kill()
        process.communicate(timeout=DEADLINE_S)
    before = entries(program)
    assert ("long.mp4", "begun") in before
    assert ("long.mp4", "done") not in before
    write_video(videos / "long.mp4", frames=5)
    result = batch(program, given="videos")
    assert result.code == 0, result.errors
    assert "1 interrupted before" in result.errors
    done = [file for file, state in entries(program) if state == "done"]
    assert sorted(done) == ["a.mp4", "day/b.mp4", "day/c.mkv", "long.mp4"]
    assert not [name for name in outputs(program) if "partial" in name or "-2" in name]


def test_a_full_disk_ends_the_batch_with_one_failure(program: Program, videos: Path, tmp_path: Path) -> None:
    write_video(videos / "b.mp4", frames=200, size=(640, 480), options={"crf": "1"})
    for name in ("c.mp4", "d.mp4"):
        write_video(videos / name, frames=5)
    with mounted_disk(tmp_path, "300k") as disk:
        full = program("batch", "videos", "-o", str(disk), *DETECTOR, "--set", "output.crf=1")
        left = {path.name for path in disk.rglob("*") if path.is_file()}
        assert full.code == 1, full.errors
        assert full.errors.count("No space left on device") == 1, full.errors
        assert "error: 1 of 6 inputs failed: videos/b.mp4; the disk is full, so 4 were not begun" in full.errors
        assert "4 not begun" in full.output
        outputs_of_a = {"a.annotated.mp4", "a.jsonl", "a.report.json"}
        assert {name for name in left if not name.startswith(".streamer")} == outputs_of_a | {"b.report.json"}
        (videos / "b.mp4").unlink()
        resumed = program("batch", "videos", "-o", str(disk), *DETECTOR, "--no-video")
        assert resumed.code == 0, resumed.errors
