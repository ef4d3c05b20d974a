"""The values of the event store. Immutable; any thread may read them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from streamer.values.events import EventKind, EventPhase


class Ending(StrEnum):
    """Why a stored event ended."""

    RULE = "rule"
    """The rule ended it, such as a track that left a zone."""
    RUN = "run"
    """The run ended, or was stopped."""
    KILLED = "killed"
    """The program did not end the event; the next start did."""


@dataclass(frozen=True, slots=True)
class EventRecord:
    """One stored event, as it is now.

    Attributes:
        id: unique over all programs, 26 characters (ULID); ids sort by the time at which they were made.
        camera, rule, label: names; `label` is empty if the event is not about a track.
        kind: of its start.
        track: id of the track in its run; 0 if the event is not about one.
        direction: of a crossing, `in` or `out`; else empty.
        start_time, end_time: seconds since 1970 (UTC); of a file that is not live, the start of the run plus the media
            time. `end_time` is None while the event lasts.
        start_s, end_s: media times of its run, seconds.
        zones: names of the zones in which the track has been.
        score: highest score of the track, 0..1; None if the event is not about one.
        value: the highest number of objects of `above`, the lowest of `below`; else None.
        text: more for a person, one line.
        revision: 1 for the start, +1 for each update and for the end.
        ending: why it ended; None while it lasts.
        clip, annotated, boxes, snapshot, crop: paths of its files, relative to the folder of the store, with /; empty
            if there is none (yet).
        clip_start_time, clip_duration_s: of the clip; None without one.
        clip_note: why the clip is shorter than the settings ask for, one line; else empty.
        bytes: size of its files.
        favourite: is not deleted by age, size or free space.
    """

    id: str
    camera: str
    rule: str
    kind: EventKind
    start_time: float
    start_s: float
    track: int = 0
    label: str = ""
    direction: str = ""
    end_time: float | None = None
    end_s: float | None = None
    zones: tuple[str, ...] = ()
    score: float | None = None
    value: int | None = None
    text: str = ""
    revision: int = 1
    ending: Ending | None = None
    clip: str = ""
    annotated: str = ""
    boxes: str = ""
    snapshot: str = ""
    crop: str = ""
    clip_start_time: float | None = None
    clip_duration_s: float | None = None
    clip_note: str = ""
    bytes: int = 0
    favourite: bool = False


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message that waits for one target. The rows of a target are delivered in the order of their numbers.

    Attributes:
        number: of the row; rises with the time of its transaction.
        target: name of the target in the settings.
        event_id: receivers drop messages with an `event_id` and `revision` that they have.
        phase: the part of the event that the message tells; `None` for a file of it that has become complete.
        event: the record as it was then.
        attempts: how often it was tried.
        error: of the last attempt, one line; empty before it.
        files: fields of the record whose files have become complete, such as `clip`; empty if `phase` is not None.
        time: of its transaction, seconds since 1970.
    """

    number: int
    target: str
    event_id: str
    phase: EventPhase | None
    event: EventRecord
    attempts: int = 0
    error: str = ""
    files: tuple[str, ...] = ()
    time: float = 0.0


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events a query returns; None and empty mean all.

    Attributes:
        cameras, rules, labels, kinds: names.
        zones: names; of events whose `zones` have one of them.
        since, until: of `start_time`, seconds since 1970; `until` is excluded.
        favourite: only favourites, or only others.
        open: only events that last, or only those that have ended.
        text: part of camera, rule, label or text.
    """

    cameras: tuple[str, ...] = field(default=())
    rules: tuple[str, ...] = field(default=())
    labels: tuple[str, ...] = field(default=())
    kinds: tuple[EventKind, ...] = field(default=())
    zones: tuple[str, ...] = field(default=())
    since: float | None = None
    until: float | None = None
    favourite: bool | None = None
    open: bool | None = None
    text: str = ""
