"""A real network on real frames: NanoDet-g in ONNX Runtime finds what it finds in LiteRT."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from streamer.cli.commands import packaged_clip
from streamer.config.detector import DetectorSettings, OnnxSettings
from streamer.detectors.litert.nanodet import NanoDetDetector
from streamer.detectors.onnx.detector import OnnxDetector
from streamer.sources.selection import open_source
from streamer.values.frame import Frame
from tests.detectors.frames import frame_of
from tests.detectors.onnx import nanodet_twin

MIN_SCORE = 0.4
FRAMES = 5
TOLERANCE_PX, SCORE_TOLERANCE = 1e-3, 1e-5


@pytest.fixture(scope="module")
def frames() -> list[Frame]:
    """Of a real clip; without subsampled colours, so that both detectors get the same pixels."""
    with open_source(str(packaged_clip())) as source:
        return [frame_of(frame.rgb()) for frame in islice(source, 0, 50 * FRAMES, 50)]


@pytest.fixture(scope="module")
def detector(nanodet_weights: Path, tmp_path_factory: pytest.TempPathFactory) -> OnnxDetector:
    path = nanodet_twin.write(tmp_path_factory.mktemp("model") / "nanodet.onnx", nanodet_weights.read_bytes())
    onnx = OnnxSettings(mean=nanodet_twin.MEAN, std=nanodet_twin.STD, iou_threshold=0.6)
    return OnnxDetector(DetectorSettings(name=str(path), label_map="coco", min_score=MIN_SCORE, onnx=onnx))


def test_the_same_objects_are_found_as_in_litert(detector: OnnxDetector, frames: list[Frame]) -> None:
    other = NanoDetDetector(DetectorSettings(min_score=MIN_SCORE))
    total = 0
    for frame in frames:
        found, expected = detector.detect(frame), other.detect(frame)
        total += len(expected)
        assert found.labels.tolist() == expected.labels.tolist()
        assert np.allclose(found.boxes, expected.boxes, atol=TOLERANCE_PX)
        assert np.allclose(found.scores, expected.scores, atol=SCORE_TOLERANCE)
    assert total >= FRAMES  # of people, bicycles and cars
    other.close()
