"""Checks of lines and polygons in settings. Pure functions; any thread."""

from __future__ import annotations

import itertools
import math

Point = tuple[float, float]
Points = tuple[Point, ...]


def check_points(points: Points) -> Points:
    """The points, if all of them are in the picture and each differs from the one before.

    Raises:
        ValueError: otherwise.
    """
    for x, y in points:
        if not (0 <= x <= 1 and 0 <= y <= 1):
            raise ValueError(f"the point {x:g},{y:g} is outside the picture; x and y are in 0..1")
    for one, other in itertools.pairwise(points):
        if one == other:
            raise ValueError(f"the point {one[0]:g},{one[1]:g} is given twice in a row; leave one out")
    return points


def check_line(points: Points) -> Points:
    """The points, if there are at least two. Raises ValueError otherwise."""
    if len(points) < 2:
        raise ValueError(f"a line has at least two points, not {len(points)}")
    return points


def check_polygon(points: Points) -> Points:
    """The corners of a polygon whose edges do not meet; without the last one if it is the first one again.

    Raises:
        ValueError: fewer than three corners, an edge that meets another or folds back, or no area.
    """
    if len(points) > 1 and points[0] == points[-1]:  # closed, as GeoJSON writes it
        points = points[:-1]
    if len(points) < 3:
        raise ValueError(f"a zone has at least three points, not {len(points)}")
    edges = list(zip(points, (*points[1:], points[0]), strict=True))
    for (i, one), (j, other) in itertools.combinations(enumerate(edges), 2):
        if j - i in (1, len(edges) - 1):
            first, second = (one, other) if j - i == 1 else (other, one)
            if _folds_back(first[0], first[1], second[1]):
                raise ValueError(f"the polygon folds back on itself at {_text(first[1])}")
        elif _meet(*one, *other):
            raise ValueError(f"the polygon crosses itself: {_edge(one)} and {_edge(other)}")
    return points


def _turn(a: Point, b: Point, c: Point) -> float:
    turn = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
    return 0.0 if abs(turn) < 1e-12 else math.copysign(1, turn)


def _meet(a: Point, b: Point, c: Point, d: Point) -> bool:
    """Whether two segments have a point in common."""
    turns = _turn(a, b, c), _turn(a, b, d), _turn(c, d, a), _turn(c, d, b)
    if turns[0] * turns[1] < 0 and turns[2] * turns[3] < 0:
        return True
    pairs = zip(turns, ((a, b, c), (a, b, d), (c, d, a), (c, d, b)), strict=True)
    return any(turn == 0 and _is_between(*points) for turn, points in pairs)


def _is_between(a: Point, b: Point, p: Point) -> bool:
    """Whether a point on the line through a and b is between them."""
    return all(min(one, other) <= at <= max(one, other) for one, other, at in zip(a, b, p, strict=True))


def _folds_back(a: Point, b: Point, c: Point) -> bool:
    ahead = (b[0] - a[0]) * (c[0] - b[0]) + (b[1] - a[1]) * (c[1] - b[1])
    return _turn(a, b, c) == 0 and ahead < 0


def _text(point: Point) -> str:
    return f"{point[0]:g},{point[1]:g}"


def _edge(edge: tuple[Point, Point]) -> str:
    return f"{_text(edge[0])} to {_text(edge[1])}"
