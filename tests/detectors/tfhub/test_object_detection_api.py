"""The hub detector with SavedModels in the format of the TensorFlow 2 Object Detection API."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from streamer.config.detector import DetectorSettings
from streamer.detectors.tfhub.hub import HubDetector
from streamer.errors import DetectorError, ModelError
from streamer.values.frame import Frame
from tests.detectors.frames import blank, frame_of
from tests.detectors.tfhub import tiny_api_model

pytestmark = pytest.mark.skipif(not importlib.util.find_spec("tensorflow"), reason="TensorFlow is not installed")

COCO = DetectorSettings(label_map="coco", device="cpu")


def bright_frame(width: int = 200, height: int = 100) -> Frame:
    rgb = blank(width, height) + np.uint8(60)  # half of white only if it is fed in the right range
    rgb[20:60, 50:150] = 220
    return frame_of(rgb)


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@pytest.mark.parametrize("reference", [False, True], ids=["session", "reference"])
def test_boxes_ids_and_padding(dtype: str, reference: bool, tmp_path: Path) -> None:
    model = tiny_api_model.write(tmp_path / "model", dtype=dtype)
    detector = HubDetector(model, DetectorSettings(label_map="coco", device="cpu", min_score=0.0, reference=reference))
    found = detector.detect(bright_frame())
    np.testing.assert_allclose(found.boxes, [[50, 20, 150, 60]], atol=1e-4)
    np.testing.assert_allclose(found.scores, [0.75])
    assert [detector.labels.name(row) for row in found.labels] == ["dog"]
    assert len(detector.detect(frame_of(blank(64, 48)))) == 0
    detector.close()


def test_a_model_of_a_fixed_size_gets_frames_of_that_size(tmp_path: Path) -> None:
    model = tiny_api_model.write(tmp_path / "model", size=(50, 100))
    found = HubDetector(model, COCO).detect(bright_frame())
    np.testing.assert_allclose(found.boxes, [[50, 20, 150, 60]], atol=2.1)  # a pixel of the model's is two


def test_without_a_label_map_the_error_has_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"detector\.label_map: coco"):
        HubDetector(tiny_api_model.write(tmp_path / "model"), DetectorSettings(device="cpu"))


@pytest.mark.parametrize("class_id", [12.0, 91.0])
def test_an_id_that_the_label_map_lacks_gets_a_name_by_its_number(class_id: float, tmp_path: Path) -> None:
    detector = HubDetector(tiny_api_model.write(tmp_path / "model", class_id=class_id), COCO)
    found = detector.detect(bright_frame())
    assert [detector.labels.name(label) for label in found.labels.tolist()] == [f"class {class_id:g}"]
    assert detector.unknown_classes == {f"class {class_id:g}": 1}


def test_warm_up_and_description_use_the_size_that_the_model_requires(tmp_path: Path) -> None:
    detector = HubDetector(tiny_api_model.write(tmp_path / "model", size=(50, 100)), COCO)
    assert detector.warm_up(1280, 720) > 0
    assert "CPU" in " ".join(detector.describe(1280, 720))


def test_pixels_of_the_input_are_scaled_to_the_frame(tmp_path: Path) -> None:
    model = tiny_api_model.write(tmp_path / "model", size=(50, 100), boxes=[(10, 25, 30, 75)])
    found = HubDetector(model, COCO).detect(bright_frame())
    np.testing.assert_allclose(found.boxes, [[50, 20, 150, 60]])


def test_the_image_info_of_a_model_garden_export_scales_its_boxes(tmp_path: Path) -> None:
    info = [[100.0, 200.0], [50.0, 100.0], [0.5, 0.5], [0.0, 0.0]]
    model = tiny_api_model.write(tmp_path / "model", boxes=[(10, 25, 30, 75)], image_info=info)
    found = HubDetector(model, COCO).detect(bright_frame())
    np.testing.assert_allclose(found.boxes, [[50, 20, 150, 60]])


def test_pixels_of_an_unknown_picture_end_the_run(tmp_path: Path) -> None:
    model = tiny_api_model.write(tmp_path / "model", boxes=[(10, 25, 30, 75)])
    with pytest.raises(ModelError, match="boxes in pixels"):
        HubDetector(model, COCO).detect(bright_frame())


def test_a_batch_of_several_is_refused_by_warm_up(tmp_path: Path) -> None:
    detector = HubDetector(
        tiny_api_model.write(tmp_path / "model", batch=2), DetectorSettings(label_map="coco", device="cpu")
    )
    with pytest.raises(ModelError, match=r"boxes of shape \(2, 10, 4\)") as caught:
        detector.warm_up(64, 48)
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize("count", [11.0, -1.0])
def test_an_invalid_count(count: float, tmp_path: Path) -> None:
    detector = HubDetector(
        tiny_api_model.write(tmp_path / "model", count=count), DetectorSettings(label_map="coco", device="cpu")
    )
    with pytest.raises(DetectorError, match="as their number"):
        detector.detect(bright_frame())
