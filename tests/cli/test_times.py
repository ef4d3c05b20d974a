"""Times as users write them, and as they are shown."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from streamer.cli.events.times import local, moment_of
from streamer.errors import ConfigError


@pytest.fixture(autouse=True)
def _in_berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def written(moment: datetime) -> str:
    return local(moment.timestamp(), tenths=True)


def now() -> datetime:
    return datetime(2026, 3, 11, 9, 30, tzinfo=UTC).astimezone()  # a Wednesday, 10:30 in Berlin


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2026-03-10 10:15", "2026-03-10 10:15:00"),
        ("2026-03-10 9:15", "2026-03-10 09:15:00"),
        ("2026-03-10T10:15:30.5", "2026-03-10 10:15:30.5"),
        ("2026-03-10T10:15:30Z", "2026-03-10 11:15:30"),
        ("2026-03-10T10:15+05:00", "2026-03-10 06:15:00"),
        ("2026-03-10", "2026-03-10 00:00:00"),
        ("10:15", "2026-03-11 10:15:00"),
        ("9:05:07", "2026-03-11 09:05:07"),
        ("23:50", "2026-03-10 23:50:00"),
        ("now", "2026-03-11 10:30:00"),
        ("today", "2026-03-11 00:00:00"),
        ("Yesterday 10:15", "2026-03-10 10:15:00"),
        ("monday 7:00", "2026-03-09 07:00:00"),
        ("wed", "2026-03-04 00:00:00"),
        ("2 hours ago", "2026-03-11 08:30:00"),
        ("90 min ago", "2026-03-11 09:00:00"),
        ("30s", "2026-03-11 10:29:30"),
        ("1.5h", "2026-03-11 09:00:00"),
        ("an hour ago", "2026-03-11 09:30:00"),
        ("1 day ago", "2026-03-10 10:30:00"),
        ("@1773135300", "2026-03-10 10:35:00"),
    ],
)
def test_a_text_means_a_moment(text: str, meant: str) -> None:
    assert written(moment_of(text, now())) == meant


@pytest.mark.parametrize(
    "text", ["", "soon", "25:00", "10:75", "2026-02-30", "2 parsecs ago", "yesterday noon", "99999999 weeks"]
)
def test_other_texts_are_refused_with_examples(text: str) -> None:
    with pytest.raises(ConfigError, match="no time"):
        moment_of(text, now())


def test_a_time_of_day_can_be_the_first_one_after_another_moment() -> None:
    begin = moment_of("23:50", now())
    assert written(moment_of("0:05", now(), after=begin)) == "2026-03-11 00:05:00"
    assert moment_of("0:05", now(), after=begin) - begin == timedelta(minutes=15)


def test_the_day_of_a_clock_change_has_its_own_length() -> None:
    after = datetime(2026, 3, 29, 12, 0, tzinfo=UTC).astimezone()
    assert moment_of("today 4:00", after) - moment_of("today 1:00", after) == timedelta(hours=2)
    soon_after = datetime(2026, 3, 29, 22, 30, tzinfo=UTC).astimezone()  # 0:30 on Monday, after a Sunday of 23 hours
    assert written(moment_of("yesterday", soon_after)) == "2026-03-29 00:00:00"


def test_the_time_zone_is_that_of_the_machine() -> None:
    assert os.environ["TZ"] == "Europe/Berlin"
    assert moment_of("10:15", now()).utcoffset() == timedelta(hours=1)
