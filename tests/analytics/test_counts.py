"""The number of objects in the picture, and whether there are any."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.analytics.paths import Run, box_at, rules

CROWD = {"name": "crowd", "classes": ["Person"], "max_count": 2, "for_s": 1.0}
CAT = {"name": "somebody", "classes": ["Person"], "appear_s": 0.5, "disappear_s": 2.0}


def show(run: Run, counts: Sequence[int], *, start_s: float = 0.0, fps: float = 10.0, segment: int = 0) -> None:
    """Frames with so many persons, and always one car."""
    for frame, count in enumerate(counts):
        boxes = {track: box_at(50 * track, 200) for track in range(1, count + 1)} | {99: box_at(600, 300)}
        run.show(start_s + frame / fps, boxes, labels={99: 1}, segment=segment)


def told(run: Run) -> list[tuple[str, str, int | None]]:
    return [(one.kind, one.phase, one.value) for one in run.events]


def test_more_objects_than_the_limit_are_an_event() -> None:
    run = Run(rules(counts=[CROWD]))
    show(run, [2] * 10 + [4] * 20 + [1] * 20)
    assert told(run) == [("above", "start", 4), ("normal", "end", 1)]
    assert [one.time_s for one in run.events] == pytest.approx([1.0, 3.0])
    assert {one.number for one in run.events} == {1}
    assert (run.events[0].track, run.events[0].label, run.events[0].zones) == (0, "", ())


def test_fewer_objects_than_the_limit_are_an_event() -> None:
    run = Run(rules(counts=[{"name": "staff", "classes": ["Person"], "min_count": 2, "for_s": 1}]))
    show(run, [2] * 10 + [1] * 15 + [0] * 15 + [3] * 15)
    assert told(run) == [("below", "start", 1), ("below", "update", 0), ("normal", "end", 3)]


def test_a_fall_from_above_to_below_ends_one_event_and_starts_another() -> None:
    run = Run(rules(counts=[{**CROWD, "min_count": 1}]))
    show(run, [4] * 20 + [0] * 20)
    assert told(run) == [("above", "start", 4), ("normal", "end", 0), ("below", "start", 0)]
    assert [one.number for one in run.events] == [1, 1, 2]


def test_a_number_that_flickers_is_no_event() -> None:
    run = Run(rules(counts=[CROWD]))
    show(run, [2, 3] * 40)
    assert told(run) == []


def test_a_number_that_flickers_beyond_its_limit_is_one_event() -> None:
    run = Run(rules(counts=[CROWD]))
    show(run, [3] * 15 + [3, 4, 2, 5] * 20 + [2] * 15)
    assert told(run) == [("above", "start", 3), ("normal", "end", 2)]
    assert [one.time_s for one in run.events] == pytest.approx([0.0, 9.5])


def test_the_value_is_the_number_that_was_kept_for_the_whole_time() -> None:
    run = Run(rules(counts=[CROWD]))
    show(run, [5] * 3 + [3] * 3 + [4] * 5 + [6] * 3 + [4] * 20)
    assert told(run) == [("above", "start", 3), ("above", "update", 4)]
    assert [one.time_s for one in run.events] == pytest.approx([0.0, 1.1])


def test_the_time_before_an_interruption_does_not_count() -> None:
    run = Run(rules(counts=[CROWD]))
    show(run, [4] * 15 + [1] * 5)
    show(run, [1] * 15, start_s=5.0, segment=1)
    assert told(run) == [("above", "start", 4), ("normal", "end", 1)]
    assert [one.time_s for one in run.events] == pytest.approx([0.0, 5.0])


def test_the_time_before_a_schedule_ends_does_not_count() -> None:
    run = Run(rules(counts=[{**CROWD, "schedule": [{"start": "22:00", "end": "06:00", "timezone": "UTC"}]}]))
    for frame, hour in enumerate([23.0] * 8 + [12.0] * 4 + [23.0] * 8):
        boxes = {track: box_at(50 * track, 200) for track in range(1, 5)}
        run.show(frame / 10, boxes, wall_clock_s=hour * 3600)
    assert told(run) == []


@pytest.mark.parametrize("fps", [30.0, 10.0, 2.0, 1.0])
def test_events_of_counts_do_not_depend_on_the_rate(fps: float) -> None:
    run = Run(rules(counts=[{**CROWD, "for_s": 3.0}]))
    show(run, [1] * int(5 * fps) + [3] * int(10 * fps) + [1] * int(10 * fps), fps=fps)
    assert told(run) == [("above", "start", 3), ("normal", "end", 1)]
    assert [one.time_s for one in run.events] == pytest.approx([5.0, 15.0])


def test_the_state_has_the_number_now() -> None:
    run = Run(rules(counts=[CROWD, {"name": "all"}]))
    show(run, [3] * 15)
    assert [(one.name, one.number, one.level) for one in run.watched.counts] == [
        ("crowd", 3, "above"), ("all", 4, "normal"),
    ]  # fmt: skip


def test_a_class_appears_and_disappears_once() -> None:
    run = Run(rules(presence=[CAT]))
    show(run, [0] * 5 + [1] * 20 + [0] * 10 + [2] * 10 + [0] * 40)
    assert [(one.kind, one.phase, one.number, one.label) for one in run.events] == [
        ("appear", "start", 1, "Person"), ("disappear", "end", 1, "Person"),
    ]  # fmt: skip
    assert [one.time_s for one in run.events] == pytest.approx([0.5, 4.4])
    assert not run.watched.presence[0].present


def test_what_is_shown_for_a_moment_does_not_appear() -> None:
    run = Run(rules(presence=[CAT]))
    show(run, [0, 1, 1, 1, 0, 0] * 10)
    assert run.kinds == []


def test_what_is_present_at_the_end_of_the_run_disappears() -> None:
    run = Run(rules(presence=[CAT]))
    show(run, [1] * 20)
    assert run.watched.presence[0].present
    run.finish()
    assert run.kinds == ["appear", "disappear"]
    assert run.events[-1].time_s == pytest.approx(1.9)


def test_presence_is_about_the_track_with_the_highest_score() -> None:
    run = Run(rules(presence=[CAT]))
    for frame in range(10):
        run.show(frame / 10, {4: box_at(100, 200), 5: box_at(300, 200)}, scores={4: 0.4, 5: 0.8})
    (event,) = run.events
    assert event.track == 5
    assert event.score == pytest.approx(0.8)


def test_a_short_reconnection_is_no_event() -> None:
    run = Run(rules(counts=[{**CROWD, "for_s": 0}], presence=[CAT]))
    show(run, [3] * 20)
    show(run, [0] * 30 + [3] * 100, start_s=5.0, segment=1)  # the detector needs 3 s to find them again
    assert run.kinds == ["above", "appear"]


def test_what_does_not_come_back_after_a_reconnection_ends() -> None:
    run = Run(rules(counts=[{**CROWD, "for_s": 0}], presence=[CAT]))
    show(run, [3] * 20)
    show(run, [0] * 130, start_s=5.0, segment=1)
    assert run.kinds == ["above", "appear", "normal", "disappear"]
    assert run.events[-1].time_s == pytest.approx(1.9)


def test_a_long_loss_of_the_camera_ends_everything() -> None:
    run = Run(rules(counts=[CROWD], presence=[CAT]))
    show(run, [3] * 20)
    show(run, [3], start_s=60.0, segment=1)
    assert run.kinds == ["appear", "above", "normal", "disappear"]
    assert [one.time_s for one in run.events[2:]] == pytest.approx([1.9, 1.9])
