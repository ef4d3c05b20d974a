"""Settings of lines, zones, counts and presence. Any thread may read them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from streamer.config.analytics.camera_watch import CAMERA_RULE, CameraWatchSettings
from streamer.config.analytics.shapes import Points, check_line, check_points, check_polygon
from streamer.config.schedule import ScheduleSettings
from streamer.config.section import Section

_NAME = re.compile(r"[^\s=,][^=,\n\r]{0,63}")


class RuleSettings(Section):
    """What all rules have in common."""

    name: str
    """In events, reports and on the picture. No other rule of the stream has it."""
    classes: tuple[str, ...] = ()
    """Classes that count, each with the classes below it; all if empty."""
    min_score: float = Field(default=0.0, ge=0, le=1)
    """A track counts once its score, averaged over about a second, has been so high."""
    min_age_s: float = Field(default=0.0, ge=0, le=3600)
    """A track counts once it has been shown for so long, seconds."""
    schedule: tuple[ScheduleSettings, ...] | None = None
    """The spans of time in which the rule applies, for live sources; always if null."""

    @property
    def delay_s(self) -> float:
        """How long after its start an event of the rule is certain, at most, seconds."""
        return self.min_age_s

    @field_validator("name")
    @classmethod
    def _is_name(cls, value: str) -> str:
        if not _NAME.fullmatch(value):
            raise ValueError("a name has 1 to 64 characters, without = and ,")
        return value

    @field_validator("schedule")
    @classmethod
    def _applies(cls, value: tuple[ScheduleSettings, ...] | None) -> tuple[ScheduleSettings, ...] | None:
        if value == ():
            raise ValueError("an empty schedule never applies; leave it out for always")
        return value


class ShapeSettings(RuleSettings):
    """What lines and zones have in common."""

    points: Annotated[Points, AfterValidator(check_points)]
    """x, y in 0..1 of the width and height of the frame, from its upper left corner."""
    anchor: Literal["bottom", "centre", "top"] = "bottom"
    """The point of a box that counts: the middle of its lower edge, its centre, or the middle of its upper edge."""
    hysteresis: float = Field(default=0.15, ge=0, le=1)
    """How far beyond an edge the anchor must be before it counts as across, as a share of the box."""


class LineSettings(ShapeSettings):
    """A line of two or more points. Crossings are counted by direction, as seen from the first point to the last.

    `in` is from the left hand to the right hand: downwards, for a line that is drawn from left to right.
    """

    points: Annotated[Points, AfterValidator(check_points), AfterValidator(check_line)]


class LimitSettings(RuleSettings):
    """What rules with limits of a number of objects have in common."""

    for_s: float = Field(default=1.0, ge=0, le=86400)
    """How long the number must be beyond a limit before that is an event, or within the limits before it ends."""

    @property
    def limits(self) -> tuple[int | None, int | None]:
        """The least and the largest number that is no event; None for no limit."""
        raise NotImplementedError

    @property
    def delay_s(self) -> float:
        return self.min_age_s + (0.0 if self.limits == (None, None) else self.for_s)

    def _check(self, low: str, high: str) -> None:
        least, most = self.limits
        if least is not None and most is not None and least > most:
            raise ValueError(f"{low} is {least}, more than {high}, which is {most}")


class ZoneSettings(ShapeSettings, LimitSettings):
    """An area with three or more corners."""

    points: Annotated[Points, AfterValidator(check_points), AfterValidator(check_polygon)]
    enter_s: float = Field(default=0.2, ge=0, le=3600)
    """How long a track must be inside before it has entered, seconds."""
    leave_s: float = Field(default=1.0, ge=0, le=3600)
    """How long a track must be outside, or not be shown, before it has left, seconds."""
    dwell_s: float | None = Field(default=None, gt=0)
    """After so long inside there is an event `dwell`, once for each stay; none if null."""
    max_inside: int | None = Field(default=None, ge=0)
    """More tracks inside, for `for_s`, are an event `above`, which ends with `normal`; no limit if null."""
    min_inside: int | None = Field(default=None, ge=1)
    """Fewer tracks inside, for `for_s`, are an event `below`, which ends with `normal`; no limit if null."""

    @property
    def limits(self) -> tuple[int | None, int | None]:
        return self.min_inside, self.max_inside

    @property
    def delay_s(self) -> float:
        return max(super().delay_s, self.min_age_s + self.enter_s)

    @model_validator(mode="after")
    def _has_a_range(self) -> Self:
        self._check("min_inside", "max_inside")
        return self


class CountSettings(LimitSettings):
    """The number of objects in the picture."""

    max_count: int | None = Field(default=None, ge=0)
    """More objects, for `for_s`, are an event `above`, which ends with `normal`; no limit if null."""
    min_count: int | None = Field(default=None, ge=1)
    """Fewer objects, for `for_s`, are an event `below`, which ends with `normal`; no limit if null."""

    @property
    def limits(self) -> tuple[int | None, int | None]:
        return self.min_count, self.max_count

    @model_validator(mode="after")
    def _has_a_range(self) -> Self:
        self._check("min_count", "max_count")
        return self


class PresenceSettings(RuleSettings):
    """Whether at least one object is in the picture."""

    appear_s: float = Field(default=0.2, ge=0, le=3600)
    """How long an object must be shown before there is an event `appear`, seconds."""
    disappear_s: float = Field(default=5.0, ge=0, le=3600)
    """How long none must be shown before it ends with `disappear`, seconds."""

    @property
    def delay_s(self) -> float:
        return self.min_age_s + self.appear_s


class AnalyticsSettings(Section):
    """Rules that watch the tracks that are shown."""

    lines: tuple[LineSettings, ...] = ()
    zones: tuple[ZoneSettings, ...] = ()
    counts: tuple[CountSettings, ...] = ()
    presence: tuple[PresenceSettings, ...] = ()
    camera: CameraWatchSettings = CameraWatchSettings()

    @model_validator(mode="after")
    def _have_own_names(self) -> Self:
        names = [rule.name for rule in self.rules]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two rules have the name {name!r}; give each its own")
            if name == CAMERA_RULE:
                raise ValueError(f"{name!r} is the rule of events about the camera itself; give it another name")
        return self

    @property
    def rules(self) -> Sequence[RuleSettings]:
        """All lines, then all zones, counts and presence."""
        return (*self.lines, *self.zones, *self.counts, *self.presence)

    @property
    def delay_s(self) -> float:
        """How long after its start an event is certain, at most, seconds."""
        return max([*(rule.delay_s for rule in self.rules), self.camera.delay_s])

    def by_path(self) -> Iterator[tuple[str, RuleSettings]]:
        """Each rule with the path of its settings: `analytics.zones.0`."""
        for section in ("lines", "zones", "counts", "presence"):
            for at, rule in enumerate(getattr(self, section)):
                yield f"analytics.{section}.{at}", rule
