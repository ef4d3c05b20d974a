"""Detectors on a real Triton; see `triton` for how to install it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from streamer.config.detector import DetectorSettings
from streamer.detectors.selection import build_detector
from streamer.errors import ModelError
from streamer.features import DetectorContext
from tests.detectors.frames import blank, frame_of, street
from tests.detectors.kserve import triton
from tests.detectors.kserve.test_same_boxes import assert_same, detector_of
from tests.detectors.onnx import graphs
from tests.detectors.onnx.test_families import WRITERS

pytestmark = [
    pytest.mark.elsewhere,
    pytest.mark.slow,
    pytest.mark.skipif(not os.environ.get(triton.VARIABLE), reason=f"{triton.VARIABLE} names no environment"),
]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("models")
    written = {
        f"family{number}": write(folder / f"{number}.onnx") for number, (_, write) in enumerate(WRITERS.values())
    }
    for dtype in ("float32", "float16", "uint8"):
        written[dtype] = graphs.seeing(folder / f"{dtype}.onnx", dtype=dtype, metadata=graphs.ULTRALYTICS)
    return written


@pytest.fixture(scope="module")
def server(models: dict[str, Path], tmp_path_factory: pytest.TempPathFactory):  # type: ignore[no-untyped-def]
    python = Path(os.environ[triton.VARIABLE])
    with triton.running(python, tmp_path_factory.mktemp("triton"), models) as address:
        yield f"kserve+{address}"


def test_boxes_of_every_family_are_the_same(server: str, models: dict[str, Path], tmp_path: Path) -> None:
    names = tmp_path / "names.txt"
    names.write_text("person\ncar\n")
    for name in (one for one in models if one.startswith("family")):
        served, local = detector_of(f"{server}/models/{name}", str(names)), detector_of(str(models[name]), str(names))
        assert_same(served, local, frame_of(blank(300, 80)))
        served.close()


@pytest.mark.parametrize("dtype", ["float32", "float16", "uint8"])
def test_the_picture_arrives_exactly(server: str, models: dict[str, Path], dtype: str) -> None:
    frame = frame_of(street(160, 90) // (100 if dtype == "uint8" else 1))
    names = f"{server}/models/{dtype}", str(models[dtype])
    served, local = (detector_of(one, onnx={"letterbox": "none"}) for one in names)
    found, expected = served.detect(frame), local.detect(frame)
    assert len(expected) == 1
    assert found.boxes.tolist() == expected.boxes.tolist()
    served.close()


def test_an_unknown_model_or_version_is_refused(server: str) -> None:
    for path, message in (("models/float33", "did you mean float32"), ("models/float32/versions/7", "no version 7")):
        with pytest.raises(ModelError, match=message):
            build_detector(DetectorSettings(name=f"{server}/{path}"), DetectorContext())
