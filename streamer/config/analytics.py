"""Settings of lines and zones. Any thread may read them."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Sequence
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from streamer.config.camera_watch import CameraWatchSettings
from streamer.config.section import Section

Point = tuple[float, float]
_NAME = re.compile(r"[^\s=,][^=,\n\r]{0,63}")


class RuleSettings(Section):
    """What a line and a zone have in common."""

    name: str
    """In events, reports and on the picture. No other line or zone of the stream has it."""
    points: tuple[Point, ...]
    """x, y in 0..1 of the width and height of the frame, from its upper left corner."""
    anchor: Literal["bottom", "centre", "top"] = "bottom"
    """The point of a box that counts: the middle of its lower edge, its centre, or the middle of its upper edge."""
    hysteresis: float = Field(default=0.15, ge=0, le=1)
    """How far beyond an edge the anchor must be before it counts as across, as a share of the box."""
    classes: tuple[str, ...] = ()
    """Classes that count, each with the classes below it; all if empty."""

    @field_validator("name")
    @classmethod
    def _is_name(cls, value: str) -> str:
        if not _NAME.fullmatch(value):
            raise ValueError("a name has 1 to 64 characters, without = and ,")
        return value

    @field_validator("points")
    @classmethod
    def _are_in_the_picture(cls, value: tuple[Point, ...]) -> tuple[Point, ...]:
        for x, y in value:
            if not (0 <= x <= 1 and 0 <= y <= 1):
                raise ValueError(f"the point {x:g},{y:g} is outside the picture; x and y are in 0..1")
        for one, other in itertools.pairwise(value):
            if one == other:
                raise ValueError(f"the point {one[0]:g},{one[1]:g} is given twice in a row; leave one out")
        return value


class LineSettings(RuleSettings):
    """A line of two or more points. Crossings are counted by direction, as seen from the first point to the last.

    `in` is from the left hand to the right hand: downwards, for a line that is drawn from left to right.
    """

    @field_validator("points")
    @classmethod
    def _is_line(cls, value: tuple[Point, ...]) -> tuple[Point, ...]:
        if len(value) < 2:
            raise ValueError(f"a line has at least two points, not {len(value)}")
        return value


class ZoneSettings(RuleSettings):
    """An area with three or more corners."""

    enter_s: float = Field(default=0.2, ge=0, le=3600)
    """How long a track must be inside before it has entered, seconds."""
    leave_s: float = Field(default=1.0, ge=0, le=3600)
    """How long a track must be outside, or not be shown, before it has left, seconds."""
    dwell_s: float | None = Field(default=None, gt=0)
    """After so long inside there is an event `dwell`, once for each stay; none if null."""

    @field_validator("points")
    @classmethod
    def _is_polygon(cls, value: tuple[Point, ...]) -> tuple[Point, ...]:
        if len(value) > 1 and value[0] == value[-1]:  # closed, as GeoJSON writes it
            value = value[:-1]
        if len(value) < 3:
            raise ValueError(f"a zone has at least three points, not {len(value)}")
        edges = list(zip(value, (*value[1:], value[0]), strict=True))
        for (i, one), (j, other) in itertools.combinations(enumerate(edges), 2):
            if j - i in (1, len(edges) - 1):
                first, second = (one, other) if j - i == 1 else (other, one)
                if _folds_back(first[0], first[1], second[1]):
                    raise ValueError(f"the polygon folds back on itself at {_text(first[1])}")
            elif _meet(*one, *other):
                raise ValueError(f"the polygon crosses itself: {_edge(one)} and {_edge(other)}")
        return value


class AnalyticsSettings(Section):
    """Lines and zones, which count the tracks that are shown."""

    lines: tuple[LineSettings, ...] = ()
    zones: tuple[ZoneSettings, ...] = ()
    camera: CameraWatchSettings = CameraWatchSettings()

    @model_validator(mode="after")
    def _have_own_names(self) -> Self:
        names = [rule.name for rule in self.rules]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two lines or zones have the name {name!r}; give each its own")
        return self

    @property
    def rules(self) -> Sequence[RuleSettings]:
        """All lines, then all zones."""
        return (*self.lines, *self.zones)


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
