"""The contract of `streamer.interfaces.Detector`, for every registered detector."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from streamer import registry
from streamer.config.detector import DetectorSettings, RemoteSettings
from streamer.detectors.ray.detector import RayDetector
from streamer.detectors.ray.model import PoolModel
from streamer.detectors.remote.breaker import CircuitBreaker
from streamer.errors import DetectorError
from streamer.features import DetectorContext
from streamer.interfaces import Detector
from streamer.models import store
from tests.detectors.frames import UInt8Array, blank, frame_of, street
from tests.detectors.kserve.server import ModelServer
from tests.detectors.onnx import graphs
from tests.detectors.ray.pool_here import pool_of
from tests.detectors.tfhub import tiny_module
from tracking.types import Detections

SIZES = [(1, 1), (16, 16), (90, 160), (333, 251), (1280, 720), (3000, 20)]


def build_starter(_: Path) -> Detector:
    # A low bound, so that pictures of nothing real give it something to report.
    built: Detector = registry.DETECTORS["starter"](DetectorSettings(min_score=0.02))
    return built


def build_nanodet(_: Path) -> Detector:
    built: Detector = registry.DETECTORS["nanodet"](DetectorSettings(min_score=0.02))
    return built


def build_hub(folder: Path) -> Detector:
    if not importlib.util.find_spec("tensorflow"):
        pytest.skip("TensorFlow is not installed")
    built: Detector = registry.DETECTORS["hub"](tiny_module.write(folder / "module"), DetectorSettings(min_score=0.0))
    return built


def write_onnx(folder: Path) -> Path:
    boxes, scores = np.array([[8, 4, 40, 36], [48, 16, 88, 60]]), np.array([[0.9, 0.2], [0.1, 0.6]])
    names = graphs.ULTRALYTICS | {"names": "{0: 'Person', 1: 'Car'}"}
    return graphs.constant(folder / "model.onnx", {"output0": graphs.yolov8(boxes, scores)}, metadata=names)


def build_onnx(folder: Path) -> Detector:
    built: Detector = registry.DETECTORS["onnx"](DetectorSettings(name=str(write_onnx(folder))))
    return built


def build_kserve(folder: Path) -> Detector:
    server = ModelServer({"model": write_onnx(folder)})
    server.__enter__()  # ends with the tests
    settings = DetectorSettings(name=server.url("model"), remote=RemoteSettings(deadline_s=60))
    built: Detector = registry.DETECTORS["kserve"].from_settings(settings, DetectorContext())[0]
    return built


def build_ray(_: Path) -> Detector:
    """A pool in this process, which ends with its detector."""
    ended = ExitStack()
    pool = ended.enter_context(pool_of(DetectorSettings(name=store.STARTER, min_score=0.02)))

    class Ended(PoolModel):
        def close(self) -> None:
            super().close()
            ended.close()

    return RayDetector(Ended(pool.link(), None), CircuitBreaker(), deadline_s=60.0, retry_for_s=0)


BUILDERS: dict[str, Callable[[Path], Detector]] = {
    "starter": build_starter,
    "nanodet": build_nanodet,
    "hub": build_hub,
    "onnx": build_onnx,
    "kserve": build_kserve,
    "ray": build_ray,
}
# `auto` chooses another one, and `recorded` returns the contents of a file.
MODELS = sorted(set(registry.DETECTORS) - {"auto", "recorded"})


@pytest.fixture(scope="module", params=MODELS)
def detector(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Detector]:
    assert request.param in BUILDERS, f"say in BUILDERS how the contract suite builds {request.param!r}"
    if request.param in store.PINNED:
        request.getfixturevalue(f"{request.param}_weights")
    if request.param == "ray":
        request.getfixturevalue("starter_weights")
    built = BUILDERS[request.param](tmp_path_factory.mktemp("detector"))
    yield built
    built.close()


def busy(width: int, height: int) -> UInt8Array:
    """A scene for either detector: blocks of colour, two of them pure red and blue."""
    rgb = street(width, height, seed=5)
    rgb[height // 4 : height // 2 + 1, : width // 2 + 1] = (255, 0, 0)
    rgb[height // 2 :, width // 2 :] = (0, 0, 255)
    return rgb


def check(found: Detections, detector: Detector, width: int, height: int) -> None:
    assert found.boxes.dtype == np.float32
    assert found.scores.dtype == np.float32
    assert found.labels.dtype == np.int32
    assert (found.boxes >= 0).all()
    assert (found.boxes <= [width, height, width, height]).all()
    assert (found.boxes[:, 2:] > found.boxes[:, :2]).all()
    assert (np.diff(found.scores) <= 0).all()
    assert ((found.scores >= 0) & (found.scores <= 1)).all()
    assert ((found.labels >= 0) & (found.labels < len(detector.labels))).all()
    assert all(detector.labels.name(int(row)) for row in found.labels)


def test_label_table_has_names_and_mids(detector: Detector) -> None:
    table = detector.labels
    named = [row for row, name in enumerate(table.names) if name]
    assert len(named) >= 2
    assert len({table.names[row] for row in named}) == len(named)
    assert table.rows(["=Person", "=car"]) == (table.names.index("Person"), table.names.index("Car"))
    assert table.mid(table.names.index("Person")) == "/m/01g317"


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_detections_are_valid_at_any_size(detector: Detector, size: tuple[int, int]) -> None:
    found = detector.detect(frame_of(busy(*size)))
    check(found, detector, *size)
    if size == (1280, 720):
        assert len(found) > 0


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv420p10le", "nv12", "yuvj422p", "gray", "bgr24"])
def test_detections_are_valid_in_any_pixel_format(detector: Detector, pixel_format: str) -> None:
    check(detector.detect(frame_of(busy(321, 241), pixel_format=pixel_format)), detector, 321, 241)


def test_blank_frames_are_fine(detector: Detector) -> None:
    for level in (0, 255):
        check(detector.detect(frame_of(blank(320, 240) + np.uint8(level))), detector, 320, 240)


def test_the_same_frame_gives_the_same_detections(detector: Detector) -> None:
    frame = frame_of(busy(640, 360))
    first = detector.detect(frame)
    assert len(first) > 0
    detector.detect(frame_of(street(200, 300, seed=9)))  # what came between leaves no trace
    again = detector.detect(frame)
    assert np.array_equal(first.boxes, again.boxes)
    assert np.array_equal(first.scores, again.scores)
    assert np.array_equal(first.labels, again.labels)


def test_the_frame_is_not_written_to(detector: Detector) -> None:
    frame = frame_of(busy(320, 240), pixel_format="yuv420p")
    before = frame.picture.to_ndarray().copy()
    detector.detect(frame)
    assert np.array_equal(frame.picture.to_ndarray(), before)


@pytest.mark.parametrize("name", MODELS)
def test_closing_twice_is_fine(name: str, tmp_path: Path) -> None:
    detector = BUILDERS[name](tmp_path)
    detector.close()
    detector.close()
    with pytest.raises(DetectorError, match="closed"):
        detector.detect(frame_of(blank(16, 16)))
