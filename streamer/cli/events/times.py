"""Times as a person writes and reads them, in local time. Pure functions; any thread."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from streamer.errors import ConfigError

_UNITS = {"s": 1, "sec": 1, "second": 1, "m": 60, "min": 60, "minute": 60, "h": 3600, "hour": 3600}
_UNITS |= {"d": 86_400, "day": 86_400, "w": 604_800, "week": 604_800}
_AGO = re.compile(r"(\d+(?:\.\d+)?|an?)\s*([a-z]+?)s?(?:\s+ago)?")
_CLOCK = re.compile(r"\d{1,2}:\d{2}(?::\d{2})?")
_FORMS = "'2 hours ago', 'today', 'yesterday', '14:30', '2026-11-26' or '2026-11-26 14:30'"


def parse_time(text: str, option: str, *, now: datetime | None = None) -> float:
    """A time as seconds since 1970.

    Args:
        text: `2 hours ago`, `90min`, `today`, `yesterday`, `now`, `14:30` of today, or ISO 8601; without a time zone
            it is local time.
        option: that was given, for the message.
        now: the present time; local time.

    Raises:
        ConfigError: it has another form.
    """
    present = (now or datetime.now()).astimezone()
    words = " ".join(text.split()).casefold()
    midnight = present.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    days = {"today": midnight, "yesterday": midnight - timedelta(days=1), "now": present}
    try:
        if words in days:
            return days[words].timestamp()
        if (ago := _AGO.fullmatch(words)) and ago[2] in _UNITS:
            number = 1.0 if ago[1].startswith("a") else float(ago[1])
            return present.timestamp() - number * _UNITS[ago[2]]
        if _CLOCK.fullmatch(words):
            return datetime.fromisoformat(f"{midnight.date()} {'0' * (words[1] == ':')}{words}").timestamp()
        return datetime.fromisoformat(text.strip()).timestamp()
    except (ValueError, OverflowError, OSError) as error:
        raise ConfigError(f"{option} takes {_FORMS}, not {text!r}") from error


def local(time_s: float) -> str:
    """Seconds since 1970 as `2026-11-26 14:30:05`, local time."""
    return f"{datetime.fromtimestamp(time_s):%Y-%m-%d %H:%M:%S}"


def duration(seconds: float) -> str:
    """`0.4 s`, `12 s`, `3:05 min`, `2:05 h`, `3 d`."""
    if seconds < 9.95:
        return f"{max(seconds, 0):.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02} min"
    return f"{whole // 3600}:{whole % 3600 // 60:02} h" if whole < 172_800 else f"{whole // 86_400} d"


def size(count: int) -> str:
    """Bytes as `310 KB`, `3.2 MB`, `1.5 GB`; empty for none."""
    for unit, one in (("GB", 1e9), ("MB", 1e6), ("KB", 1e3)):
        if count >= one:
            return f"{count / one:.1f} {unit}" if count < 10 * one else f"{count / one:.0f} {unit}"
    return f"{count} B" if count else ""
