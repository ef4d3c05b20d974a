"""Times as a person writes and reads them."""

from __future__ import annotations

from datetime import datetime

import pytest

from streamer.cli.events.times import duration, local, parse_time, size
from streamer.errors import ConfigError

NOW = datetime(2026, 11, 26, 22, 15, 3)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2 hours ago", "2026-11-26 20:15:03"),
        ("an hour ago", "2026-11-26 21:15:03"),
        ("90min", "2026-11-26 20:45:03"),
        ("30 s", "2026-11-26 22:14:33"),
        ("1.5h", "2026-11-26 20:45:03"),
        ("7 days ago", "2026-11-19 22:15:03"),
        ("1 week", "2026-11-19 22:15:03"),
        ("today", "2026-11-26 00:00:00"),
        ("Yesterday", "2026-11-25 00:00:00"),
        ("now", "2026-11-26 22:15:03"),
        ("14:30", "2026-11-26 14:30:00"),
        ("9:05", "2026-11-26 09:05:00"),
        ("09:05:07", "2026-11-26 09:05:07"),
        ("2026-10-01", "2026-10-01 00:00:00"),
        ("2026-10-01 14:30", "2026-10-01 14:30:00"),
        ("2026-10-01T14:30:05", "2026-10-01 14:30:05"),
    ],
)
def test_a_time_is_read_as_local_time(text: str, expected: str) -> None:
    assert local(parse_time(text, "--since", now=NOW)) == expected


def test_a_time_with_a_zone_is_that_moment() -> None:
    assert parse_time("2026-11-26T12:00:00Z", "--since") == 1_795_694_400.0
    assert parse_time("2026-11-26 13:00+01:00", "--since") == 1_795_694_400.0


@pytest.mark.parametrize("text", ["", "tomorow", "25:00", "2 parsecs ago", "2026-13-01", "hours ago"])
def test_another_text_is_refused_with_examples(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^--until takes '2 hours ago', 'today'.* not '"):
        parse_time(text, "--until")


def test_durations_and_sizes_are_short() -> None:
    assert [*map(duration, (0.04, 9.94, 9.96, 59.4, 59.6, 185, 3599, 7500, 86_400, 400_000))] == [
        "0.0 s", "9.9 s", "10 s", "59 s", "1:00 min", "3:05 min", "59 min", "2:05 h", "24:00 h", "4 d",
    ]  # fmt: skip
    assert [*map(size, (0, 12, 3400, 310_000, 3_240_000, 1_500_000_000))] == [
        "", "12 B", "3.4 KB", "310 KB", "3.2 MB", "1.5 GB",
    ]  # fmt: skip
