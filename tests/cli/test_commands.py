"""The commands as a user runs them."""

from __future__ import annotations

import json
import re
import shutil
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest

from streamer.cli import commands
from streamer.cli.commands import packaged_clip
from tests.cli.program import Program, exit_code
from tests.clips import read_number, write_picture, write_video


def test_run_writes_all_outputs(program: Program) -> None:
    clip = write_video(program.folder / "clip.mp4", frames=30, audio=True)
    options = ["--jsonl", "boxes.jsonl", "--mot", "tracks.txt", "--report", "report.json", "--set", "draw.hud=true"]
    result = program("run", clip, "-o", "out.mkv", *options)
    assert result.code == 0, result.errors
    assert "out.mkv" in result.output
    lines = [json.loads(line) for line in (program.folder / "boxes.jsonl").read_text().splitlines()]
    assert [line["index"] for line in lines] == list(range(30))
    report = program.report()
    assert report["state"] == "complete"
    assert report["frames"]["detected"] == report["frames"]["entered"] == 30
    assert {"decode", "detect", "track", "draw", "encode", "jsonl", "mot"} <= report["stages"].keys()
    assert report["bottleneck"] in report["stages"]
    assert report["throughput_fps"] > 0
    with av.open(str(program.folder / "out.mkv")) as out:
        assert [stream.type for stream in out.streams] == ["video", "audio"]
        assert [read_number(frame) for frame in out.decode(video=0)][:3] == [0, 1, 2]


@pytest.mark.slow
def test_cars_and_people_are_found_in_the_real_clip(program: Program) -> None:
    result = program("run", packaged_clip(), "-o", "out.mp4", "--report", "report.json", "--quiet")
    assert result.code == 0, result.errors
    assert result.output == result.errors == ""
    tracks = program.report()["tracks_by_class"]
    assert tracks["Car"] >= 1
    assert tracks["Person"] >= 1


@pytest.mark.slow
def test_runs_are_deterministic(program: Program) -> None:
    for name in ("one", "two"):
        assert program("run", packaged_clip("carphone_pristine.mp4"), "--jsonl", f"{name}.jsonl").code == 0
    one, two = (program.folder / f"{name}.jsonl" for name in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()
    assert b'"id"' in one.read_bytes()


def test_the_default_output_is_in_the_current_folder(program: Program) -> None:
    clip = write_video(program.folder / "my clip.mkv", frames=3)
    result = program("run", clip)
    assert result.code == 0, result.errors
    assert "my clip.annotated.mkv" in program.files()


def test_a_folder_of_images_becomes_a_video(program: Program) -> None:
    (program.folder / "shots").mkdir()
    for number in (1, 2, 10):
        write_picture(program.folder / "shots" / f"shot{number}.png", number)
    result = program("run", "shots", "--fps", "30000/1001", "-o", "out.mkv", "--set", "output.codec=ffv1")
    assert result.code == 0, result.errors
    with av.open(str(program.folder / "out.mkv")) as out:
        assert [read_number(frame) for frame in out.decode(video=0)] == [1, 2, 10]


def test_detecting_every_fifth_frame_writes_all_frames(program: Program) -> None:
    clip = write_video(program.folder / "clip.mp4", frames=23)
    result = program("run", clip, "-o", "out.mp4", "--detect-every", "5", "--report", "report.json")
    assert result.code == 0, result.errors
    frames = program.report()["frames"]
    assert frames["detected"] == 5
    # The numbers in the frames wrap around sometimes, which is a cut. Boxes are not carried across a cut.
    assert frames["interpolated"] >= 8
    assert frames["interpolated"] + frames["predicted"] == 18


def test_track_reads_and_writes_mot_text(program: Program) -> None:
    rows = [f"{frame},-1,{10 + frame},20,30,60,0.9,-1,-1,-1" for frame in range(1, 31)]
    (program.folder / "det.txt").write_text("\n".join(rows))
    result = program("track", "det.txt", "--fps", "29.97", "--size", "640x480", "-o", "tracks.txt")
    assert result.code == 0, result.errors
    tracks = [line.split(",") for line in (program.folder / "tracks.txt").read_text().splitlines()]
    assert {row[1] for row in tracks} == {"1"}
    assert len(tracks) >= 28


def test_probe_shows_streams(program: Program) -> None:
    clip = write_video(program.folder / "clip.mp4", rotation=90, audio=True)
    as_json = program("probe", clip, "--json")
    video, audio = json.loads(as_json.output)["streams"]
    assert (video["type"], audio["type"]) == ("video", "audio")
    assert Fraction(video["video"]["average_fps"]) == 25
    text = program("probe", clip)
    assert "160x120" in text.output
    assert "h264" in text.output
    assert as_json.code == text.code == 0


def test_models_are_compared_checked_and_fetched(
    program: Program, nanodet_weights: Path, starter_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = program.folder / "cache"
    cache.mkdir()
    for path in (nanodet_weights, nanodet_weights.with_suffix(".json"), starter_weights):
        shutil.copyfile(path, cache / path.name)
    monkeypatch.setenv("STREAMER_CACHE", str(cache))
    listed = program("models", "list")
    assert "nanodet: ready" in listed.output
    assert "faster_rcnn_openimages_v4: missing" in listed.output
    assert re.search(r"\nnanodet +80 +416x416 +- +0\.229 +0\.87 +Apache-2\.0", listed.output)
    checked = program("models", "check", "--size", "640x360")
    assert re.search(r"nanodet works\n  80 classes, loaded in", checked.output)
    assert program("models", "list").output == listed.output  # the table has the time of 1280x720 only
    assert program("models", "check", "nanodet").code == 0
    assert re.search(r"\nnanodet +80 +416x416 +\d+ ", program("models", "list").output)
    fetched = program("models", "fetch", "starter", "auto")
    assert [line.partition(" is at ")[0] for line in fetched.output.splitlines()] == ["starter", "nanodet"]
    assert listed.code == checked.code == fetched.code == 0


@pytest.mark.slow
def test_demo_shows_the_path_of_its_result(program: Program) -> None:
    result = program("demo")
    assert result.code == 0, result.errors
    where = re.search(r"The annotated clip is (.+)", result.output)
    assert where
    with av.open(where.group(1)) as out:
        assert sum(1 for _ in out.decode(video=0)) == 250


def test_a_missing_system_library_is_named_with_a_remedy(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def without_libgl(*_: object) -> None:
        raise ImportError("libGL.so.1: cannot open shared object file: No such file or directory")

    monkeypatch.setattr("streamer.sources.probe.probe.probe", without_libgl)
    assert exit_code(commands.probe, "clip.mp4") == 1
    assert "apt-get install libgl1" in " ".join(capsys.readouterr().err.split())


def test_help_names_every_command(program: Program) -> None:
    result = program("--help")
    assert result.code == 0
    assert all(name in result.output for name in ("run", "demo", "track", "probe", "models"))


def test_the_readme_example_runs() -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    example = re.search(r"```python\n(.+?)```", readme, re.DOTALL)
    assert example
    clip = packaged_clip("carphone_pristine.mp4")
    printed: list[tuple[Any, ...]] = []
    exec(example.group(1).replace("clip.mp4", str(clip)), {"print": lambda *values: printed.append(values)})
    assert printed
    for time_s, objects in printed:
        assert isinstance(time_s, float)
        assert all(len(box) == 4 for _, _, box in objects)
    assert "Person" in {name for _, objects in printed for name, _, _ in objects}
