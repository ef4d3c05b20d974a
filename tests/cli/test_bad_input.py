"""Bad input costs one clear line and exit code 2: no traceback, nothing half-written."""

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


def check_refused(program: Program, *arguments: str | Path, saying: str) -> None:
    """The program must refuse the arguments with exit code 2 and one line that holds `saying`."""
    before = program.files()
    result = program(*arguments)
    assert result.code == 2, result.errors
    assert "Traceback" not in result.errors
    assert saying.casefold() in " ".join(result.errors.split()).casefold(), result.errors
    assert program.files() == before, "something was left behind"


@pytest.mark.parametrize(
    ("name", "content", "saying"),
    [
        ("missing.mp4", None, "missing.mp4"),
        ("text.mp4", b"This is no video at all.\n" * 50, "text.mp4"),
        ("empty.mp4", b"", "empty.mp4"),
    ],
)
def test_sources_that_are_no_video(program: Program, name: str, content: bytes | None, saying: str) -> None:
    if content is not None:
        (program.folder / name).write_bytes(content)
    check_refused(program, "run", name, "-o", "out.mp4", saying=saying)


def test_a_folder_without_pictures(program: Program) -> None:
    (program.folder / "nothing").mkdir()
    check_refused(program, "run", "nothing", "-o", "out.mp4", saying="nothing")


def test_sound_only(program: Program) -> None:
    write_audio(program.folder / "sound.mp4")
    check_refused(program, "run", "sound.mp4", "-o", "out.mp4", saying="no video")


def test_an_existing_output_is_kept_unless_told_otherwise(program: Program, clip: Path) -> None:
    out = program.folder / "out.mp4"
    out.write_bytes(b"precious")
    check_refused(program, "run", clip, "-o", out, saying="--overwrite")
    assert out.read_bytes() == b"precious"
    assert program("run", clip, "-o", out, "--overwrite").code == 0
    assert out.read_bytes() != b"precious"


@pytest.mark.parametrize("option", ["-o", "--jsonl", "--mot", "--report"])
def test_output_into_a_folder_that_is_not_there(program: Program, clip: Path, option: str) -> None:
    check_refused(program, "run", clip, option, "no/such/folder/out.mkv", saying="no/such/folder")


def test_a_folder_that_cannot_be_written(program: Program, clip: Path) -> None:
    locked = program.folder / "locked"
    locked.mkdir(mode=0o500)
    program.launcher = (sys.executable, permissions.__file__)
    check_refused(program, "run", clip, "-o", locked / "out.mp4", saying="locked")


def test_output_is_the_input(program: Program, clip: Path) -> None:
    content = clip.read_bytes()
    check_refused(program, "run", clip, "-o", clip, "--overwrite", saying="is the input")
    assert clip.read_bytes() == content


def test_two_outputs_with_one_name(program: Program, clip: Path) -> None:
    check_refused(program, "run", clip, "--jsonl", "same.txt", "--mot", "same.txt", saying="same.txt")


def test_an_unknown_class_gets_the_nearest(program: Program, clip: Path) -> None:
    check_refused(program, "run", clip, "-o", "out.mp4", "--detector", "starter", "--classes", "Persn", saying="Person")


def test_an_unknown_option_gets_the_nearest(program: Program, clip: Path) -> None:
    check_refused(program, "run", clip, "--min-scor", "0.5", saying="--min-score")


def test_an_unknown_tracker_gets_the_nearest(program: Program, clip: Path) -> None:
    check_refused(program, "run", clip, "-o", "out.mp4", "--tracker", "iuo", saying="did you mean iou")


@pytest.mark.parametrize(
    ("assignment", "saying"),
    [
        ("output.crf=high", "output.crf"),
        ("output.crff=1", "did you mean crf"),
        ("tracker.options.x=1", "tracker.options.x"),
    ],
)
def test_a_bad_setting_is_named_with_its_path(program: Program, clip: Path, assignment: str, saying: str) -> None:
    check_refused(program, "run", clip, "-o", "out.mp4", "--set", assignment, saying=saying)


