"""ONNX models on the command line: `run`, `models check` and `models labels`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.cli.program import Program
from tests.clips import write_video
from tests.detectors.onnx import graphs
from tests.detectors.onnx.test_families import BOXES, SCORES, write_dfine


@pytest.fixture
def clip(program: Program) -> Path:
    return write_video(program.folder / "clip.mp4", frames=5, size=(192, 128))


@pytest.fixture
def model(program: Program) -> Path:
    sure = np.array([[0.9, 0.2], [0.1, 0.9]])  # the tracker shows both
    output = {"output0": graphs.yolov8(BOXES, sure)}
    return graphs.constant(program.folder / "model.onnx", output, metadata=graphs.ULTRALYTICS)


@pytest.fixture
def no_runtime(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Importing ONNX Runtime or TensorFlow ends the program."""
    folder = tmp_path_factory.mktemp("packages")
    for package in ("onnxruntime", "onnx", "tensorflow"):
        (folder / f"{package}.py").write_text(f"import sys; sys.exit('{package} was imported')")
    monkeypatch.setenv("PYTHONPATH", str(folder))


def classes_in(file: Path) -> set[str]:
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    return {found["label"] for line in lines for found in line.get("objects", line.get("tracks", []))}


@pytest.mark.usefixtures("model")
def test_a_video_is_detected_by_an_onnx_model(program: Program, clip: Path) -> None:
    result = program("run", clip, "--detector", "model.onnx", "--jsonl", "out.jsonl", "--report", "report.json")
    assert result.code == 0, result.errors
    assert "using model.onnx (2 classes)" in result.errors
    assert classes_in(program.folder / "out.jsonl") == {"person", "car"}
    assert program.report()["frames"]["detected"] == 5


@pytest.mark.usefixtures("model")
def test_classes_are_selected_by_the_hierarchy(program: Program, clip: Path) -> None:
    result = program("run", clip, "--detector", "model.onnx", "--classes", "Vehicle", "--jsonl", "out.jsonl")
    assert result.code == 0, result.errors
    assert classes_in(program.folder / "out.jsonl") == {"car"}


@pytest.mark.usefixtures("model", "no_runtime")
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--classes", "Persn"], "no class 'Persn' in this detector; did you mean person?"),
        (["--set", "detector.onnx.family=yolo8"], "did you mean yolov8?"),
        (["--set", "detector.onnx.famly=yolov8"], "detector.onnx.famly: no such setting; did you mean family?"),
        (["--set", "detector.onnx.input_size=640"], "detector.onnx.input_size"),
        (["--set", "detector.label_map=coco"], "has 2 classes, but the label map coco has 80"),
        (["--detector", "missing.onnx"], "there is no missing.onnx"),
    ],
)
def test_bad_settings_are_refused_before_the_runtime_is_loaded(
    program: Program, clip: Path, options: list[str], message: str
) -> None:
    before = program.files()
    result = program("run", clip, "--detector", "model.onnx", "-o", "out.mp4", *options)
    assert result.code == 2
    assert message in result.errors, result.errors
    assert "Traceback" not in result.errors
    assert program.files() == before


@pytest.mark.usefixtures("no_runtime")
@pytest.mark.parametrize("command", ["check", "labels", "run"])
def test_a_classifier_is_refused_with_its_signature(program: Program, clip: Path, command: str) -> None:
    graphs.constant(program.folder / "model.onnx", {"scores": np.zeros((1, 1000), np.float32)})
    before = program.files()
    given = {
        "check": ["models", "check", "model.onnx"],
        "labels": ["models", "labels", "--detector", "model.onnx"],
        "run": ["run", str(clip), "--detector", "model.onnx", "-o", "out.mp4"],
    }
    result = program(*given[command])
    assert result.code == 2
    assert "outputs scores float32 (1, 1000)" in result.errors, result.errors
    assert "Traceback" not in result.errors
    assert program.files() == before


@pytest.mark.usefixtures("model", "no_runtime")
def test_labels_of_a_model_need_no_runtime(program: Program) -> None:
    result = program("models", "labels", "--detector", "model.onnx")
    assert result.code == 0, result.errors
    assert "person  0  /m/01g317" in result.output
    assert "car  1  /m/0k4j" in result.output


@pytest.mark.usefixtures("model")
def test_check_shows_family_input_and_device(program: Program) -> None:
    result = program("models", "check", "model.onnx", "--size", "320x180")
    assert result.code == 0, result.errors
    assert result.output.splitlines()[0] == "model.onnx works"
    assert "2 classes" in result.output
    assert "family yolov8, input 96x64 rgb float32 nchw, letterboxed (centre)" in result.output
    assert "device cpu" in result.output
    assert "320x180" in result.output


def test_nothing_is_fetched_for_a_file(program: Program) -> None:
    result = program("models", "fetch", "model.onnx")
    assert result.code == 2
    assert "an ONNX model is used where it is" in result.errors


def test_check_takes_settings_of_the_model(program: Program) -> None:
    output = np.ascontiguousarray(graphs.yolov8(BOXES, SCORES).transpose(0, 2, 1))
    graphs.constant(program.folder / "rows.onnx", {"output0": output})
    (program.folder / "names.txt").write_text("person\ncar\n")
    told = ["--set", "detector.onnx.family=yolov8", "--label-map", "names.txt"]
    result = program("models", "check", "rows.onnx", *told)
    assert result.code == 0, result.errors
    assert "family yolov8" in result.output


def test_a_class_without_a_name_is_said_once(program: Program, clip: Path) -> None:
    graphs_path = write_dfine(program.folder / "model.onnx")
    (program.folder / "names.txt").write_text("person\n")
    result = program(
        "run", clip, "--detector", graphs_path.name, "--set", "detector.label_map=names.txt", "--jsonl", "out.jsonl"
    )
    assert result.code == 0, result.errors
    assert result.errors.count("the model gives class 1, but has names for 1 only: left out") == 1
    assert "without a name (class 1)" in result.output
    assert classes_in(program.folder / "out.jsonl") == {"person"}


@pytest.mark.parametrize(
    ("score", "message"), [(np.nan, "not finite (NaN)"), (90, "a best score of 90; scores of yolov8 are in 0..1")]
)
def test_a_model_without_one_valid_output_is_refused(program: Program, clip: Path, score: float, message: str) -> None:
    output = graphs.yolov8(BOXES, SCORES)
    output[0, 4] = score
    graphs.constant(program.folder / "model.onnx", {"output0": output}, metadata=graphs.ULTRALYTICS)
    result = program("run", clip, "--detector", "model.onnx", "-o", "out.mp4")
    assert result.code == 2
    assert message in result.errors
    assert not (program.folder / "out.mp4").exists()
