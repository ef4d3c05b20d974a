"""The suppression in NumPy against the operations of TensorFlow that it replaces.

`STREAMER_SUPPRESSIONS=10000 pytest tests/detectors/tfhub/test_suppression.py` tries so many generated cases instead of
200.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from streamer.detectors.tfhub.suppression import Parameters, Suppression
from tests.detectors.tfhub import api_scope
from tests.detectors.tfhub.api_scope import Limits

# Not imported, because the import takes seconds.
pytestmark = pytest.mark.skipif(not importlib.util.find_spec("tensorflow"), reason="TensorFlow is not installed")

EXAMPLES = int(os.environ.get("STREAMER_SUPPRESSIONS", "200"))
PIXELS = np.array([[0, 0, 80, 100]], np.float32)
WIDE = Limits(classes=40, total=100)

Floats = npt.NDArray[np.float32]
graph_of: Callable[[Limits], Callable[..., list[Any]]] = cache(api_scope.alone)


def assert_equal(limits: Limits, boxes: Any, scores: Any, window: Any = PIXELS, count: int | None = None) -> int:
    """Compare bit for bit, except the signs of zeros; the number of detections."""
    boxes, scores = np.asarray(boxes, np.float32)[np.newaxis], np.asarray(scores, np.float32)[np.newaxis]
    valid = np.array([boxes.shape[1] if count is None else count], np.int32)
    parameters = Parameters(
        limits.classes, limits.iou_threshold, limits.score_threshold, limits.per_class, limits.total
    )
    expected = graph_of(limits)(boxes, scores, valid, window)
    found = Suppression(parameters)(boxes, scores, valid, window)
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.dtype == theirs.dtype
        assert ours.shape == theirs.shape
        np.testing.assert_array_equal((ours + 0).view(np.int32), (theirs + 0).view(np.int32))
    return int(found[3][0])


def scene(seed: int, rows: int, classes: int, objects: int = 12) -> tuple[Floats, Floats]:
    """Boxes and scores as of a picture with some objects: several boxes an object, a few likely classes each."""
    random = np.random.default_rng(seed)
    of_row = random.integers(0, objects, rows)
    centers, sizes = random.random((objects, 2)) * [80, 100], random.random((objects, 2)) * 40 + 5
    logits = random.normal(0, 1.5, (rows, classes + 1))
    logits[:, 0] += 5
    for rank in range(4):
        logits[np.arange(rows), 1 + (of_row * 7 + rank) % classes] += 9 - 2 * rank
    scores = np.exp(logits)
    half = sizes[of_row] * np.exp(random.normal(0, 0.1, (rows, 2))) / 2
    middle = centers[of_row] + random.normal(0, 2, (rows, 2))
    boxes = np.concatenate([middle - half, middle + half], axis=1)[:, np.newaxis]
    boxes = boxes + random.normal(0, 1, (rows, classes, 4))
    return boxes.astype(np.float32), (scores / scores.sum(axis=1, keepdims=True))[:, 1:].astype(np.float32)


@pytest.mark.parametrize("with_scores", [True, False])
@pytest.mark.parametrize("rows", [0, 1, 30, 100, 300])
def test_scenes(rows: int, with_scores: bool) -> None:
    limits = Limits(classes=40, total=100, with_scores=with_scores)
    for seed in range(5):
        found = assert_equal(limits, *scene(seed, rows, 40))
        assert found == 100 or rows < 30


def test_equal_scores_are_taken_by_class_and_then_by_box() -> None:
    boxes, scores = scene(0, 100, 40)
    for tied in (np.full_like(scores, 0.5), np.round(scores, 1), np.round(scores, 2)):
        assert assert_equal(WIDE, boxes, tied) >= 50


def test_scores_of_zero_give_no_detections() -> None:
    boxes, scores = scene(0, 100, 40)
    assert assert_equal(WIDE, boxes, np.zeros_like(scores)) == 0


def test_boxes_outside_the_picture_are_left_out() -> None:
    boxes, scores = scene(0, 100, 40)
    assert assert_equal(WIDE, boxes + 1000, scores) == 0
    boxes[::2] -= 1000
    assert assert_equal(WIDE, boxes, scores) == 100


def test_more_pairs_are_walked_if_the_best_are_not_enough() -> None:
    """All boxes of a class are equal, so one of 100 is kept, and the pairs of all 40 classes are needed."""
    _, scores = scene(0, 100, 40)
    assert assert_equal(WIDE, np.tile([10, 10, 50, 50], (100, 40, 1)), scores) == 40


def test_boxes_and_scores_that_are_not_finite() -> None:
    random = np.random.default_rng(0)
    for value in (np.nan, np.inf, -np.inf, 1e-40, -1e-40, 3e38):
        boxes, scores = scene(1, 100, 40)
        boxes[random.random(boxes.shape) < 0.1] = value
        assert_equal(WIDE, boxes, scores)
        scores[random.random(scores.shape) < 0.1] = value
        assert_equal(WIDE, boxes, scores)


def test_only_valid_rows_count() -> None:
    boxes, scores = scene(2, 100, 40)
    assert 0 < assert_equal(WIDE, boxes, scores, count=20) <= 100
    assert assert_equal(WIDE, boxes, scores, count=0) == 0
    with pytest.raises(ValueError, match="101 of 100 boxes"):
        Suppression(Parameters(40, 0.6, 0, 100, 100))(
            boxes[np.newaxis], scores[np.newaxis], np.array([101], np.int32), PIXELS
        )


SMALL = (
    Limits(classes=5),
    Limits(classes=5, with_scores=False),
    Limits(classes=7, iou_threshold=0.5, score_threshold=0.3, per_class=3, total=10),
    Limits(classes=6, iou_threshold=0.0, score_threshold=1e-8, total=7),
    Limits(classes=5, iou_threshold=1.0, score_threshold=0.01, per_class=9, total=9, with_scores=False),
)
ANY = st.floats(width=32)
EDGES = st.sampled_from([0, 10, 20, 30, 33.3, 50, 50.000004, 80, 100, 120, -20])
TIES = st.sampled_from([0, 0.25, 0.5, 0.50000006, 0.75, 1])


@pytest.mark.timeout(150 + EXAMPLES / 5)
@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_generated_cases(data: st.DataObject) -> None:
    limits = data.draw(st.sampled_from(SMALL))
    rows = data.draw(st.integers(0, 12))
    edges = data.draw(st.sampled_from([EDGES, st.floats(-20, 120, width=32), EDGES | ANY]))
    values = data.draw(st.sampled_from([TIES, st.floats(0, 1, width=32), TIES | ANY]))
    boxes = data.draw(arrays(np.float32, (rows, limits.classes, 4), elements=edges))
    scores = data.draw(arrays(np.float32, (rows, limits.classes), elements=values))
    window = data.draw(st.just(PIXELS) | arrays(np.float32, (1, 4), elements=EDGES))
    assert_equal(limits, boxes, scores, window, data.draw(st.just(rows) | st.integers(0, rows)))
