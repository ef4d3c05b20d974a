"""Input that `evaluate detection` refuses: one line, exit code 2, before anything is detected."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from streamer.cli.evaluate import detection as detection_commands
from tests.cli.program import exit_code
from tests.clips import write_video
from tests.evaluation.detection.made import coco, header, line, write_json, write_pictures

BOXES = "ImageID,LabelName,XMin,XMax,YMin,YMax,IsGroupOf\n"
TREE = "a,/m/07j7r,0.1,0.5,0.1,0.5,0\n"
BOX = (0, [8, 8, 24, 24])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`pictures/a.png` and `b.png`."""
    monkeypatch.chdir(tmp_path)
    write_pictures(tmp_path / "pictures")
    return tmp_path


def refused(capsys: pytest.CaptureFixture[str], *truth: str, images: str = "pictures", **options: Any) -> str:
    """The single line of the error."""
    before = {path for path in Path().rglob("*") if path.is_file()}
    code = exit_code(detection_commands.detection, images, [Path(each) for each in truth], **options)
    printed = capsys.readouterr()
    assert (code, printed.out) == (2, "")
    assert printed.err.count("\n") == 1, printed.err
    assert {path for path in Path().rglob("*") if path.is_file()} == before
    return printed.err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "truth.csv begins with 'nothing', not with the columns of Open Images"),
        ("image,x,y\n1,2,3\n", "truth.csv begins with 'image,x,y', not with the columns of Open Images"),
        ("ImageID,LabelName,XMin,XMax,YMin,YMax\n", "truth.csv: no column IsGroupOf"),
        (BOXES + "a,/m/07j7r,0.1,0.5\n", "truth.csv line 2: 4 values, but the header has 7"),
        (BOXES + "a,/m/nothing,0.1,0.5,0.1,0.5,0\n", "truth.csv line 2: no class '/m/nothing'"),
        (BOXES + "a,Tree,0.1,0.5,0.1,0.5,0\n", "LabelName, a MID such as /m/01g317"),
        (BOXES + "a,/m/07j7r,10,50,10,50,0\n", "the values are fractions of the image's width and height"),
        (BOXES + "a,/m/07j7r,0.5,0.1,0.1,0.5,0\n", "XMin=0.5, XMax=0.1, YMin=0.1, YMax=0.5 is no box"),
        (BOXES + "a,/m/07j7r,nan,0.1,0.1,0.5,0\n", "is no box"),
        (BOXES + "a,/m/07j7r,0.1,0.5,0.1,0.5,2\n", "IsGroupOf must be 0 or 1, not '2'"),
        (BOXES + TREE.replace("a,", "zebra,"), "truth.csv (such as zebra) is among the 2 pictures of pictures"),
        (BOXES + TREE + TREE.replace("a,", "zebra,"), "pictures lacks 1 of the 2 images of truth.csv, such as zebra"),
    ],
)
def test_open_images_csv(folder: Path, capsys: pytest.CaptureFixture[str], text: str, message: str) -> None:
    (folder / "truth.csv").write_text(text)
    assert message in refused(capsys, "truth.csv")


def test_labels_of_machines(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "truth.csv").write_text(BOXES + TREE)
    (folder / "labels.csv").write_text("ImageID,Source,LabelName,Confidence\na,machine,/m/07j7r,0.7\n")
    message = refused(capsys, "truth.csv", "labels.csv")
    assert "labels.csv line 2: Confidence must be 0 or 1, not '0.7'; use the labels that people verified" in message
    assert "no file with boxes among labels.csv" in refused(capsys, "labels.csv")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "truth.json is a list, such as COCO's results, and no ground truth"),
        ({"a": 1}, "truth.json is neither COCO JSON nor a class hierarchy"),
        ({"images": []}, "truth.json: no list 'categories'"),
        (coco({}), "truth.json: the list 'images' is empty"),
        (
            coco({"zebra.png": [BOX]}),
            "truth.json (such as zebra.png) is among the 2 pictures of pictures (such as a.png)",
        ),
        (
            coco({"a.png": [BOX], "zebra.png": []}),
            "lacks 1 of the 2 images of truth.json, such as zebra.png; --partial",
        ),
        (coco({"a.png": []}), "truth.json has no box on the 1 pictures; there is nothing to find"),
        (coco({"a.png": [(0, [1, 2, 3])]}), "annotations[0]: bbox must be [left, top, width, height] in pixels"),
        (coco({"a.png": [(5, [1, 2, 3, 4])]}), "annotations[0]: no category has the id 6"),
        (coco({"a.png": [BOX]}, categories=[{"id": 1}]), "categories[0]: no name"),
        (coco({"a.png": [BOX]}, images=[{"id": 7, "width": 9, "height": 9}]), "images[0]: no file_name"),
        (coco({"a.png": [BOX]}, annotations=[{"image_id": "7"}]), "image_id must be a whole number, not '7'"),
        (coco({"a.png": [BOX]}, annotations=[{"image_id": 1, "category_id": 1}]), "no image has the id 1"),
    ],
)
def test_coco_json(folder: Path, capsys: pytest.CaptureFixture[str], content: Any, message: str) -> None:
    if isinstance(content, dict):
        for annotation in content.get("annotations", ()):
            annotation.setdefault("bbox", [1, 1, 4, 4])
    write_json(folder / "truth.json", content)
    assert message in refused(capsys, "truth.json")


