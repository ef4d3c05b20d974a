"""Times, durations and sizes as a person writes and reads them, in the local time of this machine. Pure functions.

A time is written as `2026-11-26 10:15`, `10:15`, `yesterday 10:15` or `2 hours ago`.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from datetime import time as time_of_day

from streamer.errors import ConfigError

FORMS = "'2026-11-26 10:15', '10:15', 'yesterday 10:15' or '2 hours ago'"
"""Examples for messages and help texts."""
_UNITS_S = {"s": 1, "sec": 1, "second": 1, "m": 60, "min": 60, "minute": 60, "h": 3600, "hour": 3600}
_UNITS_S |= {"d": 86_400, "day": 86_400, "w": 604_800, "week": 604_800}
_AGO = re.compile(r"(?P<number>\d+(?:\.\d+)?|an?\b)\s*(?P<unit>[a-z]+?)s?(?:\s+ago)?")
_CLOCK = re.compile(r"\d{1,2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?")
_SHORT_HOUR = re.compile(r"^(\d{4}-\d{2}-\d{2})[ T](\d:)")
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_WEEK_DAYS = 7
_LEAST_DAY_LETTERS = 3


def moment_of(text: str, now: datetime, *, after: datetime | None = None) -> datetime:
    """The moment that a text means.

    A date alone is its midnight. A time of day alone is the last one before `now`, or the first one after `after`. A
    weekday is the last one before today. Seconds since 1970 are written as `@1732700000`.

    Args:
        text: what the user wrote.
        now: with its time zone.
        after: the begin of a span that this moment ends.

    Raises:
        ConfigError: the text is none of these forms.
    """
    words = text.strip().lower()
    if words == "now":
        return now
    for read in (_seconds, _past, _on_a_day):
        found = read(words, now)
        if found is not None:
            return found
    if _CLOCK.fullmatch(words):
        return _at_clock(words, text, now, after)
    try:
        return datetime.fromisoformat(_SHORT_HOUR.sub(r"\1 0\2", text.strip())).astimezone()
    except (ValueError, OverflowError, OSError) as error:
        raise ConfigError(f"{text!r} is no time; write {FORMS}") from error


def local(time_s: float, *, tenths: bool = False) -> str:
    """Seconds since 1970 as `2026-11-26 14:30:05`, local time; with `tenths` also `14:30:05.3`, unless it is 0."""
    moment = datetime.fromtimestamp(time_s)
    tenth = moment.microsecond // 100_000 if tenths else 0
    return f"{moment:%Y-%m-%d %H:%M:%S}" + (f".{tenth}" if tenth else "")


def duration(seconds: float) -> str:
    """`0.4 s`, `12 s`, `3:05 min`, `2:05 h`, `3 d`."""
    if seconds < 9.95:
        return f"{max(seconds, 0):.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02} min" if whole < 600 else f"{whole // 60} min"
    return f"{whole // 3600}:{whole % 3600 // 60:02} h" if whole < 172_800 else f"{whole // 86_400} d"


def size(count: int) -> str:
    """Bytes as `310 KB`, `3.2 MB`, `1.5 GB`; empty for none."""
    for unit, one in (("GB", 1e9), ("MB", 1e6), ("KB", 1e3)):
        if count >= one:
            return f"{count / one:.1f} {unit}" if count < 10 * one else f"{count / one:.0f} {unit}"
    return f"{count} B" if count else ""


def _seconds(words: str, now: datetime) -> datetime | None:
    """`@1732700000`."""
    if not re.fullmatch(r"@\d{1,11}(?:\.\d+)?", words):
        return None
    return datetime.fromtimestamp(float(words[1:]), now.tzinfo)


def _past(words: str, now: datetime) -> datetime | None:
    """`2 hours ago`, `90 min`, `30s`."""
    found = _AGO.fullmatch(words)
    if found is None or found["unit"] not in _UNITS_S:
        return None
    number = 1.0 if found["number"].startswith("a") else float(found["number"])
    try:
        return now - timedelta(seconds=number * _UNITS_S[found["unit"]])
    except OverflowError:
        return None


def _on_a_day(words: str, now: datetime) -> datetime | None:
    """`yesterday 10:15`, `monday`, `today 7:00`."""
    day, _, clock = words.partition(" ")
    if day in ("today", "yesterday"):
        back = int(day == "yesterday")
    else:
        matches = [
            number for number, name in enumerate(_DAYS) if name.startswith(day) and len(day) >= _LEAST_DAY_LETTERS
        ]
        if not matches:
            return None
        back = (now.astimezone().weekday() - matches[0]) % _WEEK_DAYS or _WEEK_DAYS
    at = _clock_of(clock.strip()) if clock else time_of_day()
    return None if at is None else _local(now, at, -back)


def _at_clock(words: str, text: str, now: datetime, after: datetime | None) -> datetime:
    at = _clock_of(words)
    if at is None:
        raise ConfigError(f"{text!r} is no time of day; write one from 0:00 to 23:59:59")
    found = _local(now if after is None else after, at)
    if after is None and found > now:
        return _local(now, at, -1)
    return _local(after, at, 1) if after is not None and found <= after else found


def _clock_of(words: str) -> time_of_day | None:
    if not _CLOCK.fullmatch(words):
        return None
    try:
        return time_of_day.fromisoformat(words.zfill(len(words) + (words.index(":") == 1)))
    except ValueError:
        return None


def _local(day: datetime, at: time_of_day, later_days: int = 0) -> datetime:
    """A time of day on the day of a moment, or so many days later, in local time."""
    return datetime.combine(day.astimezone().date() + timedelta(days=later_days), at).astimezone()
