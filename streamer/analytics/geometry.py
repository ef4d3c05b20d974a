"""Points, paths and the edges of lines and zones, for all tracks and all edges at once. Pure functions; any thread.

Coordinates are pixels of the upright frame, x right and y down. Shapes: N tracks, E edges, R rules. The edges of a rule
follow one another; `starts` has the first edge of each rule.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from streamer.values.events import Points

Array = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]
Counts = npt.NDArray[np.int64]


def edges_of(shapes: Sequence[Points], size: tuple[int, int], *, closed: bool) -> tuple[Array, npt.NDArray[np.intp]]:
    """The edges of all shapes.

    Args:
        shapes: points in 0..1.
        size: width and height of the frame, pixels.
        closed: an edge joins the last point to the first.

    Returns:
        float64 `(E, 4)`: x0, y0, x1, y1 of each edge; intp `(R,)`: the first edge of each shape.
    """
    edges: list[tuple[float, ...]] = []
    starts: list[int] = []
    for points in shapes:
        starts.append(len(edges))
        ends = (*points[1:], points[0]) if closed else points[1:]
        edges += [(*one, *other) for one, other in zip(points, ends, strict=False)]
    return np.array(edges, np.float64).reshape(-1, 4) * (*size, *size), np.array(starts, np.intp)


def sides(points: Array, edges: Array) -> Array:
    """`(N, E)`: positive where a point is to the right of an edge, seen from its first point; twice an area."""
    x, y = points[:, :1], points[:, 1:]
    x0, y0, x1, y1 = edges.T
    return np.asarray((x1 - x0) * (y - y0) - (y1 - y0) * (x - x0), np.float64)


def crossings(before: Array, after: Array, edges: Array) -> tuple[Counts, Array]:
    """Where straight paths cross edges.

    A point on an edge counts as right of it. So a path that stops on an edge and goes on later crosses it once, and one
    that turns back there crosses it never, or once in each direction. A path through the point between two edges
    crosses one of them.

    Args:
        before, after: `(N, 2)`, the ends of each path.
        edges: `(E, 4)`.

    Returns:
        `(N, E)`: 1 for a crossing from left to right, -1 from right to left, 0 for none; `(N, E)`: the share of the
        path, 0..1, where it crosses.
    """
    first, last = sides(before, edges), sides(after, edges)
    changes = (last >= 0).astype(np.int64) - (first >= 0)
    paths = np.hstack((before, after))
    # The ends of an edge are on different sides of the path.
    split = (sides(edges[:, :2], paths) >= 0) != (sides(edges[:, 2:], paths) >= 0)
    step = first - last
    shares = first / np.where(step == 0, 1, step)
    return changes * split.T, np.minimum(np.maximum(shares, 0), 1)


def are_clear(points: Array, boxes: Array, edges: Array, shares: Array) -> Booleans:
    """Whether points are further from edges than a share of their box.

    The size of a box across an edge is that of its shadow on the direction from the nearest point of the edge.

    Args:
        points: `(N, 2)`.
        boxes: `(N, 2)`, width and height.
        edges: `(E, 4)`.
        shares: `(E,)`.

    Returns:
        `(N, E)`.
    """
    # x and y apart: numpy is slow along an axis of two.
    x0, y0, x1, y1 = edges.T
    along_x, along_y = x1 - x0, y1 - y0
    from_x, from_y = points[:, :1] - x0, points[:, 1:] - y0
    length = np.maximum(along_x * along_x + along_y * along_y, 1e-12)
    at = np.minimum(np.maximum((from_x * along_x + from_y * along_y) / length, 0), 1)
    away_x, away_y = from_x - at * along_x, from_y - at * along_y
    extent = np.abs(away_x) * boxes[:, :1] + np.abs(away_y) * boxes[:, 1:]
    return np.asarray(away_x * away_x + away_y * away_y > shares * extent, np.bool_)


def contain(points: Array, edges: Array, starts: npt.NDArray[np.intp]) -> Booleans:
    """`(N, R)`: whether points are inside polygons, by the number of edges to the right of a point (even-odd rule)."""
    x, y = points[:, :1], points[:, 1:]
    x0, y0, x1, y1 = edges.T
    height = np.where(y1 == y0, 1, y1 - y0)
    right = ((y0 > y) != (y1 > y)) & (x < x0 + (y - y0) * (x1 - x0) / height)
    return np.asarray(np.add.reduceat(right, starts, axis=1, dtype=np.int64) % 2 == 1, np.bool_)


def overlap(one: Sequence[float], other: Sequence[float]) -> float:
    """Intersection over union of two boxes x0, y0, x1, y1; 0 if both are empty."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    common = max(width, 0.0) * max(height, 0.0)
    areas = ((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return common / max(sum(areas) - common, 1e-12)