def test_files_that_do_not_belong_together(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_json(folder / "truth.json", coco({"a.png": [BOX]}))
    (folder / "truth.csv").write_text(BOXES + TREE)
    assert "truth.json cannot be combined with 1 other files" in refused(capsys, "truth.json", "truth.csv")
    (folder / "broken.json").write_text("{")
    assert "broken.json is no JSON" in refused(capsys, "broken.json")
    (folder / "broken.csv").write_bytes(b"\xff\xfe\0")
    assert "broken.csv is no CSV text" in refused(capsys, "broken.csv")


def test_pictures_that_do_not_fit(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    truth = coco({"a.png": [BOX]})
    write_json(folder / "truth.json", truth)
    assert "no folder, pattern or video nowhere" in refused(capsys, "truth.json", images="nowhere")
    write_video(folder / "clip.mp4", frames=3)
    assert "truth.json does not number its frames" in refused(capsys, "truth.json", images="clip.mp4")
    (folder / "pictures" / "deep").mkdir()
    write_pictures(folder / "pictures" / "deep", ["a.png"])
    message = refused(capsys, "truth.json", images="pictures/**/*.png")
    assert "the image a.png could be pictures/a.png and pictures/deep/a.png" in message


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"metric": "voc"}, "--metric takes open-images or coco, not 'voc'"),
        ({"expand": "all"}, "--expand takes both or truth or none, not 'all'"),
        ({"score": 2.0}, "--score is in 0..1, not 2"),
        ({"classes": "Persom"}, "--classes: no class 'Persom' in truth.json; did you mean Person?"),
        ({"plot": Path("plot.pdf")}, "--plot plot.pdf: the suffix must be .png or .svg"),
        ({"json_path": Path("nowhere/scores.json")}, "no folder"),
        ({"detections": Path("truth.json")}, "truth.json line 1"),
        ({"detections": Path("nowhere/det.jsonl")}, "no folder nowhere"),
        ({"detections": Path("pictures")}, "pictures: it is a folder"),
        ({"min_score": 3.0}, "detector.min_score"),
    ],
)
def test_options(folder: Path, capsys: pytest.CaptureFixture[str], options: dict[str, Any], message: str) -> None:
    (folder / "truth.json").write_text(json.dumps(coco({"a.png": [BOX]})) + "\n")
    assert message in refused(capsys, "truth.json", **options)


def test_kept_detections_that_do_not_fit(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_json(folder / "truth.json", coco({"a.png": [BOX]}))
    kept = line(folder / "pictures" / "a.png", [[1, 1, 9, 9]], [0.9], [0])

    def keep(*lines: Any) -> dict[str, Any]:
        Path("det.jsonl").write_text("".join(json.dumps(each) + "\n" for each in lines))
        return {"detections": Path("det.jsonl")}

    other = keep(header("made", ["Zebra"]), kept)
    assert "the detector has none of the evaluated classes (Person, Car); it has Zebra" in _all(capsys, other)
    named = keep(header("made", ["Person"]), kept)
    assert "det.jsonl holds detections of made from score 0.001" in _all(capsys, {**named, "detector": "starter"})
    assert "det.jsonl holds detections of made from score 0.001" in _all(capsys, {**named, "min_score": 0.3})
    assert "det.jsonl was made with other pictures" in _all(
        capsys, keep(header("made", ["Person"]), {**kept, "bytes": 1})
    )
    assert "det.jsonl line 2" in _all(capsys, keep(header("made", ["Person"]), {**kept, "labels": [4]}))
    assert "det.jsonl line 2" in _all(capsys, keep(header("made", ["Person"]), {**kept, "boxes": []}))
    assert "det.jsonl line 1" in _all(capsys, keep({"format": "other"}))


def _all(capsys: pytest.CaptureFixture[str], options: dict[str, Any]) -> str:
    """The lines on standard error of a run that is refused, perhaps after a message."""
    assert exit_code(detection_commands.detection, "pictures", [Path("truth.json")], **options) == 2
    return capsys.readouterr().err
