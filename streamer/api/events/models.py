"""What clients ask and get about events. Immutable values; any thread."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints

from streamer.api.openapi import BASE
from streamer.api.operation import Answer, Values
from streamer.store.event_json import event_json
from streamer.store.records import Ending, EventFilter, EventRecord
from streamer.store.rows import PATHS
from streamer.values.events import EventKind

FILES = {
    "clip": ("clip.mp4", "video/mp4"),
    "annotated": ("annotated.mp4", "video/mp4"),
    "snapshot": ("snapshot.jpg", "image/jpeg"),
    "crop": ("crop.jpg", "image/jpeg"),
    "boxes": ("boxes.json", "application/json"),
}
"""Name in the URL and media type of a file, by the field of the record."""
MOST_NAMES = 100


FIRST_YEAR, LAST_YEAR = 1970, 9998


def _moment(value: datetime) -> datetime:
    """A time with its offset, of a year that every computation of times can represent."""
    if not FIRST_YEAR <= value.year <= LAST_YEAR:
        raise ValueError(f"the year is not in {FIRST_YEAR}..{LAST_YEAR}")
    return value if value.tzinfo is not None else value.replace(tzinfo=UTC)


Name = Annotated[str, StringConstraints(max_length=255)]
Names = Annotated[tuple[Name, ...], Field(max_length=MOST_NAMES)]
Time = Annotated[datetime, AfterValidator(_moment)]


class EventsFilter(Values):
    """Which events. A name that is given several times means any of its values."""

    camera: Names = ()
    kind: Annotated[tuple[EventKind, ...], Field(max_length=MOST_NAMES)] = ()
    """How the events began."""
    label: Names = ()
    """Classes of objects."""
    rule: Names = ()
    """Lines, zones and other rules."""
    zone: Names = ()
    """Zones in which the object has been."""
    since: Time | None = None
    """Started then or later. UTC if no offset is given."""
    until: Time | None = None
    """Started before then."""
    favourite: bool | None = None
    text: Name = ""
    """A part of camera, rule, class or text; upper and lower case are equal."""

    def wanted(self) -> EventFilter:
        """The filter of the store."""
        return EventFilter(
            cameras=self.camera,
            rules=self.rule,
            labels=self.label,
            kinds=self.kind,
            zones=self.zone,
            since=None if self.since is None else self.since.timestamp(),
            until=None if self.until is None else self.until.timestamp(),
            favourite=self.favourite,
            text=self.text,
        )


class ListQuery(EventsFilter):
    """A page of events, the newest first."""

    limit: int = Field(default=100, ge=1, le=500)
    after: Name | None = None
    """`next` of the page before."""


class TimelineQuery(EventsFilter):
    """The numbers of events over time. Without times: the last 24 hours."""

    bins: int = Field(default=96, ge=1, le=1000)
    """Equal parts of the time span."""


class FileQuery(Values):
    """How a file is sent."""

    download: bool = False
    """As an attachment, with a name that tells camera and time."""


class EventPatch(Values):
    """What can be changed of an event."""

    favourite: bool
    """Favourites are never deleted by age, size or free space."""


class EventFiles(Answer):
    """URLs of the files of an event; null where there is none (yet)."""

    clip: str | None
    annotated: str | None
    boxes: str | None
    snapshot: str | None
    crop: str | None


class EventAnswer(Answer):
    """One event, with the keys of `streamer events list --json` and the URLs of its files."""

    id: str
    camera: str
    rule: str
    kind: EventKind
    label: str
    track: int
    direction: str
    start_time: str
    end_time: str | None
    """null while the event lasts."""
    duration_s: float | None
    start_s: float
    end_s: float | None
    zones: list[str]
    score: float | None
    value: int | None
    text: str
    revision: int
    ending: Ending | None
    clip: str | None
    annotated: str | None
    boxes: str | None
    snapshot: str | None
    crop: str | None
    clip_start_time: str | None
    clip_duration_s: float | None
    clip_note: str
    bytes: int
    favourite: bool
    files: EventFiles

    @classmethod
    def of(cls, record: EventRecord) -> Self:
        """The answer for a record."""
        urls = {
            name: f"{BASE}/events/{record.id}/{FILES[name][0]}" if getattr(record, name) else None for name in PATHS
        }
        return cls(**event_json(record), files=EventFiles(**urls))


class EventList(Answer):
    """A page of events, the newest first."""

    events: list[EventAnswer]
    next: str | None
    """`after` of the next page; null on the last one."""
    stored: bool = True
    """false: this site stores no events; set `store.folder` in its settings file."""


class EventNames(Answer):
    """The values that stored events have, for filters."""

    cameras: list[str]
    labels: list[str]
    rules: list[str]
    zones: list[str]
    kinds: list[EventKind]


class Timeline(Answer):
    """How many events started in each part of a time span."""

    since: str
    until: str
    bins: int
    cameras: dict[str, list[int]]
    """By camera, one number for each part; of cameras without events, nothing."""


class EventId(Answer):
    """An event that is gone."""

    id: str


class EventChange(Answer):
    """An event that was stored, has changed, or is gone."""

    change: Literal["saved", "removed"]
    event: EventAnswer | EventId
