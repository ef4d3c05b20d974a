"""`run --record` and `replay` as a user types them."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from streamer.replay.recording import Recording
from tests.cli.program import Program
from tests.cli.test_interrupts import end_when_running
from tests.clips import write_video
from tests.faults.camera import Camera
from tests.replay.runs import replay

CANARY = "swordfish"


@pytest.fixture
def program(tmp_path: Path) -> Program:
    return Program(tmp_path)


@pytest.fixture
def clip(program: Program) -> Path:
    """A clip, with detections for each of its frames beside it."""
    rows = (f"{frame},-1,{10 + frame},20,40,50,0.9,-1,-1,-1" for frame in range(1, 41))
    (program.folder / "boxes.txt").write_text("\n".join(rows) + "\n")
    return write_video(program.folder / "clip.mp4", frames=40, size=(320, 240))


RECORDED = ("--detector", "boxes.txt", "--report", "run.json", "--jsonl", "run.jsonl", "--record", "kept")


@pytest.mark.slow
def test_a_replay_writes_the_same_lines_or_uses_another_tracker(program: Program, clip: Path) -> None:
    run = ("--latency", "0.2", "--overlay", "delayed", "--set", "tracker.options.iou_min=0.25")
    result = program("run", clip, *run, *RECORDED)
    assert result.code == 0, result.errors
    clip.unlink()  # a replay does not need it
    again = program("replay", "kept", "--jsonl", "again.jsonl", "--mot", "again.txt", "--report", "again.json")
    assert again.code == 0, again.errors
    lines = (program.folder / "run.jsonl").read_bytes()
    assert lines == (program.folder / "again.jsonl").read_bytes()
    assert lines.count(b'"id"') > 20
    assert program.report("run.json")["frames"] == program.report("again.json")["frames"]
    assert (program.folder / "again.txt").stat().st_size > 0
    assert json.loads((program.folder / "kept/recording.json").read_text())["tracker_options"] == {"iou_min": 0.25}
    other = program("replay", "kept", "-o", "b.mp4", "--jsonl", "b.jsonl", "--tracker", "cascade")
    assert other.code == 0, other.errors
    assert (program.folder / "b.mp4").stat().st_size > 0
    assert b'"id"' in (program.folder / "b.jsonl").read_bytes()


def test_a_replay_shows_what_the_score_bound_of_the_run_showed(program: Program, clip: Path) -> None:
    strong = [f"{frame},-1,{10 + frame},20,40,50,0.95,-1,-1,-1" for frame in range(1, 41)]
    weak = [f"{frame},-1,200,120,40,50,0.5,-1,-1,-1" for frame in range(1, 41)]
    (program.folder / "boxes.txt").write_text("\n".join([*strong, *weak]) + "\n")
    assert program("run", clip, "--latency", "0.2", "--min-score", "0.4", *RECORDED).code == 0
    assert program("replay", "kept", "--jsonl", "again.jsonl").code == 0
    lines = (program.folder / "run.jsonl").read_bytes()
    assert lines == (program.folder / "again.jsonl").read_bytes()
    assert len(json.loads(lines.splitlines()[-1])["tracks"]) == 2


@pytest.mark.usefixtures("clip")
def test_the_password_of_a_camera_is_not_recorded(program: Program) -> None:
    with Camera(auth=("digest", "me", CANARY), fps=50, key_frame_on_play=True) as camera:
        options = ("--detector", "boxes.txt", "--report", "run.json", "--record", "kept")
        result = end_when_running(program, signal.SIGTERM, camera.url, *options)
    assert result.code == 143, result.errors
    ended = Recording(program.folder / "kept").ended
    assert ended is not None
    assert ended.state == "interrupted"
    frames = program.report("run.json")["frames"]
    assert replay(program.folder / "kept").counts[0] == frames["entered"] > 0
    kept = list((program.folder / "kept").iterdir())
    assert {path.name for path in kept} == {"recording.json", "events.jsonl", "packets-000.nut"}
    for path in kept:
        assert CANARY.encode() not in path.read_bytes()


def test_files_are_not_recorded(program: Program, clip: Path) -> None:
    result = program("run", clip, "--detector", "boxes.txt", "--record", "kept")
    assert result.code == 2
    assert "only live runs are recorded" in result.errors
    assert len(result.errors.strip().splitlines()) == 1
    assert program.files() == {"clip.mp4", "boxes.txt"}
