"""Every script of examples/ runs and does what its first line says."""

from __future__ import annotations

import ast
import csv
import os
import shutil
import subprocess
import sys
from pathlib import Path

import av
import cv2
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


def test_a_clip_is_annotated(clip: str, tmp_path: Path) -> None:
    run("annotate.py", tmp_path, clip, "annotated.mp4")
    assert len(decoded(tmp_path / "annotated.mp4")) == FRAMES


def test_cars_become_rows(tmp_path: Path) -> None:
    run("cars_to_csv.py", tmp_path, str(packaged_clip()), "cars.csv")
    rows = list(csv.DictReader((tmp_path / "cars.csv").open(encoding="utf-8")))
    assert len(rows) > 10
    assert {row["class"] for row in rows} == {"Car"}


def test_objects_are_counted_by_class(clip: str, tmp_path: Path) -> None:
    assert "Person: 1" in run("count_by_class.py", tmp_path, clip).splitlines()


def test_a_folder_is_annotated_and_errors_are_one_line(clip: str, tmp_path: Path) -> None:
    (tmp_path / "clips").mkdir()
    shutil.copy(clip, tmp_path / "clips" / "first.mp4")
    (tmp_path / "clips" / "broken.mp4").write_bytes(b"no video")
    for _ in range(2):
        printed = run("folder_of_clips.py", tmp_path, "clips", "annotated").splitlines()
        assert len(printed) == 1
        assert "broken.mp4" in printed[0]
    assert len(decoded(tmp_path / "annotated" / "first.mp4")) == FRAMES


@pytest.mark.parametrize(
    "name",
    ["annotate", "cars_to_csv", "count_by_class", "folder_of_clips", "own_annotator", "own_detector", "own_sink"],
)
def test_without_arguments_a_script_shows_how_to_call_it(name: str) -> None:
    called = subprocess.run([sys.executable, EXAMPLES / f"{name}.py"], capture_output=True, text=True, timeout=60)
    assert called.returncode == 1
    assert f"python examples/{name}.py" in called.stderr
    assert "Traceback" not in called.stderr


def test_a_clip_is_watched_like_a_camera(clip: str, tmp_path: Path) -> None:
    printed = run("camera.py", tmp_path, clip, "--detector", "starter", "--seconds", "2.5").splitlines()
    assert " ms old " in printed[0]
    assert printed[-1].endswith(" frames shown")


def test_an_own_detector_finds_moving_regions(clip: str, tmp_path: Path) -> None:
    run("own_detector.py", tmp_path, clip, "moving.mp4")
    before, after = decoded(Path(clip)), decoded(tmp_path / "moving.mp4")
    assert len(after) == FRAMES
    assert np.abs(after[-1].astype(int) - before[-1]).max() > 80, "boxes are drawn"


def test_an_own_annotator_hides_people(clip: str, tmp_path: Path) -> None:
    run("own_annotator.py", tmp_path, clip, "hidden.mkv")
    before, after = (
        np.array([(np.abs(picture.astype(int) - 90).max(axis=2) < 8).mean() for picture in decoded(path)])
        for path in (Path(clip), tmp_path / "hidden.mkv")
    )
    assert (after > before + 0.1).any()


def test_an_own_sink_saves_a_picture_of_each_object(tmp_path: Path) -> None:
    run("own_sink.py", tmp_path, str(packaged_clip()), "objects")
    names = [path.stem for path in (tmp_path / "objects").iterdir()]
    assert len(names) == len({name.split("-")[0] for name in names}) >= 2
    assert {"Person", "Car"} <= {name.split("-")[1] for name in names}
    assert cv2.imread(str(next((tmp_path / "objects").glob("*-Person.png")))) is not None


def test_crossings_are_counted_in_cells(clip: str, tmp_path: Path) -> None:
    (line,) = run("counting.py", tmp_path, clip).splitlines()
    assert line.startswith("crossings: {")


def test_the_five_tasks_take_five_lines() -> None:
    for name in ("annotate", "cars_to_csv", "count_by_class", "folder_of_clips"):
        tree = ast.parse((EXAMPLES / f"{name}.py").read_text(encoding="utf-8"))
        lines = {node.lineno for node in ast.walk(tree) if isinstance(node, ast.stmt)}
        imports = {node.lineno for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)}
        assert len(lines - imports) - 1 <= 5, name  # 1: the docstring
