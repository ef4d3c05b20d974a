"""Bad input gives one clear line and exit code 2, without a traceback or an incomplete file."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.cli.program import Program
from tests.clips import truncate, write_audio, write_video
from tests.sources.network.answering import answering
from tests.system import permissions


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_video(tmp_path / "clip.mp4", frames=5)


def check_refused(program: Program, *arguments: str | Path, message: str) -> None:
    """The program must refuse the arguments with exit code 2 and one line that contains `message`."""
    before = program.files()
    result = program(*arguments)
    assert result.code == 2, result.errors
    assert "Traceback" not in result.errors
    assert message.casefold() in " ".join(result.errors.split()).casefold(), result.errors
    assert program.files() == before, "something was left behind"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("missing.mp4", None, "missing.mp4"),
        ("text.mp4", b"This is no video at all.\n" * 50, "text.mp4"),
        ("empty.mp4", b"", "empty.mp4"),
    ],
)
def test_a_source_that_is_not_a_video(program: Program, name: str, content: bytes | None, message: str) -> None:
    if content is not None:
        (program.folder / name).write_bytes(content)
    check_refused(program, "run", name, "-o", "out.mp4", message=message)


def test_a_folder_without_images(program: Program) -> None:
    (program.folder / "nothing").mkdir()
    check_refused(program, "run", "nothing", "-o", "out.mp4", message="nothing")


def test_a_source_with_audio_only(program: Program) -> None:
    write_audio(program.folder / "sound.mp4")
    check_refused(program, "run", "sound.mp4", "-o", "out.mp4", message="no video")


def test_an_existing_output_is_kept_without_overwrite(program: Program, clip: Path) -> None:
    out = program.folder / "out.mp4"
    out.write_bytes(b"precious")
    check_refused(program, "run", clip, "-o", out, message="--overwrite")
    assert out.read_bytes() == b"precious"
    assert program("run", clip, "-o", out, "--overwrite").code == 0
    assert out.read_bytes() != b"precious"


@pytest.mark.parametrize("option", ["-o", "--jsonl", "--mot", "--report"])
def test_an_output_in_a_folder_that_cannot_be_made(program: Program, clip: Path, option: str) -> None:
    (program.folder / "file").touch()
    check_refused(program, "run", clip, option, "file/folder/out.mkv", message="cannot create file/folder")


def test_an_output_in_a_folder_without_permission(program: Program, clip: Path) -> None:
    locked = program.folder / "locked"
    locked.mkdir(mode=0o500)
    program.launcher = (sys.executable, permissions.__file__)
    check_refused(program, "run", clip, "-o", locked / "out.mp4", message="locked")


def test_an_output_that_is_the_input(program: Program, clip: Path) -> None:
    content = clip.read_bytes()
    check_refused(program, "run", clip, "-o", clip, "--overwrite", message="is the input")
    assert clip.read_bytes() == content


def test_two_outputs_with_one_name(program: Program, clip: Path) -> None:
    check_refused(program, "run", clip, "--jsonl", "same.txt", "--mot", "same.txt", message="same.txt")


def test_an_unknown_class_suggests_the_nearest(program: Program, clip: Path) -> None:
    check_refused(
        program, "run", clip, "-o", "out.mp4", "--detector", "starter", "--classes", "Persn", message="Person"
    )


def test_an_unknown_option_suggests_the_nearest(program: Program, clip: Path) -> None:
    check_refused(program, "run", clip, "--min-scor", "0.5", message="--min-score")


def test_an_unknown_tracker_suggests_the_nearest(program: Program, clip: Path) -> None:
    check_refused(program, "run", clip, "-o", "out.mp4", "--tracker", "iuo", message="did you mean iou")


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("output.crf=high", "output.crf"),
        ("output.crff=1", "did you mean crf"),
        ("tracker.options.x=1", "tracker.options.x"),
    ],
)
def test_an_invalid_setting_is_reported_with_its_path(
    program: Program, clip: Path, assignment: str, message: str
) -> None:
    check_refused(program, "run", clip, "-o", "out.mp4", "--set", assignment, message=message)


@pytest.mark.parametrize(
    ("out", "codec", "message"),
    [
        ("out.webm", "h264", "webm"),
        ("out.mp4", "nosuchcodec", "nosuchcodec"),
        ("out.xyz", "h264", "xyz"),
        ("out.mp3", "h264", "no video container has that suffix"),
        ("out.wav", "h264", "no video container has that suffix"),
        ("out", "h264", "out"),
    ],
)
def test_an_invalid_codec_or_container(program: Program, clip: Path, out: str, codec: str, message: str) -> None:
    check_refused(program, "run", clip, "-o", out, "--set", f"output.codec={codec}", message=message)


def test_a_folder_that_is_no_model(program: Program, clip: Path) -> None:
    (program.folder / "model").mkdir()
    check_refused(program, "run", clip, "-o", "out.mp4", "--detector", "model", message="model")


@pytest.mark.parametrize(("name", "content"), [("net.h5", b"\x89HDF\r\n\x1a\n"), ("boxes.csv", b"frame,time_s")])
def test_a_file_that_is_no_model_is_refused_in_one_line(
    program: Program, clip: Path, name: str, content: bytes
) -> None:
    (program.folder / name).write_bytes(content)
    result = program("run", clip, "--detector", name)
    assert result.code == 2
    assert result.errors.startswith(f"error: {name} is a")
    assert result.errors.count("\n") == 1


def test_an_unknown_detector(program: Program, clip: Path) -> None:
    check_refused(program, "run", clip, "-o", "out.mp4", "--detector", "startr", message="starter")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["track", "none.txt", "--fps", "25", "--size", "640x480", "-o", "t.txt"], "none.txt"),
        (["track", "det.txt", "--fps", "25", "--size", "640", "-o", "t.txt"], "--size"),
        (["track", "det.txt", "--fps", "0", "--size", "640x480", "-o", "t.txt"], "fps"),
        (["track", "det.txt", "--fps", "25", "--size", "640x480", "-o", "det.txt", "--overwrite"], "det.txt"),
        (["track", "bad.txt", "--fps", "25", "--size", "640x480", "-o", "t.txt"], "bad.txt"),
        (["probe", "none.mp4"], "none.mp4"),
        (["models", "fetch", "startr"], "starter"),
    ],
)
def test_other_commands(program: Program, arguments: list[str], message: str) -> None:
    (program.folder / "det.txt").write_text("1,-1,10,10,20,20,0.9,-1,-1,-1\n")
    (program.folder / "bad.txt").write_text("1,-1,10,10,20,20,0.9,-1,-1,-1\n2,-1,ten\n")
    check_refused(program, *arguments, message=message)


def test_a_damaged_clip_has_a_result(program: Program) -> None:
    clip = truncate(write_video(program.folder / "whole.mkv", frames=100), program.folder / "cut.mkv", 0.6)
    result = program("run", clip, "-o", "out.mp4", "--report", "report.json")
    assert result.code == 0, result.errors
    frames = program.report()["frames"]
    assert frames["corrupt"].get("truncated", 0) > 0
    assert frames["entered"] == frames["detected"] + sum(frames["corrupt"].values())
    assert "truncated" in result.errors


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("rtsp://admin:pa/swordfish@", "has no host; write rtsp://HOST/PATH"),
        ("rtsp://admin:swordfish/live", "is no address"),
        ("rtsp://admin:1/swordfish@nowhere.invalid/live", "write %2F %3F %23 or %40"),
    ],
)
def test_an_address_with_an_ambiguous_password(program: Program, address: str, message: str) -> None:
    check_refused(program, "run", address, "-o", "out.mp4", message=message)
    assert "swordfish" not in program("run", address, "-o", "out.mp4").errors


def test_a_port_of_another_service(program: Program) -> None:
    with answering(lambda _: None, b"SSH-2.0-OpenSSH_9.2\r\n") as port:
        address = f"rtsp://admin:swordfish@127.0.0.1:{port}/live"
        check_refused(program, "run", address, "-o", "out.mp4", message="an SSH server listens at that port")


def test_an_unknown_ffmpeg_option(program: Program) -> None:
    option = "source.options.reorder_queue=5"
    message = "no option 'reorder_queue' for network addresses; did you mean reorder_queue_size?"
    check_refused(program, "run", "rtsp://camera/", "--set", option, "-o", "out.mp4", message=message)


@pytest.mark.system
@pytest.mark.parametrize(
    "address", ["udp://239.1.2.3:5555", "udp://@239.1.2.3:5555", "rtp://239.1.2.3:5556", "rtsp://192.0.2.1/x"]
)
def test_an_unreachable_address(program: Program, address: str) -> None:
    program.launcher = ("unshare", "--map-root-user", "--net")  # a network without routes
    check_refused(program, "run", address, "-o", "out.mp4", message="no route to the host")
