"""Times, durations and sizes as a person reads them, in local time. Pure functions; any thread."""

from __future__ import annotations

from datetime import datetime


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
