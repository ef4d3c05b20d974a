"""Times of the week, for rules that are not always active and for quiet hours. Any thread may read them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pydantic import field_validator, model_validator

from streamer.config.section import Section
from streamer.system.suggestions import did_you_mean

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_LONG = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_TIME = re.compile(r"(\d{1,2}):(\d{2})")
_DAY_MIN = 24 * 60


class ScheduleSettings(Section):
    """A span of each day, such as `{days: [mon, fri], start: 22:00, end: 06:00, timezone: Europe/Berlin}`."""

    days: tuple[Day, ...] = DAYS
    """On which days it starts: mon, tue, wed, thu, fri, sat, sun."""
    start: str = "00:00"
    """Local time, hours and minutes."""
    end: str = "24:00"
    """Local time, excluded. At or before `start`: on the next day."""
    timezone: str | None = None
    """A name such as Europe/Berlin; null: that of the machine."""

    @field_validator("days", mode="before")
    @classmethod
    def _in_short(cls, value: object) -> object:
        if not isinstance(value, list | tuple):
            raise ValueError("give a list of days, such as [mon, tue]")
        days = tuple(one[:3].lower() if isinstance(one, str) else one for one in value)
        for given, day in zip(value, days, strict=True):
            if day not in DAYS or (str(given).casefold() not in (day, *_LONG)):
                raise ValueError(f"no day {given!r}; the days are {', '.join(DAYS)}")
        if not days:
            raise ValueError("without days a schedule never applies; leave days out for all of them")
        return days

    @field_validator("start", "end", mode="before")
    @classmethod
    def _as_time(cls, value: object) -> str:
        # YAML 1.1 reads 22:00 without quotes as a number to the base of 60, but not 06:00.
        is_number = isinstance(value, int) and not isinstance(value, bool)
        text = f"{value // 60:02}:{value % 60:02}" if is_number else str(value)  # type: ignore[operator]
        match = _TIME.fullmatch(text)
        if match is None or int(match[2]) > 59 or _minutes(text) > _DAY_MIN:
            raise ValueError(f"a time is between 00:00 and 24:00, not {value}")
        return f"{int(match[1]):02}:{match[2]}"

    @field_validator("timezone")
    @classmethod
    def _is_known(cls, value: str | None) -> str | None:
        try:
            if value is not None:
                ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            example = "give a name such as Europe/Berlin or UTC"
            near = did_you_mean(value or "", available_timezones(), otherwise=example, cutoff=0.7)
            raise ValueError(f"no time zone {value!r}; {near}") from error
        return value

    @model_validator(mode="after")
    def _is_no_moment(self) -> Self:
        if self.start == self.end:
            raise ValueError(f"the span from {self.start} to {self.end} never applies; leave both out for whole days")
        return self

    def contains(self, time_s: float) -> bool:
        """Whether a time, seconds since 1970, is within the span."""
        zone = ZoneInfo(self.timezone) if self.timezone is not None else None
        local = datetime.fromtimestamp(time_s, UTC).astimezone(zone)
        minute = local.hour * 60 + local.minute
        start, end = _minutes(self.start), _minutes(self.end)
        if start < end:
            return start <= minute < end and self._starts_on(local)
        return (minute >= start and self._starts_on(local)) or (
            minute < end and self._starts_on(local - timedelta(days=1))
        )

    def _starts_on(self, local: datetime) -> bool:
        return DAYS[local.weekday()] in self.days


def _minutes(text: str) -> int:
    hours, _, minutes = text.partition(":")
    return int(hours) * 60 + int(minutes)
