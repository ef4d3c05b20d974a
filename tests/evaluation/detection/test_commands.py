"""`evaluate detection` and `evaluate mot-to-coco` as a user runs them."""

from __future__ import annotations

import fcntl
import json
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar
from xml.etree import ElementTree

import numpy as np
import pytest

from streamer.cli.evaluate import detection as detection_commands
from streamer.config.detector import DetectorSettings
from streamer.errors import DetectorError
from streamer.features import DetectorContext, DetectorFeature
from streamer.registry import DETECTORS
from streamer.values.frame import Frame
from streamer.values.labels import LabelTable
from tests.cli.program import Program, exit_code
from tests.clips import corrupt, write_video
from tests.evaluation.detection.made import SIZE, coco, write_json, write_pictures
from tests.evaluation.made import FRAMES, write_sequence
from tracking.types import Detections

pytest.importorskip("pycocotools", reason="needs the extra eval")

BOX = [8, 8, 24, 24]


class Made(DetectorFeature):
    """Reports one Person of the size of `BOX` on every frame, and below it one with a low score."""

    default_min_score: ClassVar[float] = 0.5
    detected: ClassVar[list[str]] = []
    fails_at: ClassVar[str] = ""
    names: ClassVar[tuple[str, ...]] = ("Person", "Car")

    @property
    def labels(self) -> LabelTable:
        return LabelTable(self.names)

    @classmethod
    def accepts(cls, name: str) -> bool:
        return name == "made"

    @classmethod
    def from_settings(cls, settings: DetectorSettings, context: DetectorContext) -> Sequence[Made]:
        del settings, context
        return [cls()]

    def detect(self, frame: Frame) -> Detections:
        if frame.file and frame.file == self.fails_at:
            raise DetectorError(f"failed on {frame.file}")
        self.detected.append(frame.file or str(frame.index))
        scale = np.array([frame.width, frame.height] * 2) / [*SIZE, *SIZE]
        boxes = np.array([[8, 8, 32, 32], [30, 10, 60, 40]], np.float32) * scale
        return Detections(boxes.astype(np.float32), np.array([0.8, 0.2], np.float32), np.zeros(2, np.int32))

    def close(self) -> None:
        """Nothing to release."""


