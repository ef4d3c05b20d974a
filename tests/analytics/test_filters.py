"""Scores, ages and schedules of rules."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from tests.analytics.paths import Run, box_at, rules

WHOLE = {"name": "all", "points": [[0, 0], [1, 0], [1, 1], [0, 1]], "enter_s": 0, "leave_s": 0.5}
LEVEL = {"name": "gate", "points": [[0, 0.5], [1, 0.5]]}
BERLIN = "Europe/Berlin"


def shown_with(scores: list[float], **zone: object) -> Run:
    """One track that stands, with the score of each frame, at 10 frames a second."""
    run = Run(rules(zones=[{**WHOLE, **zone}]))
    for frame, score in enumerate(scores):
        run.show(frame / 10, {1: box_at(320, 200)}, scores={1: score})
    return run


def test_a_track_counts_once_its_score_is_high_enough() -> None:
    run = shown_with([0.4] * 10 + [0.9] * 20, min_score=0.6)
    assert run.kinds == ["enter"]
    assert run.events[0].time_s == 0.0  # it was inside from the first frame


def test_one_high_score_among_low_ones_does_not_count() -> None:
    assert shown_with(([0.4] * 9 + [0.9]) * 10, min_score=0.6).kinds == []


def test_a_track_that_was_sure_counts_while_it_is_hidden() -> None:
    run = shown_with([0.9] * 10 + [0.3] * 50, min_score=0.6)
    run.show(6.0, {})
    run.show(7.0, {})
    assert run.kinds == ["enter", "leave"]
    assert run.events[-1].inside_s == pytest.approx(5.9)


def test_a_line_does_not_count_tracks_with_a_low_score() -> None:
    run = Run(rules(lines=[{**LEVEL, "min_score": 0.6}]))
    for frame in range(33):
        y = 20.0 + 10 * frame
        run.show(frame / 25, {1: box_at(200, y), 2: box_at(400, y)}, scores={1: 0.5, 2: 0.7})
    assert [event.track for event in run.events] == [2]


def test_a_track_counts_once_it_is_old_enough() -> None:
    run = shown_with([0.9] * 29, min_age_s=3.0)
    assert run.kinds == []
    assert shown_with([0.9] * 31, min_age_s=3.0).kinds == ["enter"]


def test_filters_apply_to_counts_and_presence() -> None:
    filtered = {"min_score": 0.6, "min_age_s": 1.0}
    run = Run(rules(counts=[{"name": "n", **filtered}], presence=[{"name": "p", "appear_s": 0, **filtered}]))
    for frame in range(20):
        boxes = {track: box_at(100 * track, 200) for track in (1, 2, 3)}
        scores = {1: 0.9, 2: 0.5, 3: 0.9}
        run.show(frame / 10, boxes if frame > 15 else {1: boxes[1], 2: boxes[2]}, scores=scores)
    assert run.watched.counts[0].number == 1
    assert [(event.kind, event.track, event.time_s) for event in run.events] == [("appear", 1, 1.0)]


def at(zone: str, *when: int) -> float:
    return datetime(*when, tzinfo=ZoneInfo(zone)).timestamp()  # type: ignore[arg-type,misc]


def is_on(schedule: object, wall_clock_s: float) -> bool:
    """Whether a zone with this schedule reports a track at this time."""
    run = Run(rules(zones=[{**WHOLE, "schedule": schedule}]))
    run.show(0.0, {1: box_at(320, 200)}, wall_clock_s=wall_clock_s)
    return run.kinds == ["enter"]


NIGHT = [{"start": "22:00", "end": "06:00", "timezone": BERLIN}]
FRIDAY_NIGHT = [{"days": ["fri"], "start": 22 * 60, "end": "06:00", "timezone": BERLIN}]  # 22:00 as YAML reads it


@pytest.mark.parametrize(
    ("schedule", "when", "expected"),
    [
        (NIGHT, (2026, 11, 26, 21, 59), False),
        (NIGHT, (2026, 11, 26, 22, 0), True),
        (NIGHT, (2026, 11, 27, 5, 59), True),
        (NIGHT, (2026, 11, 27, 6, 0), False),
        (FRIDAY_NIGHT, (2026, 11, 27, 5, 0), False),  # the night of Thursday
        (FRIDAY_NIGHT, (2026, 11, 27, 23, 0), True),
        (FRIDAY_NIGHT, (2026, 11, 28, 5, 0), True),
        (FRIDAY_NIGHT, (2026, 11, 28, 23, 0), False),
        ([{"days": ["sun"], "start": "23:00", "end": "01:00", "timezone": BERLIN}], (2026, 11, 30, 0, 30), True),
        ([{"days": ["Saturday", "sun"], "timezone": BERLIN}], (2026, 11, 29, 12, 0), True),
        ([{"days": ["Saturday", "sun"], "timezone": BERLIN}], (2026, 11, 30, 12, 0), False),
        ([*FRIDAY_NIGHT, {"start": "12:00", "end": "13:00", "timezone": BERLIN}], (2026, 11, 24, 12, 30), True),
        # Clocks are set forward on 29 March at 2:00 and back on 25 October at 3:00.
        (NIGHT, (2026, 3, 29, 5, 59), True),
        (NIGHT, (2026, 3, 29, 6, 0), False),
        (NIGHT, (2026, 10, 25, 5, 59), True),
        (NIGHT, (2026, 10, 25, 6, 0), False),
    ],
)
def test_a_rule_applies_at_the_times_of_its_schedule(schedule: object, when: tuple[int, ...], expected: bool) -> None:
    assert is_on(schedule, at(BERLIN, *when)) is expected


def test_a_schedule_has_its_own_time_zone() -> None:
    utc = [{"start": "22:00", "end": "06:00", "timezone": "UTC"}]
    assert not is_on(utc, at(BERLIN, 2026, 11, 26, 22, 30))
    assert is_on(utc, at(BERLIN, 2026, 11, 26, 23, 30))


def test_a_file_has_no_time_of_day_so_its_rules_always_apply(caplog: pytest.LogCaptureFixture) -> None:
    run = Run(rules(zones=[{**WHOLE, "schedule": NIGHT}]))
    run.walk([(320.0, 200.0)] * 3)
    assert run.kinds == ["enter"]
    assert caplog.messages == ["the schedule of all is not used: a file has no time of day, so it always applies"]


def test_a_stay_begins_and_ends_with_the_schedule() -> None:
    run = Run(rules(zones=[{**WHOLE, "schedule": NIGHT}], lines=[{**LEVEL, "schedule": NIGHT}]))
    evening, morning = at(BERLIN, 2026, 11, 26, 21, 50), at(BERLIN, 2026, 11, 27, 5, 50)
    for minute in range(20):
        run.show(minute * 60.0, {1: box_at(320, 100)}, wall_clock_s=evening + minute * 60)
    assert [(event.kind, event.time_s) for event in run.events] == [("enter", 600.0)]
    for minute in range(20):
        run.show(30000 + minute * 60.0, {1: box_at(320, 100)}, wall_clock_s=morning + minute * 60)
    assert [(event.kind, event.time_s) for event in run.events] == [("enter", 600.0), ("leave", 30540.0)]
    run.show(40000.0, {1: box_at(320, 100)}, wall_clock_s=morning + 3600)
    run.show(40000.1, {1: box_at(320, 300)}, wall_clock_s=morning + 3600)
    assert run.kinds == ["enter", "leave"]  # no crossing by day


def test_a_clock_that_jumps_back_does_not_stop_a_rule() -> None:
    run = Run(rules(zones=[{**WHOLE, "schedule": NIGHT}]))
    run.show(0.0, {1: box_at(320, 200)}, wall_clock_s=at(BERLIN, 2026, 11, 26, 23, 0))
    run.show(0.1, {1: box_at(320, 200)}, wall_clock_s=at(BERLIN, 2026, 11, 26, 12, 0))
    run.show(0.2, {1: box_at(320, 200)}, wall_clock_s=at(BERLIN, 2026, 11, 26, 23, 0))
    assert run.kinds == ["enter", "leave", "enter"]
