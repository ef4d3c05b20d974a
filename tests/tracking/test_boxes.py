"""Overlaps compared with the plain all-pairs computation."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tracking.boxes import overlapping_pairs, to_centres, to_corners

Array = npt.NDArray[np.float64]


@st.composite
def box_arrays(draw: st.DrawFn) -> Array:
    count = draw(st.integers(0, 12))
    corner = draw(arrays(np.float64, (count, 2), elements=st.integers(-50, 50).map(float)))
    size = draw(arrays(np.float64, (count, 2), elements=st.sampled_from([0.0, 0.5, 3.0, 20.0, 90.0])))
    return np.concatenate([corner, corner + size], axis=1)


def iou(a: Array, b: Array) -> float:
    wide = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    high = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    joint = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - wide * high
    return float(wide * high / joint) if wide * high > 0 else 0.0


@given(a=box_arrays(), b=box_arrays(), iou_min=st.sampled_from([1e-6, 0.05, 0.2, 0.5, 0.9, 1.0]))
def test_all_pairs_with_enough_overlap_are_found(a: Array, b: Array, iou_min: float) -> None:
    b = b[np.argsort(b[:, 0])]
    pairs = overlapping_pairs(a, b, iou_min)
    found = dict(zip(zip(pairs.rows.tolist(), pairs.cols.tolist(), strict=True), pairs.iou.tolist(), strict=True))
    expected = {(i, j): iou(a[i], b[j]) for i in range(len(a)) for j in range(len(b))}
    assert len(found) == len(pairs.rows)
    for pair, value in expected.items():
        if value >= iou_min * (1 + 1e-9):
            assert found[pair] == pytest.approx(value)
        elif value < iou_min * (1 - 1e-9):
            assert pair not in found


def test_height_overlap_ignores_the_width() -> None:
    a = np.array([[0.0, 0, 10, 40]])
    pairs = overlapping_pairs(a, np.array([[0.0, 10, 5, 50]]), 0.1)
    assert pairs.height_iou == pytest.approx([30 / 50])


@given(boxes=box_arrays())
def test_centres_and_corners_convert_into_each_other(boxes: Array) -> None:
    assert to_corners(to_centres(boxes)) == pytest.approx(boxes)
