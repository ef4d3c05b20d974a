"""A function of a picture as a detector."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from streamer.detectors.function import FunctionDetector
from tests.detectors.frames import frame_of

WIDTH, HEIGHT = 64, 48


def detector_of(*result: Any) -> FunctionDetector:
    """A detector whose function returns `result` for any picture."""
    return FunctionDetector(lambda _: result)


def test_the_function_gets_the_frame_as_rgb() -> None:
    rgb = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    rgb[..., 0] = 200
    seen = []

    def look(picture: Any) -> Any:
        seen.append(picture)
        return [], [], []

    assert len(FunctionDetector(look).detect(frame_of(rgb))) == 0
    assert np.array_equal(seen[0], rgb)


def test_names_become_rows_of_a_table_that_grows() -> None:
    detector = FunctionDetector(lambda picture: ([(0, 0, 9, 9)], [0.5], ["car" if picture.any() else "night"]))
    black = frame_of(np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    grey = frame_of(np.full((HEIGHT, WIDTH, 3), 90, np.uint8))
    assert len(detector.labels) == 0
    rows = [detector.detect(frame).labels.tolist() for frame in (grey, black, grey)]
    assert rows == [[0], [1], [0]]
    assert detector.labels.names == ("car", "night")


def test_boxes_are_clipped_dropped_and_sorted() -> None:
    boxes = [(-5, -5, 10, 10), (70, 0, 90, 10), (30, 30, 60, 99)]
    found = detector_of(boxes, [0.2, 0.9, 0.8], ["a", "b", "c"]).detect(
        frame_of(np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    )
    assert found.boxes.tolist() == [[30, 30, 60, 48], [0, 0, 10, 10]]
    assert found.scores == pytest.approx([0.8, 0.2])


@pytest.mark.parametrize(
    ("result", "error", "reason"),
    [
        ((3,), TypeError, "must return boxes, scores and a list of class names, not"),
        (([], [], "car"), TypeError, "must return boxes, scores and a list of class names"),
        (([(0, 0, 9, 9)], [0.5], [7]), TypeError, "must return boxes, scores and a list of class names"),
        (([(0, 0, 9, 9)], [90], ["car"]), ValueError, r"scores must be in 0\.\.1, not \[90"),
        (([(0, 0, 9, 9)], [0.5], []), ValueError, "<lambda>: labels must have shape"),
        (
            ([(0, 0, 9, 9), (30, 20, 9, 12)], [0.5, 0.5], ["car", "car"]),
            ValueError,
            r"<lambda>: boxes must be x0, y0, x1, y1 .*, not 30, 20, 9, 12; x, y, width, height\?",
        ),
        (
            ([(0, 0, 0, 0), (0.25, 0.5, 0.75, 1)], [0, 0.5], ["car", "car"]),
            ValueError,
            r"<lambda>: boxes must be in pixels, not in 0\.\.1 as 0\.25, 0\.5, 0\.75, 1; multiply x by .*\(64x48\)",
        ),
    ],
)
def test_a_wrong_result_is_refused(result: Any, error: type[Exception], reason: str) -> None:
    with pytest.raises(error, match=reason):
        detector_of(*result).detect(frame_of(np.zeros((HEIGHT, WIDTH, 3), np.uint8)))


def test_rows_of_zeros_are_no_boxes_in_fractions() -> None:
    black = frame_of(np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    assert len(detector_of([(0, 0, 0, 0)] * 2, [0, 0], ["car", "car"]).detect(black)) == 0
