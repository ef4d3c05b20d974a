"""The canary shows another arithmetic, whatever is in the video."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from streamer.config.detector import DetectorSettings
from streamer.detectors.litert.nanodet import NanoDetDetector
from streamer.detectors.litert.starter import StarterDetector
from streamer.errors import DetectorError, DetectorUnreachable
from streamer.parts.worker.canary import canary_digest, canary_frame, canary_picture
from streamer.values.frame import Frame
from streamer.values.labels import LabelTable
from tracking.types import Detections


class Fixed:
    """A detector with one box of this score."""

    labels = LabelTable(("thing",))

    def __init__(self, score: float, top_score: float | None = None) -> None:
        self._score = np.float32(score)
        self.top_score = top_score

    def detect(self, frame: Frame) -> Detections:
        assert (frame.width, frame.height) == (1280, 720)
        return Detections(np.array([[1, 2, 3, 4]]), np.array([self._score]), np.array([0]))

    def close(self) -> None:
        pass


class Failing(Fixed):
    """A detector that fails on every frame."""

    def detect(self, frame: Frame) -> Detections:
        raise DetectorError(f"no luck with {frame.index}")


class Unreachable(Fixed):
    """A detector whose server does not answer."""

    def detect(self, frame: Frame) -> Detections:
        raise DetectorUnreachable(f"no answer for {frame.index}")


def test_the_canary_is_the_same_picture_on_every_machine() -> None:
    assert hashlib.sha256(canary_picture().tobytes()).hexdigest().startswith("74949d77aebe3c2a")
    planes = canary_frame().picture.to_ndarray()
    assert hashlib.sha256(planes.tobytes()).hexdigest().startswith("95b84c882a638e34")


def test_the_planes_of_the_canary_show_its_picture() -> None:
    difference = np.abs(canary_frame().rgb().astype(int) - canary_picture())
    assert float(np.mean(difference)) < 3


@pytest.mark.parametrize("kind", [NanoDetDetector, StarterDetector])
def test_detectors_find_several_objects_on_the_canary(kind: type[NanoDetDetector] | type[StarterDetector]) -> None:
    """Only what a detector reports shows how it computes."""
    detector = kind()
    assert len(detector.detect(canary_frame())) >= 3
    assert canary_digest(detector) == canary_digest(kind(DetectorSettings(threads=2)))


def test_the_last_bit_of_a_score_changes_the_digest() -> None:
    next_score = float(np.nextafter(np.float32(0.5), np.float32(1)))
    digests = {canary_digest(Fixed(0.5)), canary_digest(Fixed(next_score)), canary_digest(Fixed(0.5, top_score=0.9))}
    assert len(digests) == 3
    assert canary_digest(Fixed(0.5)) == canary_digest(Fixed(0.5))


def test_a_detector_that_fails_on_the_canary_has_a_digest(caplog: pytest.LogCaptureFixture) -> None:
    assert canary_digest(Failing(0.5)) == canary_digest(Failing(0.6)) != canary_digest(Fixed(0.5))
    assert "fails on the picture by which machines are compared: no luck" in caplog.text


def test_a_detector_that_cannot_be_reached_has_none() -> None:
    with pytest.raises(DetectorUnreachable):
        canary_digest(Unreachable(0.5))
