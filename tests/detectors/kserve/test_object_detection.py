"""Models on a server with the outputs of TensorFlow's detectors, read as those of a SavedModel."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiohttp import web

from streamer.errors import ModelError
from tests.detectors.frames import blank, frame_of
from tests.detectors.kserve.server import LENGTH, ModelServer
from tests.detectors.kserve.test_same_boxes import detector_of
from tests.detectors.onnx import graphs

BOXES = np.array([[[0.2, 0.25, 0.6, 0.75], [0.5, 0.5, 1, 1], [0, 0, 0, 0]]], np.float32)
FRAME = frame_of(blank(200, 100))


def write_api_model(path: Path, dtype: str = "uint8", metadata: dict[str, str] | None = None) -> Path:
    outputs = {
        "detection_boxes": BOXES,
        "detection_scores": np.array([[0.9, 0.5, 0]], np.float32),
        "detection_classes": np.array([[18, 1, 1]], np.float32),
        "num_detections": np.array([2], np.float32),
    }
    shape = (1, "height", "width", 3)
    return graphs.constant(path, outputs, picture=shape, dtype=dtype, name="input_tensor", metadata=metadata)


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_boxes_ids_and_padding(dtype: str, tmp_path: Path) -> None:
    with ModelServer({"ssd": write_api_model(tmp_path / "model.onnx", dtype)}) as server:
        detector = detector_of(server.url("ssd"), "coco")
        found = detector.detect(FRAME)
        np.testing.assert_allclose(found.boxes, [[50, 20, 150, 60], [100, 50, 200, 100]], atol=1e-4)
        assert [detector.labels.name(row) for row in found.labels] == ["dog", "person"]
        assert len(detector.detect(frame_of(blank(64, 48)))) == 2  # another size
        assert detector.top_score == pytest.approx(0.9)  # type: ignore[attr-defined]
        detector.close()


def test_names_come_from_the_server_or_a_label_map(tmp_path: Path) -> None:
    path = write_api_model(tmp_path / "named.onnx", metadata={"names": json.dumps({"1": "cat", "18": "cow"})})
    unnamed = write_api_model(tmp_path / "model.onnx")
    with ModelServer({"named": path, "unnamed": unnamed}) as server:
        detector = detector_of(server.url("named"))
        assert [detector.labels.name(row) for row in detector.detect(FRAME).labels] == ["cow", "cat"]
        detector.close()
        with pytest.raises(ModelError, match=r"name them with detector\.label_map"):
            detector_of(server.url("unnamed"))


def test_the_open_images_form_has_its_classes_by_mid(tmp_path: Path) -> None:
    """The high-accuracy model: float frames in 0..1, and texts in the type BYTES."""
    columns: dict[str, tuple[str, list[int], bytes]] = {
        "detection_boxes": ("FP32", [2, 4], BOXES[0, :2].tobytes()),
        "detection_scores": ("FP32", [2, 1], np.array([0.9, 0.5], np.float32).tobytes()),
        "detection_class_labels": ("INT64", [2, 1], np.array([69, 90], np.int64).tobytes()),
        "detection_class_names": ("BYTES", [2, 1], texts("/m/01g317", "/m/0k4j")),
        "detection_class_entities": ("BYTES", [2, 1], texts("Person", "Car")),
    }
    brightest: list[float] = []

    async def describe(_: web.Request) -> web.Response:
        outputs = [{"name": name, "datatype": column[0], "shape": [-1, -1]} for name, column in columns.items()]
        picture = {"name": "images", "datatype": "FP32", "shape": [1, -1, -1, 3]}
        return web.json_response({"name": "frcnn", "inputs": [picture], "outputs": outputs})

    async def infer(request: web.Request) -> web.Response:
        body = await request.read()
        brightest.append(float(np.frombuffer(body[int(request.headers[LENGTH]) :], np.float32).max()))
        told: list[dict[str, Any]] = [
            {"name": name, "datatype": kind, "shape": shape, "parameters": {"binary_data_size": len(data)}}
            for name, (kind, shape, data) in columns.items()
        ]
        head = json.dumps({"outputs": told}).encode()
        return web.Response(
            body=head + b"".join(column[2] for column in columns.values()), headers={LENGTH: str(len(head))}
        )

    with ModelServer({"frcnn": write_api_model(tmp_path / "model.onnx")}) as server:
        server.instead |= {"/infer": infer, "/models/frcnn": describe}
        detector = detector_of(server.url("frcnn"))
        found = detector.detect(frame_of(blank(200, 100) + np.uint8(255)))
        np.testing.assert_allclose(found.boxes, [[50, 20, 150, 60], [100, 50, 200, 100]], atol=1e-4)
        assert [detector.labels.name(row) for row in found.labels] == ["Person", "Car"]
        assert brightest[-1] == 1
        detector.close()


def texts(*values: str) -> bytes:
    return b"".join(struct.pack("<I", len(value)) + value.encode() for value in values)
