"""Outputs whose numbers are not those of the family: scaled where that is safe, else refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from streamer.config.detector import DetectorSettings
from streamer.detectors.onnx.detector import OnnxDetector
from streamer.detectors.onnx.family import Candidates
from streamer.detectors.onnx.output_check import OutputCheck
from streamer.errors import InvalidOutput, ModelError
from tests.detectors.frames import blank, frame_of
from tests.detectors.onnx import graphs
from tests.detectors.onnx.test_families import BOXES, FRAME, SCORES
from tracking.types import Detections


def detect(path: Path, output: graphs.Array) -> Detections:
    graphs.constant(path, {"output0": output.astype(np.float32)}, metadata=graphs.ULTRALYTICS)
    return OnnxDetector(DetectorSettings(name=str(path))).detect(frame_of(blank(*FRAME)))


def candidates(*boxes: tuple[float, ...], best: float = 0.9) -> Candidates:
    count = len(boxes)
    array = np.array(boxes, np.float32).reshape(-1, 4)
    return Candidates(array, np.full(count, 0.9, np.float32), np.zeros(count, np.int32), best)


def test_boxes_in_fractions_are_those_in_pixels(tmp_path: Path) -> None:
    output = graphs.yolov8(BOXES, SCORES)
    expected = detect(tmp_path / "pixels.onnx", output)
    output[0, :4] /= np.array([*graphs.SIZE, *graphs.SIZE])[:, None]
    found = detect(tmp_path / "fractions.onnx", output)
    np.testing.assert_allclose(found.boxes, expected.boxes, rtol=1e-5)
    assert found.labels.tolist() == expected.labels.tolist()


def test_the_names_tell_rows_without_objectness(tmp_path: Path) -> None:
    """YOLOv8 with its output transposed, which has the shape of YOLOX with one class less."""
    output = graphs.yolov8(BOXES, SCORES)
    expected = detect(tmp_path / "columns.onnx", output)
    found = detect(tmp_path / "rows.onnx", np.ascontiguousarray(output.transpose(0, 2, 1)))
    assert found.boxes.tolist() == expected.boxes.tolist()
    assert found.labels.tolist() == expected.labels.tolist()


@pytest.mark.parametrize("shift", [-4.0, 4.0])
def test_scores_before_the_sigmoid_are_refused(shift: float, tmp_path: Path) -> None:
    output = graphs.yolov8(BOXES, SCORES)
    output[0, 4:] += shift
    with pytest.raises(InvalidOutput, match=r"best score of -?[34]\.\d*; scores of yolov8 are in 0\.\.1; export it"):
        detect(tmp_path / "model.onnx", output)


def test_boxes_and_scores_of_yolo_nas_are_not_those_of_a_transformer(tmp_path: Path) -> None:
    """Its two outputs have the shapes of boxes and logits."""
    boxes = np.tile(np.array([8, 4, 40, 36], np.float32), (1, 126, 1))
    scores = np.full((1, 126, 2), 0.01, np.float32)
    path = graphs.constant(tmp_path / "model.onnx", {"boxes": boxes, "scores": scores})
    (tmp_path / "names.txt").write_text("person\ncar\n")
    detector = OnnxDetector(DetectorSettings(name=str(path), label_map=str(tmp_path / "names.txt")))
    with pytest.raises(ModelError, match=r"far outside its input of 96x64: read as detr, which may be wrong"):
        detector.detect(frame_of(blank(*FRAME)))


def test_the_first_boxes_decide() -> None:
    check = OutputCheck("yolov8", (96, 64))
    assert len(check.checked(candidates(best=0.0)).boxes) == 0
    assert check.checked(candidates((8, 4, 40, 36))).boxes.tolist() == [[8, 4, 40, 36]]
    assert check.checked(candidates((0, 0, 1, 1))).boxes.tolist() == [[0, 0, 1, 1]]


def test_a_box_beyond_the_input_among_others_is_kept() -> None:
    found = candidates((8, 4, 40, 36), (8, 4, 300, 36), (-40, 4, 130, 90))
    assert OutputCheck("yolov8", (96, 64)).checked(found).boxes.tolist() == found.boxes.tolist()
