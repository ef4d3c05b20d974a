"""One-to-one assignment over few candidate pairs. Pure functions."""

from __future__ import annotations

import numpy as np

from tracking.boxes import Array, Indices

# Up to this many cells a dense cost matrix was faster than the sparse solver (SciPy 1.17, walks of 100 to 1,000 boxes).
_DENSE_CELLS = 40_000


def prepare() -> None:
    """Import SciPy now: an import during a live run would delay the frames by 0.9 s."""
    import scipy.optimize
    import scipy.sparse.csgraph  # noqa: F401


def assign(rows: Indices, cols: Indices, weights: Array) -> tuple[Indices, Indices]:
    """The set of pairs with the largest sum of weights in which no row and no column occurs twice.

    Pairs without a competitor are taken at once; the rest is solved exactly, as a dense matrix (Crouse, "On
    implementing 2D rectangular assignment algorithms", 2016) or, if that would be large, as a sparse one (LAPJVsp).

    Args:
        rows: of each candidate pair, 0-based.
        cols: of each candidate pair, 0-based. No pair occurs twice.
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
    competing = ~alone
    row_names, i = _renumber(rows[competing])
    col_names, j = _renumber(cols[competing])
    solve = _dense if len(row_names) * len(col_names) <= _DENSE_CELLS else _sparse
    i, j = solve(i, j, weights[competing], len(row_names), len(col_names))
    return np.concatenate([taken_rows, row_names[i]]), np.concatenate([taken_cols, col_names[j]])


def _renumber(numbers: Indices) -> tuple[Indices, Indices]:
    """The distinct numbers, rising, and the index of each in them: `np.unique` for small numbers, without sorting."""
    names = np.flatnonzero(np.bincount(numbers))
    return names, np.searchsorted(names, numbers)


def _dense(i: Indices, j: Indices, weights: Array, height: int, width: int) -> tuple[Indices, Indices]:
    # Importing SciPy takes 0.6 s on a slow core. The first frame does not wait for it: few frames have competing pairs.
    from scipy.optimize import linear_sum_assignment

    matrix = np.zeros((height, width))
    matrix[i, j] = weights
    i, j = linear_sum_assignment(matrix, maximize=True)
    chosen = matrix[i, j] > 0
    return i[chosen], j[chosen]


def _sparse(i: Indices, j: Indices, weights: Array, height: int, width: int) -> tuple[Indices, Indices]:
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import min_weight_full_bipartite_matching

    # The solver assigns every row: each gets a column of its own that means "none" and has weight 0.
    ceiling = float(weights.max()) + 1.0
    none = np.arange(height)
    costs = np.concatenate([ceiling - weights, np.full(height, ceiling)])
    shape = (height, width + height)
    graph = csr_array((costs, (np.concatenate([i, none]), np.concatenate([j, width + none]))), shape=shape)
    matched, to = min_weight_full_bipartite_matching(graph)
    chosen = to < width
    return matched[chosen].astype(np.intp), to[chosen].astype(np.intp)
