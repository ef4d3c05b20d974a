"""What the rules of a stream found on a frame: events, and the counts of each line and zone. Immutable; any thread."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

Points = tuple[tuple[float, float], ...]
"""x, y in 0..1 of the width and height of the upright frame; x points right, y down."""


class EventKind(StrEnum):
    """What happened."""

    CROSSING = "crossing"
    """A track crossed a line."""
    ENTER = "enter"
    """A track entered a zone."""
    LEAVE = "leave"
    """A track left a zone, or is no longer shown."""
    DWELL = "dwell"
    """A track has been in a zone for `dwell_s`."""
    APPEAR = "appear"
    """An object of a class is shown."""
    DISAPPEAR = "disappear"
    """It is no longer shown."""
    ABOVE = "above"
    """More objects than a limit are shown, or are in a zone."""
    BELOW = "below"
    """Fewer objects than a limit are shown, or are in a zone."""
    NORMAL = "normal"
    """The number of objects is within its limits again."""
    CAMERA_LOST = "camera_lost"
    """The camera sends no frames."""
    CAMERA_BACK = "camera_back"
    """It sends frames again."""
    CAMERA_MOVED = "camera_moved"
    """The camera shows another view."""
    CAMERA_COVERED = "camera_covered"
    """The camera shows no details: it is covered, blinded or out of focus."""
    CAMERA_CLEAR = "camera_clear"
    """It shows details again."""


class EventPhase(StrEnum):
    """The part of a stored event that an `Event` is."""

    MOMENT = "moment"
    """It has no duration: the event starts and ends here."""
    START = "start"
    UPDATE = "update"
    END = "end"


class Direction(StrEnum):
    """The direction of a crossing, seen from the first point of the line towards its last point."""

    IN = "in"
    """From the left hand to the right hand: downwards, for a line that is drawn from left to right."""
    OUT = "out"
    """From the right hand to the left hand."""


def counted_as(kind: EventKind, direction: Direction | None = None) -> str:
    """The name under which `RunStats` counts events: `crossing in`, `crossing out`, `enter`, `leave`, `dwell`."""
    return kind.value if direction is None else f"{kind} {direction}"


CROSSINGS = tuple(counted_as(EventKind.CROSSING, direction) for direction in Direction)
"""Crossings `in` and `out`, as they are counted."""
COUNTED = (*CROSSINGS, *(counted_as(kind) for kind in EventKind if kind is not EventKind.CROSSING))
"""All names under which events are counted, with the name of the rule as the cause."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event.

    Attributes:
        rule: name of the rule, such as a line or zone.
        kind: what happened.
        track: id of the track; 0 if the event is not about one.
        label: name of its class, the most frequent one so far; empty if the event is not about a track.
        time_s: media time, seconds. Of a crossing: interpolated between two frames. Of `enter` and `leave`: the first
            and the last frame inside. Of `dwell`: the frame on which the time was reached. Of `appear` and
            `disappear`: the first and the last frame that shows one. Of `above`, `below` and `normal`: the first frame
            with that number.
        camera: name of the stream in a program that runs several, else of the source.
        direction: of a crossing; else None.
        inside_s: how long the track has been in the zone, seconds; None for a crossing.
        phase: part of a stored event. `enter` starts one, which `dwell` updates and `leave` ends. `above` and `below`
            start one, update it with each further extreme, and `normal` ends it.
        number: of the stored event in its run, from 1; start, updates and end have the same. 0 if it is not stored.
        score: highest score of the track so far, 0..1; None if the event is not about a track.
        value: the number of objects of `above`, `below` and `normal`; else None.
        zones: names of the zones in which the track is.
        text: more for a person, one line: why a camera is lost.
    """

    rule: str
    kind: EventKind
    track: int
    label: str
    time_s: float
    camera: str
    direction: Direction | None = None
    inside_s: float | None = None
    phase: EventPhase = EventPhase.MOMENT
    number: int = 0
    score: float | None = None
    value: int | None = None
    zones: tuple[str, ...] = ()
    text: str = ""


@dataclass(frozen=True, slots=True)
class LineState:
    """A line, with its crossings since the start of the run."""

    name: str
    points: Points
    entered: int
    left: int


@dataclass(frozen=True, slots=True)
class ZoneState:
    """A zone, with the tracks in it now and those that have entered since the start of the run.

    Attributes:
        name, points: of its settings.
        inside: tracks that have entered and not left.
        entered: stays since the start of the run.
        level: NORMAL, or ABOVE or BELOW while the tracks inside are beyond a limit.
    """

    name: str
    points: Points
    inside: int
    entered: int
    level: EventKind = EventKind.NORMAL


@dataclass(frozen=True, slots=True)
class CountState:
    """The number of objects that a rule of `counts` counts on this frame.

    Attributes:
        name: of the rule.
        number: objects that are shown.
        level: NORMAL, or ABOVE or BELOW while the number is beyond a limit.
    """

    name: str
    number: int
    level: EventKind = EventKind.NORMAL


@dataclass(frozen=True, slots=True)
class PresenceState:
    """A rule of `presence`, and whether an object has appeared and not disappeared."""

    name: str
    present: bool


@dataclass(frozen=True, slots=True)
class Watched:
    """The result of all rules for one frame.

    Attributes:
        events: that became certain on this frame; their `time_s` may be earlier.
        lines, zones, counts, presence: in the order of the settings.
    """

    events: tuple[Event, ...] = ()
    lines: tuple[LineState, ...] = ()
    zones: tuple[ZoneState, ...] = ()
    counts: tuple[CountState, ...] = ()
    presence: tuple[PresenceState, ...] = ()


NOTHING_WATCHED = Watched()
"""The result of a stream without rules."""
