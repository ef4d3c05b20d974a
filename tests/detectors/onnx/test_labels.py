"""Names of classes, from metadata and label maps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from streamer.config.detector import DetectorSettings
from streamer.detectors.onnx.detector import OnnxDetector
from streamer.values.labels import LabelTable
from tests.detectors.frames import blank, frame_of
from tests.detectors.onnx import graphs
from tests.detectors.onnx.test_families import BOXES, SCORES, write_dfine, write_yolov8


def write_detr(path: Path, classes: int, metadata: dict[str, str] | None = None) -> Path:
    dets, logits = graphs.detr(BOXES, np.full((2, classes), 0.1))
    logits[0, :2, -1] = 3
    return graphs.constant(path, {"dets": dets, "labels": logits}, metadata=metadata)


def table(path: Path, label_map: str | None = None) -> LabelTable:
    labels = OnnxDetector.labels_of(DetectorSettings(name=str(path), label_map=label_map))
    assert labels is not None
    return labels


@pytest.mark.parametrize("names", ["{0: 'person', 1: 'car'}", "['person', 'car']", '{"0": "person", "1": "car"}'])
def test_names_of_the_metadata_have_their_place_in_the_hierarchy(names: str, tmp_path: Path) -> None:
    metadata = graphs.ULTRALYTICS | {"names": names}
    path = graphs.constant(tmp_path / "m.onnx", {"output0": graphs.yolov8(BOXES, SCORES)}, metadata=metadata)
    labels = table(path)
    assert labels.names == ("person", "car")
    assert labels.rows(["Vehicle"]) == (1,)


def test_a_label_map_comes_before_the_metadata(tmp_path: Path) -> None:
    (tmp_path / "own.txt").write_text("widget\ngadget\n")
    assert table(write_yolov8(tmp_path / "m.onnx"), str(tmp_path / "own.txt")).names == ("widget", "gadget")


@pytest.mark.parametrize(("classes", "row_of_car"), [(80, 2), (91, 3)])
def test_coco_fits_models_with_and_without_gaps(classes: int, row_of_car: int, tmp_path: Path) -> None:
    labels = table(write_detr(tmp_path / "model.onnx", classes), "coco")
    assert labels.rows(["=car"]) == (row_of_car,)
    assert labels.name(classes - 1) == "toothbrush"


def test_coco_fits_a_model_that_does_not_show_its_classes(tmp_path: Path) -> None:
    assert table(write_dfine(tmp_path / "model.onnx"), "coco").rows(["=car"]) == (2,)


def test_a_class_behind_the_names_is_no_object(tmp_path: Path) -> None:
    (tmp_path / "own.txt").write_text("widget\ngadget\n")
    settings = DetectorSettings(name=str(write_detr(tmp_path / "m.onnx", 3)), label_map=str(tmp_path / "own.txt"))
    detector = OnnxDetector(settings)
    assert detector.labels.names == ("widget", "gadget")
    assert len(detector.detect(frame_of(blank(192, 128)))) == 0


def test_ids_of_a_label_map_are_numbers_of_the_model_if_there_are_gaps(tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_text("id,name\n1,widget\n3,gadget\n")
    assert table(write_detr(tmp_path / "model.onnx", 4), str(tmp_path / "own.csv")).names[3] == "gadget"


def test_a_text_file_has_one_line_a_class_and_empty_lines_for_gaps(tmp_path: Path) -> None:
    (tmp_path / "own.txt").write_text("\nwidget\n\ngadget\n")
    assert table(write_detr(tmp_path / "model.onnx", 4), str(tmp_path / "own.txt")).names == (
        "",
        "widget",
        "",
        "gadget",
    )
    (tmp_path / "own.txt").write_text("???\nwidget\ngadget\n")
    assert table(write_detr(tmp_path / "model.onnx", 3), str(tmp_path / "own.txt")).names[1:] == ("widget", "gadget")


def test_rfdetr_names_its_classes_with_gaps(tmp_path: Path) -> None:
    path = write_detr(tmp_path / "model.onnx", 4, graphs.rfdetr_metadata({1: "person", 3: "car"}))
    assert table(path).names == ("", "person", "", "car")
    detector = OnnxDetector(DetectorSettings(name=str(path)))
    assert detector._model.form.mean == (127.5, 127.5, 127.5)
    assert detector._model.form.std == (63.75, 63.75, 63.75)
    assert detector.detect(frame_of(blank(192, 128))).labels.tolist() == [3, 3]


@pytest.mark.parametrize("names", ["__import__('os')", "{-1: 'a'}", "{10**9: 'a'}", "{999999999: 'a'}", "3", "{}"])
def test_metadata_that_cannot_be_read_is_missing(names: str, tmp_path: Path) -> None:
    path = write_detr(tmp_path / "m.onnx", 91, {"rfdetr_inference": "{", "names": names, "imgsz": "big"})
    assert table(path, "coco").rows(["=person"]) == (1,)
