"""The assignment compared with SciPy's dense one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from tracking.assignment import assign


@given(height=st.integers(1, 12), width=st.integers(1, 12), density=st.floats(0, 1), seed=st.integers(0, 10_000))
def test_the_assignment_is_one_to_one_and_optimal(height: int, width: int, density: float, seed: int) -> None:
    check(height, width, density, seed)


@pytest.mark.parametrize(("height", "width"), [(300, 300), (400, 250), (250, 400)])
def test_large_assignments_are_optimal(height: int, width: int) -> None:
    check(height, width, 0.02, 1)


def check(height: int, width: int, density: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows, cols = np.nonzero(rng.random((height, width)) < density)
    weights = rng.uniform(0.01, 1, len(rows))
    dense = np.zeros((height, width))
    dense[rows, cols] = weights
    chosen_rows, chosen_cols = assign(rows, cols, weights)
    assert len(set(chosen_rows.tolist())) == len(set(chosen_cols.tolist())) == len(chosen_rows)
    assert (dense[chosen_rows, chosen_cols] > 0).all()
    best = dense[linear_sum_assignment(dense, maximize=True)].sum()
    assert dense[chosen_rows, chosen_cols].sum() == pytest.approx(best)
