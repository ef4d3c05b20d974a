"""The extension in examples/extension: installed beside Streamer, used through the command line, refused in words."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import av
import pytest

EXTENSION = Path(__file__).parents[2] / "examples" / "extension"
ROOT = EXTENSION.parents[1]
FEATURES = {
    "streamer.sources": "bouncing",
    "streamer.detectors": "bright",
    "streamer.trackers": "nearest",
    "streamer.annotators": "crosshair",
    "streamer.sinks": "sqlite",
}
FRAMES = 30
BOUNCING = ("bouncing://160x120", "--set", f"extensions.bouncing.frames={FRAMES}")
GRAPH = "lavfi:color=black:size=160x120:rate=25:duration=1,drawbox=x=40:y=40:w=30:h=30:color=white:t=fill"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for PYTHONPATH. The sources are copied, because setuptools leaves files beside them."""
    folder = tmp_path_factory.mktemp("extension")
    shutil.copytree(EXTENSION, folder / "source")
    command = ["pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--target", "packages"]
    subprocess.run([sys.executable, "-m", *command, "./source"], cwd=folder, check=True)
    return folder / "packages"


class Program:
    """`streamer run` in a folder, with the extension installed."""

    def __init__(self, installed: Path, folder: Path) -> None:
        self.folder = folder
        self._variables = {**os.environ, "PYTHONPATH": f"{installed}{os.pathsep}{ROOT}"}

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        words = [sys.executable, "-m", "streamer", "run", *arguments]
        return subprocess.run(
            words, cwd=self.folder, env=self._variables, capture_output=True, text=True, timeout=100, check=False
        )

    def lines(self, *arguments: str) -> list[dict[str, list[dict[str, object]]]]:
        """The JSON lines of a run."""
        done = self(*arguments, "--jsonl", "lines.jsonl")
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in (self.folder / "lines.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def program(installed: Path, tmp_path: Path) -> Program:
    return Program(installed, tmp_path)


@pytest.fixture
def detections(tmp_path: Path) -> str:
    """A file of detections, so that no model is needed."""
    path = tmp_path / "detections.txt"
    path.write_text("".join(f"{frame},-1,40,40,30,30,0.9,-1,-1,-1\n" for frame in range(1, 26)), encoding="ascii")
    return str(path)


def red_pixels(path: Path) -> int:
    with av.open(str(path)) as container:
        pictures = [frame.to_ndarray(format="rgb24").astype(int) for frame in container.decode(video=0)]
    red, green, blue = pictures[-1].transpose(2, 0, 1)
    return int(((red > 150) & (green < 90) & (blue < 90)).sum())


def rows_of(path: Path, table: str) -> int:
    with contextlib.closing(sqlite3.connect(path)) as database:
        (count,) = database.execute(f"SELECT COUNT(*) FROM {table}").fetchone()
    return int(count)


def test_each_kind_is_registered_under_its_name(installed: Path) -> None:
    (record,) = installed.glob("streamer_example-*.dist-info/entry_points.txt")
    text = record.read_text(encoding="utf-8")
    assert all(f"[{group}]\n{name} = streamer_example." in text for group, name in FEATURES.items())


def test_the_source_alone(program: Program, detections: str) -> None:
    assert len(program.lines(*BOUNCING, "--detector", detections)) == FRAMES


def test_the_detector_alone(program: Program) -> None:
    lines = program.lines(GRAPH, "--detector", "bright")
    (track,) = lines[-1]["tracks"]
    assert track["label"] == "bright"
    assert track["box"] == pytest.approx([40, 40, 70, 70], abs=2)


def test_the_tracker_alone(program: Program, detections: str) -> None:
    lines = program.lines(GRAPH, "--detector", detections, "--tracker", "nearest")
    assert {track["id"] for line in lines for track in line["tracks"]} == {1}
    refused = program(
        GRAPH, "--detector", detections, "--tracker", "nearest", "--set", "tracker.options.max_distance=3"
    )
    assert refused.returncode == 2
    assert "tracker.options.max_distance: no such option; did you mean max_distance_px?" in refused.stderr


def test_the_annotator_alone(program: Program, detections: str) -> None:
    plain = ("--detector", detections, "--set", "draw.boxes=false", "--set", "draw.labels=false")
    assert program(GRAPH, *plain, "-o", "plain.mkv").returncode == 0
    assert program(GRAPH, *plain, "--set", "draw.annotators=[crosshair]", "-o", "cross.mkv").returncode == 0
    assert red_pixels(program.folder / "plain.mkv") == 0
    assert red_pixels(program.folder / "cross.mkv") > 20


def test_the_sink_alone(program: Program, detections: str) -> None:
    done = program(GRAPH, "--detector", detections, "-o", "tracks.sqlite")
    assert done.returncode == 0, done.stderr
    assert rows_of(program.folder / "tracks.sqlite", "tracks") >= 24
    again = program(GRAPH, "--detector", detections, "-o", "tracks.sqlite")
    assert again.returncode == 2
    assert "tracks.sqlite exists already" in again.stderr


def test_all_together_with_settings_from_a_file(program: Program) -> None:
    (program.folder / "settings.yaml").write_text(
        f"""
        detector: {{name: bright}}
        tracker: {{name: nearest}}
        draw: {{annotators: [crosshair]}}
        outputs:
          - {{to: tracks.sqlite}}
          - {{to: bouncing.mkv}}
        extensions:
          bouncing: {{frames: {FRAMES}, squares: 1}}
          bright: {{threshold: 150}}
          crosshair: {{length_px: 12}}
          sqlite: {{table: boxes}}
        """,
        encoding="utf-8",
    )
    lines = program.lines(BOUNCING[0], "--config", "settings.yaml")
    assert len(lines) == FRAMES
    assert {track["id"] for line in lines for track in line["tracks"]} == {1}
    assert rows_of(program.folder / "tracks.sqlite", "boxes") == FRAMES
    assert red_pixels(program.folder / "bouncing.mkv") > 40


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("extensions.bouncing.frame=3",), "extensions.bouncing.frame"),
        (("extensions.bouncing.squares=0",), "extensions.bouncing.squares"),
        (("extensions.bright.threshold=many", "detector.name=bright"), "extensions.bright.threshold"),
        (("extensions.crosshair.length=3", "draw.annotators=[crosshair]"), "extensions.crosshair.length"),
        (("draw.annotators=[croshair]",), "did you mean crosshair?"),
        (("extensions.sqlite.tables=x",), "extensions.sqlite.tables"),
        (("extensions.bouncin.frames=3",), "no installed package has a feature 'bouncin'; did you mean bouncing?"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_wrong_settings_are_refused_in_words(
    program: Program, detections: str, arguments: tuple[str, ...], message: str
) -> None:
    assignments = [word for argument in (f"detector.name={detections}", *arguments) for word in ("--set", argument)]
    done = program(BOUNCING[0], "-o", "tracks.sqlite", *assignments)
    assert done.returncode == 2
    assert message in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
