"""Detections as a value: what it accepts and what it refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tracking.types import Detections


def made(boxes: Any, scores: Any, labels: Any) -> Detections:
    """As a beginner writes them: lists, or arrays of any number type."""
    return Detections(boxes, scores, labels)


def test_empty_lists_are_no_detections() -> None:
    found = made([], [], [])
    assert len(found) == 0
    assert found.boxes.shape == (0, 4)
    assert found.boxes.dtype.name == "float32"


@pytest.mark.parametrize("boxes", [[1.0, 2.0, 3.0, 4.0], [[1.0, 2.0, 3.0]]])
def test_a_wrong_shape_is_refused_with_the_right_one(boxes: list[float]) -> None:
    with pytest.raises(ValueError, match=r"boxes must have shape \(N, 4\), not"):
        made(np.array(boxes), [1], [0])


def test_other_numbers_of_scores_are_refused() -> None:
    with pytest.raises(ValueError, match=r"scores must have shape \(1,\), not \(2,\)"):
        made([[1, 2, 3, 4]], [1, 1], [0])