@pytest.mark.parametrize(
    ("out", "codec", "saying"),
    [
        ("out.webm", "h264", "webm"),
        ("out.mp4", "nosuchcodec", "nosuchcodec"),
        ("out.xyz", "h264", "xyz"),
        ("out", "h264", "out"),
    ],
)
def test_a_codec_or_container_that_cannot_be(program: Program, clip: Path, out: str, codec: str, saying: str) -> None:
    check_refused(program, "run", clip, "-o", out, "--set", f"output.codec={codec}", saying=saying)


def test_a_model_directory_that_is_none(program: Program, clip: Path) -> None:
    (program.folder / "model").mkdir()
    check_refused(program, "run", clip, "-o", "out.mp4", "--detector", "model", saying="model")


def test_an_unknown_detector(program: Program, clip: Path) -> None:
    check_refused(program, "run", clip, "-o", "out.mp4", "--detector", "startr", saying="starter")


@pytest.mark.parametrize(
    ("arguments", "saying"),
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
def test_the_other_commands(program: Program, arguments: list[str], saying: str) -> None:
    (program.folder / "det.txt").write_text("1,-1,10,10,20,20,0.9,-1,-1,-1\n")
    (program.folder / "bad.txt").write_text("1,-1,10,10,20,20,0.9,-1,-1,-1\n2,-1,ten\n")
    check_refused(program, *arguments, saying=saying)


def test_a_damaged_clip_is_still_a_result(program: Program) -> None:
    clip = truncate(write_video(program.folder / "whole.mkv", frames=100), program.folder / "cut.mkv", 0.6)
    result = program("run", clip, "-o", "out.mp4", "--report", "report.json")
    assert result.code == 0, result.errors
    frames = program.report()["frames"]
    assert frames["corrupt"].get("truncated", 0) > 0
    assert frames["entered"] == frames["detected"] + sum(frames["corrupt"].values())
    assert "truncated" in result.errors


@pytest.mark.parametrize(
    ("address", "saying"),
    [
        ("rtsp://admin:pa/swordfish@", "has no host; write rtsp://HOST/PATH"),
        ("rtsp://admin:swordfish/live", "is no address"),
        ("rtsp://admin:1/swordfish@nowhere.invalid/live", "write %2F %3F %23 or %40 for them"),
    ],
)
def test_an_address_whose_password_hides_the_host(program: Program, address: str, saying: str) -> None:
    check_refused(program, "run", address, "-o", "out.mp4", saying=saying)
    assert "swordfish" not in program("run", address, "-o", "out.mp4").errors


def test_a_port_of_something_else(program: Program) -> None:
    with answering(lambda _: None, b"SSH-2.0-OpenSSH_9.2\r\n") as port:
        address = f"rtsp://admin:swordfish@127.0.0.1:{port}/live"
        check_refused(program, "run", address, "-o", "out.mp4", saying="an SSH server listens at that port")


def test_an_option_that_ffmpeg_does_not_have(program: Program) -> None:
    option = "source.options.reorder_queue=5"
    saying = "no option 'reorder_queue' for network addresses; did you mean reorder_queue_size?"
    check_refused(program, "run", "rtsp://camera/", "--set", option, "-o", "out.mp4", saying=saying)


@pytest.mark.system
@pytest.mark.parametrize(
    "address", ["udp://239.1.2.3:5555", "udp://@239.1.2.3:5555", "rtp://239.1.2.3:5556", "rtsp://192.0.2.1/x"]
)
def test_an_address_to_which_no_way_leads(program: Program, address: str) -> None:
    program.launcher = ("unshare", "--map-root-user", "--net")  # a network without routes
    check_refused(program, "run", address, "-o", "out.mp4", saying="no way leads there")