@pytest.fixture(autouse=True)
def made() -> Iterator[type[Made]]:
    Made.detected, Made.fails_at, Made.names = [], "", ("Person", "Car")
    DETECTORS.register("made", Made)
    yield Made
    DETECTORS.unregister("made")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Pictures a.png to d.png in `pictures`, each with one Person, and `truth.json`."""
    monkeypatch.chdir(tmp_path)
    names = [f"{letter}.png" for letter in "abcd"]
    write_pictures(tmp_path / "pictures", names)
    write_json(tmp_path / "truth.json", coco({name: [(0, BOX)] for name in names}))
    return tmp_path


def detection(*truth: str, images: str = "pictures", detector: str | None = "made", **options: Any) -> int:
    files = [Path(each) for each in truth] or [Path("truth.json")]
    return exit_code(detection_commands.detection, images, files, detector=detector, **options)


def figures(path: str = "scores.json") -> dict[str, Any]:
    content: dict[str, Any] = json.loads(Path(path).read_text())
    return content


def test_prints_a_table_and_writes_json_and_a_plot(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib", reason="needs the extra eval")
    assert detection(json_path=Path("scores.json"), plot=Path("plot.svg")) == 0
    printed = capsys.readouterr()
    lines = printed.out.splitlines()
    assert lines[0].split() == [
        "class",
        "boxes",
        "AP",
        "AP50",
        "precision",
        "recall",
        "F1",
        "best",
        "F1",
        "at",
        "score",
    ]
    assert lines[1].split() == ["Person", "4", "1.000", "1.000", "1.000", "1.000", "1.000", "1.000", "0.800"]
    assert "made on 4 images (COCO, IoU 0.50 to 0.95):\nAP 1.0000, AP50 1.0000" in printed.out
    assert "F1 1.0000 at score 0.5, best F1 1.0000 at score 0.800" in printed.out
    content = figures()
    assert content["summary"]["AP50"] == pytest.approx(1)
    assert content["classes"]["Person"]["at score"]["score"] == 0.5
    drawn = " ".join(ElementTree.parse(folder / "plot.svg").getroot().itertext())
    assert "Person (AP50 1.000)" in drawn
    assert {path.name for path in folder.iterdir()} == {"pictures", "truth.json", "scores.json", "plot.svg"}


def test_precision_at_another_score(folder: Path) -> None:  # noqa: ARG001
    assert detection(score=0.1, json_path=Path("scores.json")) == 0
    at = figures()["all classes"]["at score"]
    assert (at["precision"], at["recall"]) == (0.5, 1)


def test_kept_detections_are_used_again(folder: Path, made: type[Made], capsys: pytest.CaptureFixture[str]) -> None:
    kept = Path("det.jsonl")
    assert detection(detections=kept, json_path=Path("scores.json")) == 0
    assert made.detected == ["a.png", "b.png", "c.png", "d.png"]
    DETECTORS.unregister("made")
    assert detection(detections=kept, detector=None, json_path=Path("again.json")) == 0
    assert figures("again.json") == figures()
    assert "detections of 4 of 4 pictures are there already" in capsys.readouterr().err
    assert {path.name for path in folder.iterdir()} == {
        "pictures",
        "truth.json",
        "det.jsonl",
        "scores.json",
        "again.json",
    }


def test_an_interrupted_run_goes_on(folder: Path, made: type[Made], capsys: pytest.CaptureFixture[str]) -> None:
    kept = Path("det.jsonl")
    made.fails_at = "c.png"
    assert detection(detections=kept) == 1
    printed = capsys.readouterr()
    assert "failed on c.png" in printed.err
    assert "2 of 4 pictures are in det.jsonl.part; the same command goes on from there" in printed.err
    assert not kept.exists()
    with (folder / "det.jsonl.part").open("a") as file:  # as if the process was killed in the middle of a line
        file.write('{"image": "c.png", "width": 6')
    made.fails_at, made.detected = "", []
    assert detection(detections=kept, detector=None, json_path=Path("scores.json")) == 0
    assert made.detected == ["c.png", "d.png"]
    assert figures()["images"] == 4
    assert not Path("det.jsonl.part").exists()


def test_more_pictures_are_added_to_kept_detections(folder: Path, made: type[Made]) -> None:
    kept = Path("det.jsonl")
    (folder / "pictures" / "a.png").rename(folder / "a.png")
    assert detection(detections=kept, partial=True) == 0
    (folder / "a.png").rename(folder / "pictures" / "a.png")
    made.detected = []
    assert detection(detections=kept) == 0
    assert made.detected == ["a.png"]


def test_pictures_of_another_scale_are_scaled(folder: Path) -> None:
    write_pictures(folder / "pictures", ["a.png", "b.png"], size=(128, 96))
    assert detection(json_path=Path("scores.json")) == 0
    assert figures()["summary"]["AP"] == pytest.approx(1)


def test_pictures_are_read_upright(folder: Path) -> None:
    """A portrait whose pixels are stored as a landscape; 64x48 in the truth is its upright size."""
    stored = write_pictures(folder / "pictures", ["a.jpg"], size=(48, 64)) / "a.jpg"
    turned = b"Exif\0\0MM\0*\0\0\0\x08\0\x01" + struct.pack(">HHIHHI", 0x112, 3, 1, 6, 0, 0)
    content = stored.read_bytes()
    stored.write_bytes(content[:2] + b"\xff\xe1" + struct.pack(">H", 2 + len(turned)) + turned + content[2:])
    write_json(folder / "truth.json", coco({"a.jpg": [(0, BOX)]}))
    assert detection(json_path=Path("scores.json")) == 0
    assert figures()["summary"]["AP"] == pytest.approx(1)


def test_selected_classes(folder: Path) -> None:
    write_json(folder / "truth.json", coco({"a.png": [(0, BOX), (1, [0, 0, 9, 9])], "b.png": [(1, BOX)]}))
    assert detection(json_path=Path("scores.json")) == 0
    assert figures()["summary"]["AP"] == pytest.approx(0.5)
    assert detection(classes="person", json_path=Path("scores.json")) == 0
    assert list(figures()["classes"]) == ["Person"]


def test_a_class_of_the_truth_counts_for_those_below_it(folder: Path, made: type[Made]) -> None:
    made.names = ("Man", "Car")
    assert detection(json_path=Path("scores.json")) == 0
    assert figures()["classes"]["Person"]["AP50"] == pytest.approx(1)
    made.names = ("Man", "Person")  # the detector tells a Person from a Man
    assert detection(json_path=Path("scores.json")) == 0
    assert figures()["classes"]["Person"]["AP50"] == 0
    assert folder.is_dir()


def test_open_images_with_the_hierarchy_of_version_4(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The detector reports Person. The truth has a Man, whose box is also one of a Person."""
    x0, y0, x1, y1 = BOX[0] / 64, BOX[1] / 48, (BOX[0] + BOX[2]) / 64, (BOX[1] + BOX[3]) / 48
    rows = [f"{name},/m/04yx4,{x0},{x1},{y0},{y1},0\n" for name in "abcd"]
    Path("boxes.csv").write_text("ImageID,LabelName,XMin,XMax,YMin,YMax,IsGroupOf\n" + "".join(rows))
    assert detection("boxes.csv", json_path=Path("scores.json")) == 0
    content = figures()
    assert content["metric"] == "open-images"
    assert content["classes"]["Person"]["AP"] == pytest.approx(1)
    assert content["classes"]["Man"]["AP"] == 0
    assert content["summary"]["mAP"] == pytest.approx(0.5)
    printed = capsys.readouterr().out
    assert "no file of image-level labels" in printed
    assert "the detector has 1 of the 2 classes; the others count as 0: Man" in printed
    assert detection("boxes.csv", metric="coco", json_path=Path("scores.json")) == 0
    assert figures()["classes"]["Person"]["AP"] == pytest.approx(1)
    capsys.readouterr()
    assert detection("boxes.csv", metric="coco", expand="none", classes="=Person") == 2
    assert "boxes.csv has no box of =Person on the 4 pictures" in capsys.readouterr().err
    assert folder.is_dir()


