"""Live runs on the command line."""

from __future__ import annotations

import json
import signal
import socket
from pathlib import Path

import av
import pytest

from tests.cli.program import Program
from tests.cli.test_bad_input import check_refused
from tests.cli.test_interrupts import end_when_running
from tests.clips import write_video
from tests.sources.network.web_server import serving

CANARY = "swordfish"
ENDLESS = "lavfi:testsrc2=size=320x240:rate=25"


def frames_in(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def check_balance(program: Program) -> int:
    """Check that every frame in the report has exactly one final state, and return the number of frames."""
    frames = program.report()["frames"]
    ends = [frames["detected"], frames["interpolated"], frames["predicted"]]
    ends += [sum(frames[state].values()) for state in ("lost", "dropped", "corrupt")]
    assert sum(ends) == frames["entered"]
    return int(frames["entered"])


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_the_report_of_a_live_run_adds_up(program: Program) -> None:
    write_video(program.folder / "clip.mp4", frames=60, rate=50)
    result = program("run", "clip.mp4", "--live", "-o", "out.mp4", "--jsonl", "out.jsonl", "--report", "report.json")
    assert result.code == 0, result.errors
    report = program.report()
    assert report["state"] == "complete"
    assert check_balance(program) == 60
    assert report["frames"]["interpolated"] == 0
    assert report["frames"]["detected"] > 0
    assert {"detector", "shown"} <= report["ages"].keys()
    for age in report["ages"].values():
        assert 0 < age["p50_ms"] <= age["p95_ms"] <= age["max_ms"] * 1.03  # the bins of the histogram
    assert report["ages"]["detector"]["count"] == report["frames"]["detected"]
    shown = report["ages"]["shown"]["count"]
    skipped = report["counts"]
    assert frames_in(program.folder / "out.mp4") + skipped.get("skipped: encode", 0) == shown
    lines = [json.loads(line) for line in (program.folder / "out.jsonl").read_text().splitlines()]
    assert len(lines) + skipped.get("skipped: jsonl", 0) == shown
    assert [line["pts"] for line in lines] == sorted({line["pts"] for line in lines})
    assert "age of the frames, p50 / p95" in result.output
    assert program.files() == {"clip.mp4", "out.mp4", "out.jsonl", "report.json"}


def test_a_run_whose_only_output_was_never_reached_fails(program: Program) -> None:
    clip, address = write_video(program.folder / "clip.mp4", frames=20), f"rtsp://127.0.0.1:{free_port()}/live"
    (program.folder / "det.txt").write_text("1,-1,10,10,50,50,0.9\n")
    alone = program("run", clip, "--detector", "det.txt", "-o", address, "--report", "report.json")
    assert alone.code == 1
    assert f"error: nothing was written: {address}: cannot be reached: Connection refused" in alone.errors
    assert json.loads((program.folder / "report.json").read_text())["state"] == "failed"
    with_a_file = program("run", clip, "--detector", "det.txt", "-o", address, "--jsonl", "tracks.jsonl")
    assert with_a_file.code == 0
    assert len((program.folder / "tracks.jsonl").read_text().splitlines()) == 20


def test_overlay_detected_shows_detected_frames_only(program: Program) -> None:
    write_video(program.folder / "clip.mp4", frames=30)
    options = ("--overlay", "detected", "--jsonl", "out.jsonl", "--report", "report.json")
    result = program("run", "clip.mp4", "--live", *options)
    assert result.code == 0, result.errors
    assert check_balance(program) == 30
    assert program.report()["frames"]["predicted"] == 0
    states = [json.loads(line)["state"] for line in (program.folder / "out.jsonl").read_text().splitlines()]
    assert set(states) == {"detected"}


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_a_live_run_with_complete_outputs(program: Program, number: int, code: int) -> None:
    result = end_when_running(program, number, ENDLESS, "--live", "-o", "out.mp4", "--report", "report.json")
    assert result.code == code, result.errors
    assert "Traceback" not in result.errors
    assert program.report()["state"] == "interrupted"
    check_balance(program)
    skipped = program.report()["counts"].get("skipped: encode", 0)
    assert frames_in(program.folder / "out.mp4") + skipped == program.report()["ages"]["shown"]["count"]
    assert program.files() == {"out.mp4", "frames.jsonl", "report.json"}


def test_source_and_outputs_can_be_in_the_settings(program: Program) -> None:
    write_video(program.folder / "clip.mp4", frames=30)
    (program.folder / "run.yaml").write_text(
        "source: {uri: clip.mp4, live: true}\n"
        "outputs:\n"
        "  - {to: first.mp4, crf: 30}\n"
        "  - {to: part-%S.mkv, segment_s: 60}\n"
        "  - {to: live.m3u8}\n"
    )
    result = program("run", "--config", "run.yaml", "-o", "typed.mp4")
    assert result.code == 0, result.errors
    files = program.files()
    assert {"typed.mp4", "first.mp4", "live.m3u8"} <= files
    (part,) = [name for name in files if name.startswith("part-")]
    for name in ("typed.mp4", "first.mp4", part):
        assert frames_in(program.folder / name) > 0


def test_a_recording_on_a_server_is_not_live(program: Program, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("web")
    write_video(folder / "clip.mp4", frames=40)
    with serving(folder) as address:
        result = program("run", f"{address}/clip.mp4?token={CANARY}", "-o", "out.mp4", "--report", "report.json")
    assert result.code == 0, result.errors
    assert program.report()["frames"]["detected"] == check_balance(program) == 40
    assert frames_in(program.folder / "out.mp4") == 40
    assert program.report()["source"] == f"{address}/clip.mp4"
    assert CANARY not in result.errors + result.output


def test_a_run_needs_a_source(program: Program) -> None:
    check_refused(program, "run", message="no source given; name a file, a webcam (0) or an address after 'run'")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-o", "ftp://server/"], "ftp:// is no address of an output"),
        (["-o", ""], "an output has an empty name"),
        (["-o", f"rtsp://me:{CANARY}@h/s", "-o", f"rtsp://me:{CANARY}@h/s"], "have the same name rtsp://h/s"),
        (["--transport", "tpc"], "source.transport"),
    ],
)
def test_invalid_outputs_and_options_are_refused(program: Program, arguments: list[str], message: str) -> None:
    check_refused(program, "run", ENDLESS, "--live", *arguments, message=message)


def test_a_misspelled_output_setting_is_reported_with_its_path(program: Program) -> None:
    (program.folder / "run.yaml").write_text("source: {uri: 0}\noutputs: [{to: a.mp4}, {to: b.mp4, qualty: 3}]\n")
    check_refused(
        program, "run", "--config", "run.yaml", message="outputs.1.qualty: no such setting; did you mean quality"
    )


def test_a_missing_camera_is_reported_at_once(program: Program) -> None:
    address = f"rtsp://me:{CANARY}@127.0.0.1:{free_port()}/live"
    check_refused(program, "run", address, "-o", "out.mp4", message="no server listens at that port")


def test_the_error_of_an_absent_camera_contains_no_password(program: Program) -> None:
    address = f"rtsp://me:{CANARY}@127.0.0.1:{free_port()}/live"
    result = program("run", address, "-o", "out.mp4", "--retry-for", "0.3", "--log-format", "json")
    assert result.code == 2
    text = [json.loads(line)["message"] for line in result.errors.splitlines()]
    assert "given up after" in text[-1]
    assert CANARY not in result.errors + result.output
    assert program.files() == set()
