"""Generated walks across lines, with the exact crossings as shapely finds them on the true path.

The true path of a box goes straight from one resting point to the next. At each resting point it is clear of the line,
so that jitter cannot hide on which side it is. In between, it may touch the line and turn around. It keeps away from
the ends of the line: whether something passes an end on this or that side is not certain with jitter. What is seen of
the path has jitter of up to `jitter` of the box in each coordinate of each corner, frames without the track, and frames
with a wrong class.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st
from shapely.geometry import LinearRing, LineString, Point

from tests.analytics.paths import SIZE, Box, Run, rules

Corner = tuple[float, float]

PERSON, CAR = 0, 1
CLEAR, FAR = 0.3, 0.5
"""Shares of the diagonal of the box: a resting point is so far from the line, and a path from the ends of the line.

With `hysteresis` 0.15 and jitter 0.1, a box that is 20% too large is clear at 0.15 * 1.2 + 0.1 = 0.28.
"""
TOUCH = 0.02
"""A share of the shorter side of the box: a path that turns around so near to the line was never clear behind it."""


@dataclass(frozen=True)
class Walk:
    """What is seen, and what is true.

    Attributes:
        line: points in 0..1.
        frames: the box and the class on each frame; None where the track is not shown.
        directions: of the crossings of the true path, `in` or `out`.
    """

    line: list[Corner]
    frames: list[tuple[Box, int] | None]
    directions: list[str]

    def counted(self) -> list[str]:
        """The crossings that Streamer counts."""
        run = Run(rules(lines=[{"name": "gate", "points": self.line, "classes": ["Person"]}]))
        for index, seen in enumerate(self.frames):
            run.show(index / 25, {} if seen is None else {1: seen[0]}, labels={} if seen is None else {1: seen[1]})
        return list(run.directions)


@dataclass(frozen=True)
class _Maker:
    """Draws the parts of one walk."""

    random: np.random.Generator
    box: Corner
    line: LineString

    @property
    def diagonal_px(self) -> float:
        return float(np.hypot(*self.box))

    def path(self, rests: int) -> list[list[Corner]]:
        """Pieces of the true path, each from one resting point to the next."""
        pieces: list[list[Corner]] = []
        here = self.rest()
        for _ in range(100 * rests):
            there = self.rest()
            turns = self.random.random() < 0.25
            piece = [here, self.touch(), there] if turns else [here, there]
            wanted = turns or net(piece, self.line) or self.random.random() < 0.1
            if wanted and self.is_certain(piece):
                pieces.append(piece)
                here = there
            if len(pieces) == rests:
                break
        return pieces

    def rest(self) -> Corner:
        while True:
            x, y = (self.random.uniform(0.05, 0.95, 2) * SIZE).tolist()
            if self.line.distance(Point(x, y)) > CLEAR * self.diagonal_px:
                return x, y

    def touch(self) -> Corner:
        """A point beside the line, nearer than a box is clear."""
        on = self.line.interpolate(self.random.uniform(0.1, 0.9), normalized=True)
        x, y = self.random.uniform(-1, 1, 2) * TOUCH * min(self.box) / 2
        return on.x + float(x), on.y + float(y)

    def is_certain(self, piece: list[Corner]) -> bool:
        """Whether a piece crosses the line as often as it can be told from what is seen of it."""
        ends = Point(self.line.coords[0]), Point(self.line.coords[-1])
        whole = LineString(piece)
        if any(whole.distance(end) < FAR * self.diagonal_px for end in ends):
            return False
        edges = [edge for step in itertools.pairwise(piece) for edge, _ in crossings(*step, self.line)]
        if len(edges) < 2:
            return True
        # There and back at the point where it touches the line.
        edge = LineString(self.line.coords[edges[0] : edges[0] + 2])
        return edges == [edges[0]] * 2 and edge.distance(Point(piece[1])) <= TOUCH * min(self.box)


def crossings(start: Corner, end: Corner, line: LineString) -> Iterator[tuple[int, int]]:
    """The edges of the line that a straight path crosses, with 1 for to the right, seen along the line, -1 for left."""
    step = LineString([start, end])
    for number, edge in enumerate(itertools.pairwise(line.coords)):
        if step.crosses(LineString(edge)):
            # y points down, so what is counterclockwise in a plot is to the right on the picture.
            yield number, 1 if LinearRing([*edge, end]).is_ccw else -1


def net(piece: list[Corner], line: LineString) -> int:
    """Crossings of a piece to the right less those to the left."""
    return sum(way for step in itertools.pairwise(piece) for _, way in crossings(*step, line))


def _line(random: np.random.Generator, corners: int) -> list[Corner]:
    """The points of a line from the left to the right, from top to bottom, or the other way round."""
    along = np.sort(random.uniform(0.05, 0.95, corners))
    along[[0, -1]] = random.uniform(0, 0.15), random.uniform(0.85, 1)
    points = np.stack((along, random.uniform(0.25, 0.75, corners)), axis=1)
    points = points[:, :: random.choice([1, -1])][:: random.choice([1, -1])]
    return [(float(x), float(y)) for x, y in points]


@st.composite
def walks(draw: st.DrawFn) -> Walk:
    """A walk with its own line, box, speed, jitter, misses and flicker."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    box = draw(st.sampled_from([(24.0, 60.0), (40.0, 60.0), (60.0, 40.0), (30.0, 30.0)]))
    points = _line(random, draw(st.integers(2, 4)))
    maker = _Maker(random, box, LineString([(x * SIZE[0], y * SIZE[1]) for x, y in points]))
    pieces = maker.path(draw(st.integers(1, 5)))
    jitter, missed = draw(st.floats(0, 0.1)), draw(st.floats(0, 0.5))
    extreme, flicker, speed_px = draw(st.booleans()), draw(st.floats(0, 0.45)), draw(st.floats(8, 60))
    frames: list[tuple[Box, int] | None] = []
    wrong = 0
    for (x, y), is_rest in _frames(pieces, speed_px):
        if not is_rest and random.random() < missed:
            frames.append(None)
            continue
        shaken = random.choice([-1, 1], 4) if extreme else random.uniform(-1, 1, 4)
        dx0, dy0, dx1, dy1 = (shaken * jitter * (*box, *box)).tolist()
        shown = sum(one is not None for one in frames)
        # The wrong class is never shown more often than the right one.
        is_wrong = random.random() < flicker and 2 * (wrong + 1) < shown + 1
        wrong += is_wrong
        corners = x - box[0] / 2 + dx0, y - box[1] + dy0, x + box[0] / 2 + dx1, y + dy1
        frames.append((corners, CAR if is_wrong else PERSON))
    sums = [net(piece, maker.line) for piece in pieces]
    return Walk(points, frames, ["in" if one > 0 else "out" for one in sums if one])


def _frames(pieces: list[list[Corner]], speed_px: float) -> Iterator[tuple[Corner, bool]]:
    """The true points, frame by frame, and whether each is a resting point."""
    for number, piece in enumerate(pieces):
        path = LineString(piece)
        for away in np.arange(0, path.length, speed_px).tolist():
            at = path.interpolate(away)
            if number == 0 or away:
                yield (at.x, at.y), away == 0
        yield piece[-1], True
