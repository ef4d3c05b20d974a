"""Anchors, decoding and suppression against plain implementations."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from streamer.detectors.litert import ssd
from streamer.detectors.litert.starter import starter_anchors
from tracking.types import FloatArray


def anchors_of_the_paper() -> list[tuple[float, float, float, float]]:
    """Section 2.2 of Liu et al., SSD (2016), box by box, with the numbers of the starter's graph."""
    found = []
    cells_of = (19, 10, 5, 3, 2, 1)  # ceil(300 / 16), ceil(300 / 32), ...
    scales = (0.2, 0.35, 0.5, 0.65, 0.8, 0.95)
    for layer, cells in enumerate(cells_of):
        if layer == 0:
            shapes = [(0.1, 0.1), (0.2 / math.sqrt(2), 0.2 * math.sqrt(2)), (0.2 * math.sqrt(2), 0.2 / math.sqrt(2))]
        else:
            scale = scales[layer]
            following = scales[layer + 1] if layer < 5 else 1.0
            shapes = [(scale / math.sqrt(ratio), scale * math.sqrt(ratio)) for ratio in (1, 2, 0.5, 3, 0.3333)]
            shapes.append((math.sqrt(scale * following),) * 2)
        for row in range(cells):
            for column in range(cells):
                for height, width in shapes:
                    found.append(((row + 0.5) / cells, (column + 0.5) / cells, height, width))
    return found


def test_anchors_are_those_of_the_published_graph() -> None:
    mine = starter_anchors()
    assert mine.shape == (1917, 4)
    assert mine.dtype == np.float32
    np.testing.assert_allclose(mine, anchors_of_the_paper(), rtol=1e-6)


def test_a_zero_offset_decodes_to_the_anchor() -> None:
    anchors = starter_anchors()
    boxes = ssd.decode(np.zeros_like(anchors), anchors)
    np.testing.assert_allclose((boxes[:, 0] + boxes[:, 2]) / 2, anchors[:, 1], atol=1e-6)
    np.testing.assert_allclose((boxes[:, 1] + boxes[:, 3]) / 2, anchors[:, 0], atol=1e-6)
    np.testing.assert_allclose(boxes[:, 2] - boxes[:, 0], anchors[:, 3], atol=1e-6)
    np.testing.assert_allclose(boxes[:, 3] - boxes[:, 1], anchors[:, 2], atol=1e-6)


def test_offsets_move_by_tenths_and_grow_by_fifths() -> None:
    anchor = np.array([[0.5, 0.4, 0.2, 0.1]], np.float32)
    moved = ssd.decode(np.array([[5, -10, 0, 5 * math.log(2)]], np.float32), anchor)
    # Centre y 0.5 + 5/10 * 0.2 = 0.6, centre x 0.4 - 10/10 * 0.1 = 0.3, height 0.2, width 0.1 * 2.
    np.testing.assert_allclose(moved, [[0.2, 0.5, 0.4, 0.7]], atol=1e-6)


def iou(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    both = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1])
    return float(width * height / (both - width * height))


@st.composite
def candidates(draw: st.DrawFn) -> tuple[FloatArray, FloatArray, npt.NDArray[np.int32]]:
    """Boxes on a coarse grid, so that many overlap; scores in steps, so that some tie."""
    n = draw(st.integers(0, 30))
    corner = draw(hnp.arrays(np.int32, (n, 2), elements=st.integers(0, 12)))
    size = draw(hnp.arrays(np.int32, (n, 2), elements=st.integers(0, 8)))
    scores = draw(hnp.arrays(np.int32, n, elements=st.integers(0, 10)))
    labels = draw(hnp.arrays(np.int32, n, elements=st.integers(1, 3)))
    boxes = np.concatenate([corner, corner + size], axis=1).astype(np.float32)
    return boxes, (scores / 10).astype(np.float32), labels


@settings(deadline=None)
@given(candidates(), st.sampled_from([0.0, 0.3, 0.45, 0.9]), st.integers(1, 40))
def test_suppression_equals_a_plain_loop(
    case: tuple[FloatArray, FloatArray, npt.NDArray[np.int32]], threshold: float, limit: int
) -> None:
    boxes, scores, labels = case
    wide = boxes.astype(np.float64)
    kept: list[int] = []
    for row in sorted(range(len(boxes)), key=lambda row: -scores[row]):
        rivals = [other for other in kept if labels[other] == labels[row]]
        if len(kept) < limit and all(iou(wide[other], wide[row]) <= threshold for other in rivals):
            kept.append(row)
    found = ssd.suppress(boxes, scores, labels, iou_threshold=threshold, max_detections=limit)
    assert found.tolist() == kept


def test_classes_do_not_suppress_each_other() -> None:
    boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 10], [0, 0, 10, 9]], np.float32)
    scores = np.array([0.5, 0.9, 0.8], np.float32)
    found = ssd.suppress(boxes, scores, np.array([1, 2, 2], np.int32), iou_threshold=0.5, max_detections=100)
    assert found.tolist() == [1, 0]


def test_suppression_continues_behind_the_first_rows() -> None:
    """1,500 boxes on one object come before a hundred others."""
    corners = np.array([[0, 0]] * 1500 + [[100 * n, 0] for n in range(1, 101)], np.float32)
    boxes = np.concatenate([corners, corners + 10], axis=1)
    scores = np.linspace(1, 0, len(boxes), dtype=np.float32)
    labels = np.ones(len(boxes), np.int32)
    found = ssd.suppress(boxes, scores, labels, iou_threshold=0.5, max_detections=40)
    assert found.tolist() == [0, *range(1500, 1539)]


def test_the_best_rows_are_the_first_of_all_rows_also_with_ties() -> None:
    generator = np.random.default_rng(1)
    for levels in (3, 50, 10**6):
        scores = (generator.integers(0, levels, 5000) / levels).astype(np.float32)
        boxes = generator.uniform(0, 400, (5000, 4)).astype(np.float32)
        boxes[:, 2:] += boxes[:, :2]
        labels = generator.integers(0, 5, 5000).astype(np.int32)
        order = np.argsort(-scores, kind="stable")
        of_all = ssd.suppress(boxes[order], scores[order], labels[order], iou_threshold=0.6, max_detections=5000)
        for count in (1, 100, 5000):
            kept = ssd.suppress(boxes, scores, labels, iou_threshold=0.6, max_detections=count)
            assert kept.tolist() == order[of_all[:count]].tolist()
