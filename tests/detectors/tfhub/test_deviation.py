"""The deviation of a faster precision."""

from __future__ import annotations

import numpy as np

from streamer.detectors.tfhub.deviation import FRAMES, Deviation
from tracking.types import Detections


def detections(*rows: tuple[float, float, float, float, float, int]) -> Detections:
    table = np.array(rows, np.float32).reshape(-1, 6)
    return Detections(table[:, :4], table[:, 4], table[:, 5].astype(np.int32))


def test_boxes_are_paired_by_place_and_class() -> None:
    deviation = Deviation()
    exact = detections((10, 10, 50, 50, 0.9, 1), (100, 10, 140, 50, 0.8, 2), (200, 10, 240, 50, 0.4, 1))
    given = detections((100, 10, 140, 51.5, 0.75, 2), (10, 10, 50, 50, 0.9, 1), (200, 10, 240, 50, 0.4, 3))
    deviation.add(exact, given)
    assert str(deviation) == (
        "on the first 1 frames 2 of 3 boxes are found again, 1 are new; "
        "edges move by up to 1.5 px, scores by up to 0.05"
    )


def test_it_is_complete_after_a_few_frames_even_without_boxes() -> None:
    deviation = Deviation()
    for _ in range(FRAMES):
        assert not deviation.complete
        deviation.add(detections(), detections())
    assert deviation.complete
    assert str(deviation) == f"on the first {FRAMES} frames 0 of 0 boxes are found again"
