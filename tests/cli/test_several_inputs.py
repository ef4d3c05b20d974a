"""Several inputs in one command, and pictures, as a user runs them."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path

import av
import pytest

from tests.cli.program import DEADLINE_S, Program
from tests.cli.test_interrupts import ENDLESS, limit_file_size, run_limited
from tests.clips import read_number, write_picture, write_video


def clips(program: Program, *names: str) -> None:
    for number, name in enumerate(names):
        path = program.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_video(path, frames=5 + number)


def frames_in(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def test_several_inputs_have_a_line_each_and_a_summary(program: Program) -> None:
    clips(program, "a.mp4", "more/b.mkv", "more/c.mp4")
    outputs = ["--jsonl", "{name}.jsonl", "-o", "{name}.annotated.mkv"]
    result = program("run", "a.mp4", "more", "--out-dir", "out/deep", *outputs)
    assert result.code == 0, result.errors
    first, second, third, summary, written = result.output.splitlines()
    assert first.startswith("1/3 a.mp4: 5 frames, ")
    assert second.startswith("2/3 more/b.mkv: 6 frames, ")
    assert third.startswith("3/3 more/c.mp4: 7 frames, ")
    assert summary.startswith("3 inputs: 3 complete; 18 frames in ")
    assert written == "written: 6 files in out/deep"
    assert result.errors.count("using nanodet") == 1  # loaded once
    assert frames_in(program.folder / "out/deep/b.annotated.mkv") == 6
    assert len((program.folder / "out/deep/c.jsonl").read_text().splitlines()) == 7


def test_a_broken_input_does_not_stop_the_others(program: Program) -> None:
    clips(program, "a.mp4", "c.mp4")
    (program.folder / "b.mp4").write_text("no video")
    result = program("run", "a.mp4", "b.mp4", "c.mp4", "missing.mp4")
    assert result.code == 1
    assert {"a.annotated.mp4", "c.annotated.mp4"} < program.files()
    assert "error: 2/4 b.mp4: not a video" in result.errors
    assert "error: 2 of 4 inputs failed: b.mp4, missing.mp4" in result.errors
    assert "4 inputs: 2 complete, 2 failed; 11 frames" in result.output
    assert "Traceback" not in result.errors


def test_a_second_run_in_the_same_folder_finds_the_same_inputs(program: Program) -> None:
    clips(program, "a.mp4", "b.mp4")
    assert program("run", ".").code == 0
    after = program.files()
    refused = program("run", ".")
    assert refused.code == 2
    assert "a.annotated.mp4, b.annotated.mp4 exist already; set overwrite" in refused.errors
    again = program("run", ".", "--overwrite")
    assert again.code == 0, again.errors
    assert "2 inputs: 2 complete" in again.output
    assert program.files() == after


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a.mp4", "x/a.mp4"], "a.mp4, x/a.mp4 would all write a.annotated.mp4"),
        (["a.mp4", "b.mp4", "-o", "c.mp4"], "would all write c.mp4; put {name} into its name, such as {name}.mp4"),
        (["a.mp4", "rtsp://me:swordfish@camera/1"], "rtsp://camera/1 is live and never ends"),
        (["a.mp4", "b.mp4", "--record", "r"], "--record records one source"),
        (["a.mp4", "b.mp4", "--classes", "Unicorn"], "Unicorn"),
        (["a.mp4", "b.mp4", "--detector", "gone.tflite"], "gone.tflite"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_written(
    arguments: list[str], message: str, program: Program
) -> None:
    clips(program, "a.mp4", "b.mp4", "x/a.mp4")
    before = program.files()
    result = program("run", *arguments)
    assert result.code == 2
    assert message in result.errors
    assert "swordfish" not in result.errors
    assert len(result.errors.splitlines()) <= 2
    assert program.files() == before


def test_ctrl_c_in_the_second_input_keeps_what_is_complete(program: Program) -> None:
    clips(program, "a.mp4", "z.mp4")
    files = ["--jsonl", "{name}.jsonl", "-o", "{name}.mkv"]
    with program.start("run", "a.mp4", ENDLESS, "z.mp4", *files) as process:
        while process.poll() is None and not any(
            path.stat().st_size > 2048 for path in program.folder.glob(".streamer.*.partial.jsonl")
        ):
            try:
                process.wait(0.02)
            except subprocess.TimeoutExpired:
                continue
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 130, errors
    assert program.files() == {"a.mp4", "z.mp4", "a.mkv", "a.jsonl", "streamer.mkv", "streamer.jsonl"}
    assert frames_in(program.folder / "a.mkv") == 5
    lines = (program.folder / "streamer.jsonl").read_text().splitlines()
    assert frames_in(program.folder / "streamer.mkv") == len(lines)
    assert "2/3 " in output
    assert "interrupted after" in output
    assert "3 inputs: 1 complete, 2 interrupted or not begun" in output
    assert "Traceback" not in errors


def test_a_full_disk_in_one_input_leaves_nothing_half_written(program: Program) -> None:
    clips(program, "a.mp4", "z.mp4")
    big = "lavfi:testsrc2=size=640x480:rate=25"
    result = run_limited(program, limit_file_size, "run", "a.mp4", big, "z.mp4", "--detect-every", "9")
    assert result.code == 1, result.errors
    assert "error: 1 of 3 inputs failed" in result.errors
    assert program.files() == {"a.mp4", "z.mp4", "a.annotated.mp4", "z.annotated.mp4"}


def test_a_picture_becomes_a_picture(program: Program) -> None:
    write_picture(program.folder / "photo.png", 7)
    result = program("run", "photo.png")
    assert result.code == 0, result.errors
    assert "written: photo.annotated.png" in result.output
    with av.open(str(program.folder / "photo.annotated.png")) as made:
        assert read_number(next(made.decode(video=0))) == 7
    assert program("run", "photo.png", "-o", "other.jpg").code == 0
    assert program("run", "photo.png", "-o", "new/").code == 0
    assert program("run", "photo.png", "--out-dir", "out").code == 0
    assert program.files() == {
        "photo.png", "photo.annotated.png", "other.jpg", "new", "new/photo.png", "out", "out/photo.annotated.png",
    }  # fmt: skip


def test_a_folder_of_pictures_becomes_a_folder_of_pictures(program: Program) -> None:
    (program.folder / "in").mkdir()
    for number in (1, 2, 10):
        write_picture(program.folder / f"in/img{number}.png", number, size=(160 + 2 * number, 120))
    for arguments, folder in ((["in"], "in.annotated"), (["in/*.png", "-o", "shots/"], "shots")):
        result = program("run", *arguments)
        assert result.code == 0, result.errors
        for number in (1, 2, 10):
            with av.open(str(program.folder / folder / f"img{number}.png")) as made:
                frame = next(made.decode(video=0))
            assert (read_number(frame), frame.width) == (number, 160 + 2 * number)
    refused = program("run", "in", "-o", "shots/")
    assert refused.code == 2
    assert "shots has img1.png, img2.png, img10.png already" in refused.errors


def test_annotated_pictures_are_not_read_again(program: Program) -> None:
    write_picture(program.folder / "a.png", 3)
    write_picture(program.folder / "b.png", 4)
    assert program("run", "a.png", "b.png").code == 0
    result = program("run", "*.png", "--jsonl", "boxes.jsonl")
    assert result.code == 0, result.errors
    assert "2 pictures of an earlier run are left out" in result.errors
    lines = [json.loads(line) for line in (program.folder / "boxes.jsonl").read_text().splitlines()]
    assert [line["file"] for line in lines] == ["a.png", "b.png"]


def test_a_video_becomes_numbered_pictures(program: Program) -> None:
    clips(program, "a.mp4")
    result = program("run", "a.mp4", "-o", "shots/", "-o", "more/%03d.png")
    assert result.code == 0, result.errors
    assert {f"shots/{number:06d}.jpg" for number in range(1, 6)} < program.files()
    assert {f"more/{number:03d}.png" for number in range(1, 6)} < program.files()
    refused = program("run", "a.mp4", "-o", "one.jpg")
    assert refused.code == 2
    assert "write one/ or one-%06d.jpg" in refused.errors


def test_a_warning_of_several_inputs_names_its_input_and_the_remedy(program: Program) -> None:
    for name in ("a.mp4", "b.mp4"):
        write_video(program.folder / name, frames=12)
    result = program("run", "a.mp4", "b.mp4", "--classes", "Cat")
    assert result.code == 0, result.errors
    warnings = [line for line in result.errors.splitlines() if line.startswith("warning: ")]
    assert [line.split()[1] for line in warnings] == ["a.mp4:", "b.mp4:"], result.errors
    for line in warnings:
        assert "best score 0." in line
