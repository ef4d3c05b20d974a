"""One-to-one assignment over few candidate pairs. Pure functions."""

from __future__ import annotations

import numpy as np

from tracking.boxes import Array, Indices

# Up to this many cells a dense cost matrix was faster than the sparse solver (SciPy 1.17, walks of 100 to 1,000 boxes).
_DENSE_CELLS = 40_000


def prepare() -> None:
    """Import SciPy now: in the middle of a live run that would hold the pictures up for 0.9 s."""
    import scipy.optimize
    import scipy.sparse.csgraph  # noqa: F401


def assign(rows: Indices, cols: Indices, weights: Array) -> tuple[Indices, Indices]:
    """The set of pairs, no row and no column twice, with the largest sum of weights.

    Pairs that compete with no other are taken at once; the rest is solved exactly, as a dense matrix (Crouse, "On
    implementing 2D rectangular assignment algorithms", 2016) or, where that would be large, as a sparse one (LAPJVsp).

    Args:
        rows: of each candidate pair, 0-based.
        cols: of each candidate pair, 0-based. A pair is given once.
        weights: of each candidate pair, above 0.

    Returns:
        Rows and columns of the chosen pairs.
    """
    if not len(rows):
        return rows, cols
    alone = np.bincount(rows)[rows] * np.bincount(cols)[cols] == 1
    if alone.all():
        return rows, cols
    taken_rows, taken_cols = rows[alone], cols[alone]
    rivals = ~alone
    row_names, i = _renumber(rows[rivals])
    col_names, j = _renumber(cols[rivals])
    solve = _dense if len(row_names) * len(col_names) <= _DENSE_CELLS else _sparse
    i, j = solve(i, j, weights[rivals], len(row_names), len(col_names))
    return np.concatenate([taken_rows, row_names[i]]), np.concatenate([taken_cols, col_names[j]])


def _renumber(numbers: Indices) -> tuple[Indices, Indices]:
    """The different numbers, rising, and where in them each is: `np.unique` for small numbers, without sorting."""
    names = np.flatnonzero(np.bincount(numbers))
    return names, np.searchsorted(names, numbers)


def _dense(i: Indices, j: Indices, weights: Array, height: int, width: int) -> tuple[Indices, Indices]:
    # SciPy takes 0.6 s to import on a slow core, which the first frame need not wait for: few frames have rivals.
    from scipy.optimize import linear_sum_assignment

    matrix = np.zeros((height, width))
    matrix[i, j] = weights
    i, j = linear_sum_assignment(matrix, maximize=True)
    chosen = matrix[i, j] > 0
    return i[chosen], j[chosen]


def _sparse(i: Indices, j: Indices, weights: Array, height: int, width: int) -> tuple[Indices, Indices]:
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import min_weight_full_bipartite_matching

    # The solver wants every row assigned: each gets a column of its own that stands for "none" and costs weight 0.
    ceiling = float(weights.max()) + 1.0
    none = np.arange(height)
    costs = np.concatenate([ceiling - weights, np.full(height, ceiling)])
    shape = (height, width + height)
    graph = csr_array((costs, (np.concatenate([i, none]), np.concatenate([j, width + none]))), shape=shape)
    matched, to = min_weight_full_bipartite_matching(graph)
    chosen = to < width
    return matched[chosen].astype(np.intp), to[chosen].astype(np.intp)
