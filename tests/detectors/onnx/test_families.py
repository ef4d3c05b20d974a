"""Known boxes in the outputs of each family, and the same boxes on the frame."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from streamer.config.detector import DetectorSettings, OnnxSettings
from streamer.detectors.onnx import families, header
from streamer.detectors.onnx.detector import OnnxDetector
from streamer.errors import DetectorError
from tests.detectors.frames import blank, frame_of
from tests.detectors.onnx import graphs
from tests.detectors.onnx.graphs import Array

BOXES = np.array([[8, 4, 40, 36], [48, 16, 88, 60]], np.float64)
"""In pixels of an input of 96x64."""
SCORES = np.array([[0.9, 0.2], [0.1, 0.6]], np.float64)
CELLS = [(8, 3, 2), (16, 4, 2)]
FRAME = (192, 128)
"""Twice the input, so that a stretched and a letterboxed frame lie in the same place."""


def write_yolov8(path: Path) -> Path:
    return graphs.constant(path, {"output0": graphs.yolov8(BOXES, SCORES)}, metadata=graphs.ULTRALYTICS)


def write_yolov8_without_metadata(path: Path) -> Path:
    return graphs.constant(path, {"output0": graphs.yolov8(BOXES, SCORES)})


def write_yolox(path: Path) -> Path:
    return graphs.constant(path, {"output": graphs.yolox(CELLS, BOXES, SCORES)})


def write_yolov5(path: Path) -> Path:
    rows = np.zeros((1, 3 * 126, 7), np.float32)
    rows[0, :2, :4], rows[0, :2, 4], rows[0, :2, 5:] = graphs.centred(BOXES), 0.8, SCORES / 0.8
    return graphs.constant(path, {"output0": rows})


def write_end_to_end(path: Path) -> Path:
    rows = np.zeros((1, 300, 6), np.float32)
    rows[0, :2, :4], rows[0, :2, 4], rows[0, :2, 5] = BOXES, SCORES.max(axis=1), SCORES.argmax(axis=1)
    return graphs.constant(path, {"output0": rows}, metadata=graphs.ULTRALYTICS | {"end2end": "True"})


def write_rfdetr(path: Path) -> Path:
    dets, logits = graphs.detr(BOXES, SCORES)
    return graphs.constant(path, {"dets": dets, "labels": logits}, name="input")


def write_rtdetr_of_transformers(path: Path) -> Path:
    dets, logits = graphs.detr(BOXES, SCORES)
    shapes = {"logits": ("batch", "queries", 2), "pred_boxes": ("batch", "queries", 4)}
    outputs = {"logits": logits, "pred_boxes": dets}
    return graphs.constant(path, outputs, picture=("batch", "channels", 64, 96), shapes=shapes, name="pixel_values")


def write_rtdetr_of_ultralytics(path: Path) -> Path:
    dets, _ = graphs.detr(BOXES, SCORES)
    scores = np.zeros((1, 5, 2), np.float32)
    scores[0, :2] = SCORES
    metadata = graphs.ULTRALYTICS | {"description": "Ultralytics rtdetr-l model trained on coco.yaml"}
    return graphs.constant(path, {"output0": np.concatenate([dets, scores], axis=2)}, metadata=metadata)


def write_dfine(path: Path) -> Path:
    return graphs.dfine(path, BOXES, SCORES.max(axis=1), SCORES.argmax(axis=1))


WRITERS: dict[str, tuple[str, Callable[[Path], Path]]] = {
    "yolov8": ("yolov8", write_yolov8),
    "yolov8 without metadata": ("yolov8", write_yolov8_without_metadata),
    "yolox": ("yolox", write_yolox),
    "yolov5": ("yolov5", write_yolov5),
    "end to end": ("end_to_end", write_end_to_end),
    "RF-DETR": ("detr", write_rfdetr),
    "RT-DETR of Transformers": ("detr", write_rtdetr_of_transformers),
    "RT-DETR of Ultralytics": ("ultralytics_rtdetr", write_rtdetr_of_ultralytics),
    "D-FINE": ("dfine", write_dfine),
}


@pytest.fixture
def names(tmp_path: Path) -> str:
    file = tmp_path / "names.txt"
    file.write_text("person\ncar\n")
    return str(file)


def detector_of(path: Path, label_map: str | None = None, min_score: float = 0.3, **onnx: object) -> OnnxDetector:
    settings = DetectorSettings(
        name=str(path), label_map=label_map, min_score=min_score, onnx=OnnxSettings.model_validate(onnx)
    )
    return OnnxDetector(settings)


@pytest.mark.parametrize("kind", WRITERS)
def test_each_export_gives_exact_boxes_on_the_frame(kind: str, names: str, tmp_path: Path) -> None:
    family, write = WRITERS[kind]
    path = write(tmp_path / "model.onnx")
    assert families.recognise(header.read(path), OnnxSettings()).family.name == family
    detector = detector_of(path, names)
    found = detector.detect(frame_of(blank(*FRAME)))
    assert np.allclose(found.boxes, BOXES * 2, atol=1e-3)
    assert np.allclose(found.scores, [0.9, 0.6], atol=1e-6)
    assert [detector.labels.name(int(row)) for row in found.labels] == ["person", "car"]
    assert detector.top_score == pytest.approx(0.9)


@pytest.mark.parametrize("kind", WRITERS)
def test_scores_below_the_bound_are_left_out(kind: str, names: str, tmp_path: Path) -> None:
    found = detector_of(WRITERS[kind][1](tmp_path / "model.onnx"), names, 0.7).detect(frame_of(blank(*FRAME)))
    assert np.allclose(found.scores, [0.9], atol=1e-6)


@pytest.mark.parametrize("kind", WRITERS)
def test_nothing_found_gives_no_boxes_and_the_best_score(kind: str, names: str, tmp_path: Path) -> None:
    detector = detector_of(WRITERS[kind][1](tmp_path / "model.onnx"), names, 0.95)
    assert len(detector.detect(frame_of(blank(*FRAME)))) == 0
    assert detector.top_score == pytest.approx(0.9)


@pytest.mark.parametrize("kind", ["yolov8", "end to end"])
def test_a_letterboxed_frame_gets_its_boxes_without_the_padding(kind: str, tmp_path: Path) -> None:
    # 192x64 is scaled by 1/2 and lies in the rows 16 to 48 of 64.
    found = detector_of(WRITERS[kind][1](tmp_path / "model.onnx")).detect(frame_of(blank(192, 64)))
    assert np.allclose(found.boxes, [[16, 0, 80, 40], [96, 0, 176, 64]], atol=1e-3)


def test_yolox_is_padded_below_and_to_the_right(names: str, tmp_path: Path) -> None:
    found = detector_of(write_yolox(tmp_path / "model.onnx"), names).detect(frame_of(blank(192, 64)))
    assert np.allclose(found.boxes, [[16, 8, 80, 64], [96, 32, 176, 64]], atol=1e-3)


def test_detr_stretches_the_frame(names: str, tmp_path: Path) -> None:
    found = detector_of(write_rfdetr(tmp_path / "model.onnx"), names).detect(frame_of(blank(192, 64)))
    assert np.allclose(found.boxes, BOXES * [2, 1, 2, 1], atol=1e-3)


def test_overlaps_of_a_class_are_duplicates(tmp_path: Path) -> None:
    boxes = np.array([[8, 4, 40, 36], [9, 4, 41, 36], [9, 4, 41, 36], [48, 4, 80, 36]], np.float64)
    scores = np.array([[0.9, 0], [0.8, 0], [0, 0.7], [0.6, 0]], np.float64)
    path = graphs.constant(tmp_path / "m.onnx", {"output0": graphs.yolov8(boxes, scores)}, metadata=graphs.ULTRALYTICS)
    found = detector_of(path).detect(frame_of(blank(*FRAME)))
    assert np.allclose(found.scores, [0.9, 0.7, 0.6])
    loose = detector_of(path, iou_threshold=1.0).detect(frame_of(blank(*FRAME)))
    assert np.allclose(loose.scores, [0.9, 0.8, 0.7, 0.6])


def test_one_query_may_be_of_two_classes(names: str, tmp_path: Path) -> None:
    dets, logits = graphs.detr(BOXES[:1], np.array([[0.9, 0.7]]))
    path = graphs.constant(tmp_path / "model.onnx", {"dets": dets, "labels": logits})
    found = detector_of(path, names).detect(frame_of(blank(*FRAME)))
    assert np.allclose(found.scores, [0.9, 0.7], atol=1e-6)
    assert found.labels.tolist() == [0, 1]


def test_at_most_as_many_pairs_as_queries_are_reported(names: str, tmp_path: Path) -> None:
    dets, logits = graphs.detr(np.tile(BOXES, (2, 1)), np.full((4, 2), 0.8), queries=5)
    path = graphs.constant(tmp_path / "model.onnx", {"dets": dets, "labels": logits})
    assert len(detector_of(path, names).detect(frame_of(blank(*FRAME)))) == 5


def test_yolov8_with_rows_is_read_if_the_family_is_told(names: str, tmp_path: Path) -> None:
    output = np.ascontiguousarray(graphs.yolov8(BOXES, SCORES).transpose(0, 2, 1))
    path = graphs.constant(tmp_path / "model.onnx", {"output0": output})
    found = detector_of(path, names, family="yolov8").detect(frame_of(blank(*FRAME)))
    assert np.allclose(found.boxes, BOXES * 2, atol=1e-3)


def test_a_decoded_yolox_is_read_if_the_family_is_told(names: str, tmp_path: Path) -> None:
    rows = np.zeros((1, 126, 7), np.float32)
    rows[0, :2, :4], rows[0, :2, 4], rows[0, :2, 5:] = graphs.centred(BOXES), 0.8, SCORES / 0.8
    path = graphs.constant(tmp_path / "model.onnx", {"output": rows})
    found = detector_of(path, names, family="yolov5", letterbox="top_left").detect(frame_of(blank(*FRAME)))
    assert np.allclose(found.boxes, BOXES * 2, atol=1e-3)


@pytest.mark.parametrize("sizes", ["int64", "float32"])
def test_dfine_takes_sizes_of_either_type(sizes: str, names: str, tmp_path: Path) -> None:
    path = graphs.dfine(tmp_path / "model.onnx", BOXES, SCORES.max(axis=1), SCORES.argmax(axis=1), sizes)
    assert np.allclose(detector_of(path, names).detect(frame_of(blank(*FRAME))).boxes, BOXES * 2, atol=1e-3)


def test_a_model_of_any_size_runs_at_the_size_of_its_metadata(tmp_path: Path) -> None:
    path = graphs.constant(
        tmp_path / "model.onnx",
        {"output0": graphs.yolov8(BOXES, SCORES)},
        picture=("batch", 3, "height", "width"),
        shapes={"output0": ("batch", 6, "anchors")},
        metadata=graphs.ULTRALYTICS,
    )
    assert np.allclose(detector_of(path).detect(frame_of(blank(*FRAME))).boxes, BOXES * 2, atol=1e-3)


def test_a_model_of_any_size_runs_at_the_size_of_the_settings(names: str, tmp_path: Path) -> None:
    dets, logits = graphs.detr(BOXES, SCORES)
    path = graphs.constant(
        tmp_path / "model.onnx", {"pred_boxes": dets, "logits": logits}, picture=("N", 3, "height", "width")
    )
    found = detector_of(path, names, input_size=[96, 64]).detect(frame_of(blank(*FRAME)))
    assert np.allclose(found.boxes, BOXES * 2, atol=1e-3)


def test_a_model_in_float16_gives_boxes_in_its_precision(tmp_path: Path) -> None:
    output = graphs.yolov8(BOXES, SCORES).astype(np.float16)
    path = graphs.constant(tmp_path / "model.onnx", {"output0": output}, dtype="float16", metadata=graphs.ULTRALYTICS)
    found = detector_of(path).detect(frame_of(blank(*FRAME)))
    assert np.allclose(found.boxes, BOXES * 2, atol=0.1)
    assert np.allclose(found.scores, [0.9, 0.6], atol=1e-3)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("place", [0, 4])
def test_values_that_are_not_finite_fail_the_frame(place: int, value: float, tmp_path: Path) -> None:
    output = graphs.yolov8(BOXES, SCORES)
    output[0, place, 0] = value
    path = graphs.constant(tmp_path / "model.onnx", {"output0": output}, metadata=graphs.ULTRALYTICS)
    with pytest.raises(DetectorError, match=r"not finite \(NaN\)"):
        detector_of(path).detect(frame_of(blank(*FRAME)))


@pytest.mark.parametrize("kind", WRITERS)
def test_nan_in_every_output_fails_the_frame(kind: str, names: str, tmp_path: Path) -> None:
    detector = detector_of(WRITERS[kind][1](tmp_path / "model.onnx"), names)
    family = detector._model.family
    assert detector._session is not None
    arrays: list[Array] = [
        np.full_like(one, np.nan) if one.dtype.kind == "f" else one
        for one in detector._session.run(family.outputs, detector._adapter.inputs)
    ]
    with np.errstate(invalid="ignore"):
        assert np.isnan(family.read([one[0] for one in arrays], np.float32(0.3)).best)


def test_a_class_without_a_name_costs_its_box_only(tmp_path: Path, names: str) -> None:
    path = graphs.dfine(tmp_path / "model.onnx", BOXES, SCORES.max(axis=1), np.array([7, 1]))
    found = detector_of(path, names).detect(frame_of(blank(*FRAME)))
    assert found.labels.tolist() == [1]
