"""`models labels`, and the options for classes and scores."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from streamer.cli.commands import packaged_clip
from streamer.models import store
from tests.cli.program import Program
from tests.clips import write_video


@pytest.fixture(autouse=True)
def no_tensorflow(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Importing TensorFlow ends the program."""
    folder = tmp_path_factory.mktemp("packages")
    (folder / "tensorflow.py").write_text("import sys; sys.exit('TensorFlow was imported')")
    monkeypatch.setenv("PYTHONPATH", str(folder))


@pytest.fixture
def starter(starter_weights: Path) -> str:  # noqa: ARG001
    return store.STARTER


def labels(program: Program, *arguments: str) -> list[str]:
    known = () if {"--detector", "--label-map"} & {*arguments} else ("--detector", store.HUB_MODULE)
    result = program("models", "labels", *arguments, *known)
    assert result.code == 0, result.errors
    assert result.errors == ""
    return result.output.splitlines()


def test_the_whole_tree(program: Program) -> None:
    lines = labels(program)
    assert "Vehicle  404  /m/07yv9" in lines
    assert "├── Land vehicle  103  /m/01prls" in lines
    shown = {line.rpartition("/m/")[2] for line in lines}
    assert len(shown) == 601
    assert sum(line.endswith("/m/0zvk5") for line in lines) == 2  # a helmet is clothing and sports equipment


def test_a_pattern_shows_parents_and_children(program: Program) -> None:
    car = ["Vehicle  404  /m/07yv9", "└── Land vehicle  103  /m/01prls", "    └── Car  571  /m/0k4j"]
    below = ["        ├── Limousine  89  /m/01lcw4", "        └── Van  535  /m/0h2r6"]
    assert labels(program, "/M/0K4J") == car + below
    assert [line.split("  ")[0] for line in labels(program, "LIMOUS")] == ["Vehicle", "└── Land vehicle", "", ""]


def test_a_whole_word_hides_words_that_begin_with_it(program: Program) -> None:
    lines = labels(program, "car")
    assert [line.lstrip(" └├─│\xa0").split("  ")[0] for line in lines] == [
        "Vehicle",
        "Land vehicle",
        "Car",
        "Limousine",
        "Van",
    ]
    assert "Carrot" in "".join(labels(program, "carr"))


def test_the_default_is_the_detector_that_runs_here(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamer.detectors.auto.has_gpu_device", lambda: False)
    result = program("models", "labels", "car")
    assert result.code == 0, result.errors
    assert "Car" in result.output
    assert "Limousine" not in result.output
    assert "classes of the detector that runs here" in result.errors


def test_the_classes_of_other_detectors(program: Program, starter: str) -> None:
    lines = labels(program, "--detector", starter, "car")
    assert "Vehicle  18  /m/07yv9" in lines
    assert "└── Land vehicle  not in this detector  /m/01prls" in lines
    assert "    └── Car  23  /m/0k4j" in lines
    assert any("potted plant  64  /m/03fp41" in line for line in labels(program, "--label-map", "coco"))
    (program.folder / "own.txt").write_text("widget\ngadget\n")
    assert labels(program, "--label-map", "own.txt") == ["gadget  2", "widget  1"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["helmt", "--detector", store.HUB_MODULE], "Helmet"),
        (["--detector", "startr"], "starter"),
        (["--label-map", "cocoo"], "did you mean coco?"),
        (["--label-map", "none.pbtxt"], "cannot read the label map none.pbtxt"),
    ],
)
def test_bad_input(program: Program, arguments: list[str], message: str) -> None:
    result = program("models", "labels", *arguments)
    assert result.code == 2
    assert message in result.errors
    assert "Traceback" not in result.errors
    assert result.output == ""


class TestRun:
    @pytest.fixture
    def clip(self, program: Program) -> Path:
        return write_video(program.folder / "clip.mp4", frames=3)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (["--classes", "Persn"], "did you mean Person"),
            (["--set", "detector.min_scores={Persn: 0.5}"], "detector.min_scores.Persn: no class"),
            (["--set", "detector.min_scores={Person: 1.5}"], "detector.min_scores.Person: a score is in 0..1"),
            (["--set", "detector.label_map=none.txt"], "none.txt"),
            (["--set", "detector.label_map=coco", "--classes", "Boot"], "knows no 'Boot'"),
        ],
    )
    def test_refused_before_a_module_is_searched(
        self, program: Program, clip: Path, options: list[str], message: str
    ) -> None:
        result = program("run", clip, "-o", "out.mp4", "--detector", "https://127.0.0.1:9/module.tar.gz", *options)
        assert result.code == 2
        assert message in result.errors
        assert "Traceback" not in result.errors
        assert program.files() == {"clip.mp4"}

    def test_a_class_that_this_detector_does_not_have(self, program: Program, clip: Path, starter: str) -> None:
        result = program("run", clip, "-o", "out.mp4", "--detector", starter, "--classes", "Zebra")
        assert result.code == 2
        assert "knows no 'Zebra'" in result.errors

    def test_vehicle_includes_cars(self, program: Program, starter: str) -> None:
        options = [
            "--detector",
            starter,
            "--classes",
            "vehicle",
            "--set",
            "detector.min_scores={Car: 0.2, Vehicle: 0.6}",
        ]
        result = program(
            "run",
            packaged_clip(),
            "--jsonl",
            "boxes.jsonl",
            "-q",
            "--detect-every",
            "5",
            "--set",
            "detector.merge_twins=true",
            *options,
        )
        assert result.code == 0, result.errors
        lines = [json.loads(line) for line in (program.folder / "boxes.jsonl").read_text().splitlines()]
        scores: dict[str, list[float]] = {}
        for track in (track for line in lines for track in line["tracks"]):
            scores.setdefault(track["label"], []).append(track["score"])
        assert {"Car"} <= scores.keys() <= {"Vehicle", "Car", "Bicycle"}
        assert min(scores["Car"]) < 0.38  # below the starter's own default
