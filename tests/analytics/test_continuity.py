"""Objects that get a new id: their path and their stay go on."""

from __future__ import annotations

import pytest

from tests.analytics.paths import Run, box_at, rules

LEVEL = {"name": "gate", "points": [[0.1, 0.5], [0.9, 0.5]]}
AROUND = {"name": "door", "points": [[0.2, 0.2], [0.8, 0.2], [0.8, 0.9], [0.2, 0.9]], "leave_s": 1}
ABOVE, BELOW = box_at(320, 165), box_at(320, 195)
"""Clear of the line on both sides, with an overlap of a third."""


def test_an_object_that_gets_a_new_id_at_a_line_crosses_it() -> None:
    run = Run(rules(lines=[LEVEL]))
    run.show(0.0, {1: ABOVE})
    run.show(0.1, {2: BELOW})
    assert [(event.track, event.direction) for event in run.events] == [(2, "in")]
    assert run.events[0].time_s == pytest.approx(0.05)


def test_an_object_that_moves_on_while_it_is_missed_crosses() -> None:
    run = Run(rules(lines=[LEVEL]))
    run.show(0.0, {1: box_at(320, 100)}, velocities={1: (0, 200)})
    run.show(0.6, {2: box_at(320, 220)})
    assert run.directions == ["in"]


def test_an_object_that_moves_on_in_a_zone_while_it_is_missed_stays_in_it() -> None:
    run = Run(rules(zones=[{**AROUND, "enter_s": 0}]))
    for frame in range(3):
        run.show(frame / 10, {1: box_at(200 + 40 * frame, 200)}, velocities={1: (400, 0)})
    for frame in range(3):
        run.show(0.7 + frame / 10, {2: box_at(480 - 40 * frame, 200)})
    run.finish()
    assert [(event.kind, event.track) for event in run.events] == [("enter", 1), ("leave", 1)]


@pytest.mark.parametrize(
    ("time_s", "boxes", "labels"),
    [
        (0.1, {2: box_at(320, 230)}, {}),
        (1.1, {2: BELOW}, {}),
        (0.1, {2: BELOW}, {2: 1}),
        (0.1, {1: ABOVE, 2: BELOW}, {}),
    ],
    ids=["too far away", "too late", "another class", "the first one is still there"],
)
def test_another_object_does_not_continue_the_path(
    time_s: float, boxes: dict[int, tuple[float, float, float, float]], labels: dict[int, int]
) -> None:
    run = Run(rules(lines=[LEVEL]))
    run.show(0.0, {1: ABOVE})
    run.show(time_s, boxes, labels=labels)
    assert run.events == []


def test_the_predicted_box_of_a_continued_track_does_not_count() -> None:
    run = Run(rules(lines=[LEVEL], counts=[{"name": "crowd"}]))
    run.show(0.0, {1: ABOVE})
    run.show(0.1, {1: ABOVE, 2: BELOW}, predicted={1, 2})
    run.show(0.2, {1: BELOW, 2: BELOW}, predicted={1})
    assert run.directions == ["in"]
    assert run.watched.counts[0].number == 1


def test_a_new_id_continues_one_lost_object_only() -> None:
    run = Run(rules(lines=[LEVEL]))
    run.show(0.0, {1: ABOVE, 2: box_at(330, 165)})
    run.show(0.1, {3: BELOW})
    assert run.directions == ["in"]


def test_a_stay_goes_on_under_a_new_id() -> None:
    run = Run(rules(zones=[AROUND | {"dwell_s": 1.5}]))
    for frame in range(10):
        run.show(frame / 10, {1: ABOVE})
    for frame in range(10, 20):
        run.show(frame / 10, {2: ABOVE})
    for frame in range(20, 40):
        run.show(frame / 10, {})
    assert run.kinds == ["enter", "dwell", "leave"]
    assert run.events[-1].inside_s == pytest.approx(1.9)
    assert len({event.number for event in run.events}) == 1


def test_a_track_that_comes_back_has_its_own_stay() -> None:
    run = Run(rules(zones=[AROUND | {"dwell_s": 1}]))
    for frame in range(5):
        run.show(frame / 10, {1: ABOVE})
    for frame in range(5, 8):
        run.show(frame / 10, {2: ABOVE})
    for frame in range(8, 20):
        run.show(frame / 10, {1: ABOVE, 2: BELOW})
    run.finish()
    stays = {event.number: event.track for event in run.events if event.kind == "enter"}
    assert sorted(stays.values()) == [1, 2]
    assert {event.number: event.track for event in run.events if event.kind == "leave"} == stays


def test_a_new_segment_continues_no_path() -> None:
    run = Run(rules(lines=[LEVEL]))
    run.show(0.0, {1: ABOVE})
    run.show(0.1, {2: BELOW}, segment=1)
    assert run.events == []


def test_the_class_of_an_object_is_that_of_all_its_tracks() -> None:
    run = Run(rules(lines=[LEVEL | {"classes": ["Person"]}]))
    for frame in range(5):
        run.show(frame / 10, {1: ABOVE})
    run.show(0.5, {2: ABOVE})
    for frame in range(6, 8):
        run.show(frame / 10, {2: BELOW}, labels={2: 1})
    assert [event.label for event in run.events] == ["Person"]
