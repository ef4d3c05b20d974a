"""Boxes of a model on a server equal those of the same model run here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from aiohttp import web

from streamer.config.detector import DetectorSettings
from streamer.detectors.selection import build_detector
from streamer.features import DetectorContext
from streamer.interfaces import Detector
from streamer.values.frame import Frame
from tests.detectors.frames import blank, frame_of, street
from tests.detectors.kserve.server import ModelServer
from tests.detectors.onnx import graphs
from tests.detectors.onnx.test_families import BOXES, SCORES, WRITERS


def detector_of(name: str, label_map: str | None = None, **settings: object) -> Detector:
    given = DetectorSettings.model_validate({"name": name, "label_map": label_map, "workers": 1, **settings})
    (detector,) = build_detector(given, DetectorContext()).detectors
    return detector


def assert_same(detector: Detector, other: Detector, frame: Frame) -> None:
    found, expected = detector.detect(frame), other.detect(frame)
    assert len(expected) == 2
    np.testing.assert_array_equal(found.boxes, expected.boxes)
    np.testing.assert_array_equal(found.scores, expected.scores)
    np.testing.assert_array_equal(found.labels, expected.labels)


@pytest.mark.parametrize("kind", WRITERS)
def test_boxes_of_every_family_are_the_same(kind: str, tmp_path: Path) -> None:
    path = WRITERS[kind][1](tmp_path / "model.onnx")
    names = tmp_path / "names.txt"
    names.write_text("person\ncar\n")
    with ModelServer({"m": path}) as server:
        served, local = detector_of(server.url("m"), str(names)), detector_of(str(path), str(names))
        assert served.labels == local.labels
        assert_same(served, local, frame_of(blank(192, 128)))
        assert_same(served, local, frame_of(blank(300, 80)))
        served.close()


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
@pytest.mark.parametrize("dtype", ["float32", "float16", "uint8"])
def test_the_picture_arrives_exactly(dtype: str, layout: str, tmp_path: Path) -> None:
    """The corners of the box are means of the picture, so that other values move it."""
    path = graphs.seeing(tmp_path / "model.onnx", dtype=dtype, layout=layout, metadata=graphs.ULTRALYTICS)
    rgb = street(160, 90) // (100 if dtype == "uint8" else 1)
    with ModelServer({"m": path}) as server:
        served, local = (detector_of(name, onnx={"letterbox": "none"}) for name in (server.url("m"), str(path)))
        for one in (rgb, rgb[:, ::-1] // 2):
            found, expected = served.detect(frame_of(one)), local.detect(frame_of(one))
            assert len(expected) == 1
            assert found.boxes.tolist() == expected.boxes.tolist()
            assert 0 < expected.boxes[0, 0] < 160
        served.close()


def test_the_server_names_the_classes_if_it_has_names(tmp_path: Path) -> None:
    path = graphs.constant(tmp_path / "m.onnx", {"output0": graphs.yolov8(BOXES, SCORES)}, metadata=graphs.ULTRALYTICS)
    with ModelServer({"m": path}) as server:
        served = detector_of(server.url("m"))
        assert served.labels.names == ("person", "car")
        served.close()


def test_metadata_in_one_parameter_as_of_ultralytics_guide(tmp_path: Path) -> None:
    path = graphs.constant(tmp_path / "m.onnx", {"output0": graphs.yolov8(BOXES, SCORES)}, metadata=graphs.ULTRALYTICS)
    as_read = {"names": {0: "pedestrian", 1: "car"}, "imgsz": [640, 640], "task": "detect", "end2end": False}

    async def config(_: web.Request) -> web.Response:
        return web.json_response({"parameters": {"metadata": {"string_value": str(as_read)}}})

    with ModelServer({"m": path}) as server:
        server.instead["/config"] = config
        served = detector_of(server.url("m"))
        assert served.labels.names == ("pedestrian", "car")
        served.close()


def test_a_version_and_a_path_before_v2_are_part_of_the_address(tmp_path: Path) -> None:
    path = graphs.constant(tmp_path / "m.onnx", {"output0": graphs.yolov8(BOXES, SCORES)}, metadata=graphs.ULTRALYTICS)
    with ModelServer({"m": path}) as server:
        served = detector_of(f"{server.url('m')}/versions/1/")
        assert len(served.detect(frame_of(blank(192, 128)))) == 2
        assert "/v2/models/m/versions/1/infer" in server.requests
        served.close()