def test_the_frames_of_a_sequence(folder: Path, made: type[Made], capsys: pytest.CaptureFixture[str]) -> None:
    """The video is a quarter of the size of the ground truth."""
    left, top, width, height = (10 * value for value in BOX)
    rows = [f"{frame},1,{left},{top},{width},{height},1,-1,-1,-1\n" for frame in range(1, FRAMES + 1)]
    walk = write_sequence(folder / "walk", truth=rows)
    write_video(walk / "video.mp4", frames=FRAMES, size=(160, 120))
    assert exit_code(detection_commands.mot_to_coco, walk, Path("walk.json")) == 0
    assert "wrote walk.json: 20 boxes in 20 frames" in capsys.readouterr().err
    assert detection("walk.json", images=str(walk / "video.mp4"), json_path=Path("scores.json")) == 0
    assert made.detected == [str(index) for index in range(FRAMES)]
    assert figures()["classes"]["Person"]["at score"]["F1"] == 1
    write_pictures(walk / "img1", [f"{frame:06d}.png" for frame in range(1, FRAMES + 1)])
    (walk / "video.mp4").unlink()
    assert exit_code(detection_commands.mot_to_coco, walk, Path("walk.json"), overwrite=True) == 0
    assert detection("walk.json", images=str(walk / "img1"), json_path=Path("scores.json")) == 0
    assert figures()["classes"]["Person"]["at score"]["F1"] == 1


def test_rows_that_a_benchmark_does_not_score_become_crowds(folder: Path) -> None:
    rows = [
        f"1,{person},{100 * person},10,40,80,{int(kind == 1)},{kind},1\n" for person, kind in enumerate((1, 3, 8), 1)
    ]
    outside = "1,9,700,10,40,80,1,1,1\n"  # right of the frame
    walk = write_sequence(folder / "walk", truth=[*rows, outside], benchmark="MOT17")
    assert exit_code(detection_commands.mot_to_coco, walk, Path("walk.json")) == 0
    found = json.loads(Path("walk.json").read_text())["annotations"]
    assert [(each["bbox"][0], each["iscrowd"]) for each in found] == [(100, 0), (300, 1)]
    assert [each["id"] for each in found] == [1, 2]


@pytest.mark.parametrize(
    ("images", "message"),
    [
        ("pictures", "pictures/a.png is 64x48, but its ground truth is for 48x64; the truth is of other pictures"),
        ("clip.mp4", "clip.mp4 has 3 frames, but the truth has frame 5 (from 0); it is of another video"),
    ],
)
def test_pictures_of_another_set(folder: Path, capsys: pytest.CaptureFixture[str], images: str, message: str) -> None:
    write_video(folder / "clip.mp4", frames=3, size=SIZE)
    truth = coco({"a.png": [(0, BOX)]}, size=(48, 64) if images == "pictures" else SIZE)
    truth["images"][0]["frame_id"] = 5
    write_json(folder / "truth.json", truth)
    assert detection(images=images, detections=Path("det.jsonl")) == 2
    assert message in capsys.readouterr().err
    assert not Path("det.jsonl").exists()


def test_a_video_that_lost_frames_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The frames behind the damage have no certain number."""
    intact = write_video(folder / "intact.mp4", frames=60, size=SIZE)
    corrupt(intact, folder / "damaged.mp4", start=0.5, end=0.6)
    truth = coco({f"{index}.png": [(0, BOX)] for index in range(60)})
    for index, image in enumerate(truth["images"]):
        image["frame_id"] = index
    write_json(folder / "truth.json", truth)
    assert detection(images="intact.mp4") == 0
    capsys.readouterr()
    assert detection(images="damaged.mp4") == 2
    message = capsys.readouterr().err
    assert "damaged.mp4: decode error before frame" in message
    assert "give them as pictures" in message


def test_a_file_that_another_process_writes_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with (folder / "det.jsonl.part").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert detection(detections=Path("det.jsonl")) == 2
    assert "another process writes det.jsonl.part; wait until it has ended" in capsys.readouterr().err
    assert detection(detections=Path("det.jsonl")) == 0


def test_a_detector_without_the_classes_detects_nothing(
    folder: Path, made: type[Made], capsys: pytest.CaptureFixture[str]
) -> None:
    made.names = ("Zebra", "Tree")
    assert detection(detections=Path("det.jsonl")) == 2
    message = "the detector has none of the evaluated classes (Person, Car); it has Zebra, Tree"
    assert message in capsys.readouterr().err
    assert made.detected == []
    assert not (folder / "det.jsonl.part").exists()


def test_runs_as_a_program(tmp_path: Path) -> None:
    program = Program(tmp_path)
    result = program("evaluate", "detection", "pictures", "--truth", "nothing.json")
    assert (result.code, result.output) == (2, "")
    assert result.errors == "error: cannot read nothing.json: No such file or directory; check --truth\n"
    assert program.files() == set()
