"""Every script of examples/ runs and does what its first line says."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest

from streamer.cli.commands import packaged_clip

EXAMPLES = Path(__file__).parents[2] / "examples"
FRAMES = 120
CLIP = "carphone_pristine.mp4"
"""A person in a car, 176x144, 120 frames."""

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("starter_weights")]


def run(script: str, folder: Path, *arguments: str) -> str:
    """The output of a script that runs in a folder."""
    words = [sys.executable, str(EXAMPLES / script), *arguments]
    variables = {**os.environ, "PYTHONPATH": str(EXAMPLES.parent)}
    done = subprocess.run(words, cwd=folder, env=variables, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def decoded(path: Path) -> list[np.ndarray[tuple[int, ...], np.dtype[np.uint8]]]:
    with av.open(str(path)) as container:
        return [np.asarray(frame.to_ndarray(format="rgb24"), np.uint8) for frame in container.decode(video=0)]


@pytest.fixture(scope="module")
def clip() -> str:
    return str(packaged_clip(CLIP))


def test_every_script_is_tested_and_documented() -> None:
    scripts = {path.name for path in EXAMPLES.glob("*.py")}
    text = Path(__file__).read_text(encoding="utf-8")
    readme = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    assert {name for name in scripts if f'"{name}"' in text} == scripts
    assert {name for name in scripts if f"]({name})" in readme} == scripts


def test_files_are_annotated_and_errors_are_one_line(clip: str, tmp_path: Path) -> None:
    printed = run("files.py", tmp_path, clip, "missing.mp4", "--folder", "out", "--detector", "starter")
    first, second = printed.splitlines()
    assert "Person in " in first
    assert second.startswith("missing.mp4: ")
    assert len(decoded(tmp_path / "out" / "carphone_pristine.mp4")) == FRAMES
    lines = (tmp_path / "out" / "carphone_pristine.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["index"] for line in lines] == list(range(FRAMES))


def test_a_clip_is_watched_like_a_camera(clip: str, tmp_path: Path) -> None:
    printed = run("camera.py", tmp_path, clip, "--detector", "starter", "--seconds", "2.5").splitlines()
    assert " ms old " in printed[0]
    assert printed[-1].endswith(" frames shown")


def test_an_own_detector_finds_moving_regions(clip: str, tmp_path: Path) -> None:
    printed = run("own_detector.py", tmp_path, clip, "-o", "moving.mp4").splitlines()
    assert len(printed) == 5
    assert "[[" in printed[-1]
    assert len(decoded(tmp_path / "moving.mp4")) == FRAMES


def test_an_own_annotator_hides_people(clip: str, tmp_path: Path) -> None:
    run("own_annotator.py", tmp_path, clip, "-o", "hidden.mkv", "--detector", "starter")
    before, after = (
        np.array([(np.abs(picture.astype(int) - 90).max(axis=2) < 8).mean() for picture in decoded(path)])
        for path in (Path(clip), tmp_path / "hidden.mkv")
    )
    assert (after > before + 0.1).any()


def test_an_own_sink_writes_a_table(clip: str, tmp_path: Path) -> None:
    run("own_sink.py", tmp_path, clip, "tracks.csv", "--detector", "starter")
    rows = list(csv.DictReader((tmp_path / "tracks.csv").open(encoding="utf-8")))
    assert len(rows) > FRAMES / 2
    assert {row["class"] for row in rows} >= {"Person"}


def test_objects_are_counted_in_cells(clip: str, tmp_path: Path) -> None:
    printed = run("counting.py", tmp_path, clip, "starter").splitlines()
    assert any(line.startswith("Person: ") for line in printed)
    assert printed[-1].startswith("crossings: ")
