"""Which messages a target gets."""

from __future__ import annotations

from typing import Any

import pytest

from streamer.config.notify import TargetSettings
from streamer.config.schedule import ScheduleSettings
from streamer.notify.filters import MessageFilter
from streamer.values.events import EventKind, EventPhase
from tests.notify.messages import TIME, record

START, UPDATE, END, MOMENT = EventPhase.START, EventPhase.UPDATE, EventPhase.END, EventPhase.MOMENT


class Clock:
    """Both clocks of a filter."""

    s = 0.0

    def filter(self, **settings: Any) -> MessageFilter:
        chosen = TargetSettings(type="webhook", **settings)
        return MessageFilter(chosen, clock=lambda: self.s, now=lambda: TIME + self.s)


@pytest.mark.parametrize(
    ("settings", "passes"),
    [
        ({}, True),
        ({"cameras": ["gate"]}, True),
        ({"cameras": ["yard"]}, False),
        ({"rules": ["door"]}, True),
        ({"rules": ["line"]}, False),
        ({"labels": ["Car", "Person"]}, True),
        ({"labels": ["Car"]}, False),
        ({"zones": ["door", "hall"]}, True),
        ({"zones": ["hall"]}, False),
        ({"kinds": ["enter"]}, True),
        ({"kinds": ["leave"]}, False),
        ({"phases": ["start"]}, True),
        ({"phases": ["end", "file"]}, False),
        ({"min_score": 0.91}, True),
        ({"min_score": 0.92}, False),
        ({"cameras": ["gate"], "labels": ["Car"]}, False),
    ],
)
def test_every_filter_must_pass(settings: dict[str, Any], passes: bool) -> None:
    assert Clock().filter(**settings).passes(record(), START) is passes


def test_an_event_without_a_score_passes_the_least_score() -> None:
    assert Clock().filter(min_score=0.5).passes(record(kind=EventKind.CAMERA_LOST, score=None), START)


def test_kinds_are_what_happened_and_not_how_the_event_began() -> None:
    dwells, event = Clock().filter(kinds=["dwell"]), record()
    assert [dwells.passes(event, phase) for phase in (START, UPDATE, END)] == [False, True, False]
    backs, event = Clock().filter(kinds=["camera_back"]), record(kind=EventKind.CAMERA_LOST)
    assert [backs.passes(event, phase) for phase in (START, END)] == [False, True]


def test_during_a_cooldown_other_events_of_the_rule_and_camera_are_not_told() -> None:
    clock = Clock()
    chosen = clock.filter(cooldown_s=60)
    first, second, other = record(), record(), record(camera="yard")
    assert chosen.passes(first, START)
    clock.s = 59
    assert not chosen.passes(second, START)
    assert chosen.passes(other, START)
    assert chosen.passes(first, END)
    clock.s = 61
    assert not chosen.passes(second, END)  # an event that was not told has no end
    assert chosen.passes(record(), START)


def test_a_cooldown_is_counted_by_the_difference_of_two_times() -> None:
    clock = Clock()
    clock.s = 1000
    chosen = clock.filter(cooldown_s=60)
    assert [chosen.passes(record(), START) for _ in range(2)] == [True, False]


def test_the_end_of_an_event_of_a_killed_program_is_told_and_begins_no_cooldown() -> None:
    former, clock = record(), Clock()
    chosen = clock.filter(cooldown_s=60)
    assert chosen.passes(former, END)
    assert chosen.passes(record(), START)


def test_an_event_of_a_killed_program_that_started_in_quiet_hours_stays_muted() -> None:
    former, clock = record(), Clock()
    clock.s = 12 * 3600
    night = ScheduleSettings.model_validate({"start": "22:00", "end": "06:00", "timezone": "UTC"})
    chosen = clock.filter(quiet=[night])
    assert not chosen.passes(former, END)
    assert chosen.passes(record(), START)


def test_a_cooldown_begins_with_a_message_that_passes_the_other_filters() -> None:
    clock = Clock()
    chosen = clock.filter(cooldown_s=60, kinds=["dwell"])
    assert not chosen.passes(record(), START)
    assert chosen.passes(record(), UPDATE)
    assert not chosen.passes(record(), UPDATE)


def test_quiet_hours_mute_events_that_begin_in_them() -> None:
    clock = Clock()  # it is 22:35 in UTC, and 23:35 in Berlin
    night = ScheduleSettings.model_validate({"start": "23:00", "end": "06:00", "timezone": "Europe/Berlin"})
    chosen, event = clock.filter(quiet=[night]), record()
    assert not chosen.passes(event, START)
    clock.s = 7 * 3600
    assert not chosen.passes(event, END)
    evening = record()
    assert chosen.passes(evening, START)
    clock.s = 24 * 3600
    assert chosen.passes(evening, END)
