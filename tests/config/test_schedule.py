"""Times of the week."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from streamer.config.schedule import ScheduleSettings
from streamer.config.section import validated
from streamer.errors import ConfigError

BERLIN = "Europe/Berlin"


def contains(when: str, **settings: Any) -> bool:
    span = validated(ScheduleSettings, {"timezone": BERLIN, **settings}, "quiet")
    return span.contains(datetime.fromisoformat(when).replace(tzinfo=ZoneInfo(BERLIN)).timestamp())


@pytest.mark.parametrize(
    ("when", "settings", "expected"),
    [
        ("2026-11-26 12:00", {}, True),
        ("2026-11-26 23:59", {}, True),
        ("2026-11-26 12:00", {"days": ["thu"]}, True),
        ("2026-11-26 12:00", {"days": ["Friday", "sat"]}, False),
        ("2026-11-26 08:00", {"start": "08:00", "end": "17:30"}, True),
        ("2026-11-26 17:30", {"start": "08:00", "end": "17:30"}, False),
        ("2026-11-26 23:00", {"start": 1320, "end": "06:00", "days": ["thu"]}, True),  # 22:00 in YAML
        ("2026-11-27 05:59", {"start": 1320, "end": "06:00", "days": ["thu"]}, True),
        ("2026-11-27 06:00", {"start": 1320, "end": "06:00", "days": ["thu"]}, False),
        ("2026-11-27 23:00", {"start": 1320, "end": "06:00", "days": ["thu"]}, False),
        ("2026-11-26 05:00", {"start": 1320, "end": "06:00", "days": ["thu"]}, False),
        ("2026-10-25 03:30", {"start": "3:00", "end": "4:00"}, True),  # summer time ends
    ],
)
def test_a_span_contains_local_times(when: str, settings: dict[str, Any], expected: bool) -> None:
    assert contains(when, **settings) is expected


def test_the_time_zone_is_that_of_the_setting() -> None:
    noon = datetime(2026, 11, 26, 12, tzinfo=ZoneInfo("UTC")).timestamp()
    assert ScheduleSettings(start="20:00", end="22:00", timezone="Asia/Tokyo").contains(noon)
    assert not ScheduleSettings(start="20:00", end="22:00", timezone="UTC").contains(noon)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"start": "25:00"}, "a time is between 00:00 and 24:00, not 25:00"),
        ({"start": "8 o'clock"}, "a time is between"),
        ({"days": ["moonday", "xyz"]}, "no day 'moonday'|no day 'xyz'"),
        ({"days": "mon"}, "give a list of days"),
        ({"timezone": "Europe/Berln"}, "no time zone 'Europe/Berln'"),
        ({"timezone": "../etc"}, "no time zone"),
        ({"start": "08:00", "end": "8:00"}, "the span from 08:00 to 08:00 never applies"),
    ],
)
def test_wrong_spans_are_refused(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        validated(ScheduleSettings, settings, "quiet")


@pytest.mark.parametrize(
    ("clock", "inside"), [("22:29", False), ("22:30", True), ("06:14", True), ("06:15", False), ("12:00", False)]
)
def test_a_night_has_its_first_minute_and_not_its_end(clock: str, inside: bool) -> None:
    assert contains(f"2026-11-26T{clock}", start="22:30", end="06:15") is inside


@pytest.mark.parametrize(("days", "saying"), [(["monkey"], "no day 'monkey'"), ([], "without days a schedule never")])
def test_days_that_do_not_exist_are_refused(days: list[str], saying: str) -> None:
    with pytest.raises(ConfigError, match=saying):
        validated(ScheduleSettings, {"days": days}, "quiet")
