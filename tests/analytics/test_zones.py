"""Tracks that enter, leave and stay in zones."""

from __future__ import annotations

import pytest

from tests.analytics.paths import Run, box_at, rules

SQUARE = {"name": "door", "points": [[0.25, 0.25], [0.75, 0.25], [0.75, 0.75], [0.25, 0.75]]}
OUTSIDE, INSIDE = (40.0, 200.0), (320.0, 200.0)


def visit(fps: float, *, seconds_inside: float = 6.0) -> list[tuple[float, float]]:
    """Two seconds outside, some inside, three outside."""
    return [OUTSIDE] * int(2 * fps) + [INSIDE] * int(seconds_inside * fps) + [OUTSIDE] * int(3 * fps)


@pytest.mark.parametrize("fps", [30, 10, 5])
def test_a_visit_has_the_same_events_at_every_rate(fps: float) -> None:
    run = Run(rules(zones=[{**SQUARE, "dwell_s": 4}]))
    run.walk(visit(fps), fps=fps)
    assert [event.kind for event in run.events] == ["enter", "dwell", "leave"]
    assert [event.time_s for event in run.events] == pytest.approx([2.0, 6.0, 8.0], abs=0.21)
    assert run.events[-1].inside_s == pytest.approx(6.0, abs=0.21)


def test_a_short_visit_is_none() -> None:
    run = Run(rules(zones=[{**SQUARE, "enter_s": 1.0}]))
    run.walk(visit(25, seconds_inside=0.9), fps=25)
    assert run.events == []


def test_a_track_that_is_missed_for_a_moment_stays_inside() -> None:
    run = Run(rules(zones=[SQUARE]))
    run.walk([*[INSIDE] * 20, *[None] * 20, *[INSIDE] * 20], fps=25)
    assert [event.kind for event in run.events] == ["enter"]
    assert run.watched.zones[0].inside == 1


def test_a_track_that_is_no_longer_shown_leaves() -> None:
    run = Run(rules(zones=[SQUARE]))
    run.walk([*[INSIDE] * 25, *[None] * 30], fps=25)
    assert [event.kind for event in run.events] == ["enter", "leave"]
    assert run.events[-1].time_s == pytest.approx(24 / 25)
    assert (run.watched.zones[0].inside, run.watched.zones[0].entered) == (0, 1)


def test_a_box_that_shakes_on_the_edge_enters_once() -> None:
    run = Run(rules(zones=[{**SQUARE, "leave_s": 0.0}]))
    edge_px = 0.25 * 640
    run.walk([(edge_px + (3 if frame % 2 else -3), 200) for frame in range(100)], fps=25)
    assert [event.kind for event in run.events] == ["enter"]


def test_a_zone_counts_its_classes_only() -> None:
    run = Run(rules(zones=[{**SQUARE, "classes": ["Car"]}]))
    for frame in range(50):
        run.show(frame / 25, {1: box_at(300, 200), 2: box_at(340, 200)}, labels={1: 0, 2: 1})
    assert [event.track for event in run.events] == [2]


def reconnected(gap_s: float, place: tuple[float, float], *, label: int = 0, **zone: object) -> Run:
    """A track inside for 2 s, a gap, and another track for 15 s."""
    run = Run(rules(zones=[{**SQUARE, **zone}]))
    run.walk([INSIDE] * 50)
    for frame in range(15 * 25):
        # The detector needs a second to find it again.
        shown = {2: box_at(*place)} if frame >= 25 else {}
        run.show(2 + gap_s + frame / 25, shown, labels={2: label}, segment=1)
    run.finish()
    return run


def test_a_stay_goes_on_after_a_short_reconnection() -> None:
    run = reconnected(3.0, INSIDE, dwell_s=10)
    assert [(event.kind, event.track, event.number) for event in run.events] == [
        ("enter", 1, 1), ("dwell", 1, 1), ("leave", 1, 1),
    ]  # fmt: skip
    assert run.events[1].time_s == pytest.approx(10.0, abs=0.05)
    assert run.events[2].inside_s == pytest.approx(2 + 3 + 15, abs=0.1)


@pytest.mark.parametrize(
    ("gap_s", "place", "label"),
    [(3.0, (400.0, 250.0), 0), (3.0, INSIDE, 1), (31.0, INSIDE, 0)],
    ids=["another place", "another class", "a long gap"],
)
def test_another_track_after_a_reconnection_has_its_own_stay(
    gap_s: float, place: tuple[float, float], label: int
) -> None:
    run = reconnected(gap_s, place, label=label)
    by_number = [(event.number, event.kind, event.track) for event in sorted(run.events, key=lambda one: one.number)]
    assert by_number == [(1, "enter", 1), (1, "leave", 1), (2, "enter", 2), (2, "leave", 2)]
    assert run.events[[event.number for event in run.events].index(1, 1)].time_s == pytest.approx(49 / 25)


@pytest.mark.parametrize("leave_s", [3.0, 60.0])
def test_a_track_that_replaces_a_hidden_one_continues_its_stay(leave_s: float) -> None:
    run = Run(rules(zones=[{**SQUARE, "leave_s": leave_s, "dwell_s": 5}]))
    for frame in range(100):  # somebody passes in front of a parked car, and the tracker gives it a new id
        boxes = {1: box_at(*INSIDE)} if frame < 30 else {2: box_at(322, 203)} if frame > 50 else {}
        run.show(frame / 10, boxes)
        assert run.watched.zones[0].inside <= 1
    run.finish()
    assert [(event.kind, event.track, event.number) for event in run.events] == [
        ("enter", 1, 1), ("dwell", 1, 1), ("leave", 1, 1),
    ]  # fmt: skip


def test_a_track_that_comes_back_after_it_was_continued_has_a_stay_of_its_own() -> None:
    run = Run(rules(zones=[{**SQUARE, "leave_s": 60.0}]))
    for frame in range(600):
        old, new = {1: box_at(*INSIDE)}, {2: box_at(322, 203)}
        run.show(frame / 10, old if frame < 30 else {} if frame < 50 else new if frame < 450 else old | new)
    run.finish()
    assert sorted((event.number, event.kind, event.track) for event in run.events) == [
        (1, "enter", 1), (1, "leave", 1), (2, "enter", 1), (2, "leave", 1),
    ]  # fmt: skip


def test_two_tracks_at_the_same_place_have_a_stay_each() -> None:
    run = Run(rules(zones=[SQUARE]))
    for frame in range(50):
        run.show(frame / 10, {1: box_at(*INSIDE)} | ({2: box_at(325, 200)} if frame > 20 else {}))
    assert run.kinds == ["enter", "enter"]
    assert run.watched.zones[0].inside == 2


def test_what_is_inside_at_the_end_of_the_run_leaves() -> None:
    run = Run(rules(zones=[SQUARE]))
    run.walk([INSIDE] * 25)
    run.finish()
    run.finish()
    assert [(event.kind, event.phase, event.number) for event in run.events] == [
        ("enter", "start", 1), ("leave", "end", 1),
    ]  # fmt: skip
    assert run.events[-1].time_s == pytest.approx(24 / 25)
    assert run.watched.zones[0].inside == 0


def test_a_step_back_in_time_ends_every_stay() -> None:
    run = Run(rules(zones=[SQUARE]))
    run.walk([INSIDE] * 25)
    run.show(0.0, {1: box_at(*INSIDE)})
    assert run.kinds == ["enter", "leave"]


def test_events_have_number_score_and_zones() -> None:
    wide = {**SQUARE, "name": "wide", "points": [[0, 0], [1, 0], [1, 1], [0, 1]], "enter_s": 0}
    line = {"name": "line", "points": [[0, 0.5], [1, 0.5]]}
    run = Run(rules(zones=[SQUARE, wide], lines=[line]))
    for frame, y in enumerate([100, 110, 120, 130, 140, 150, 160, 260, 270, 280, 290, 340]):
        run.show(frame / 10, {7: box_at(320, y)}, scores={7: 0.9 if frame == 5 else 0.5})
    run.finish()
    assert [(one.rule, one.kind, one.number, one.zones) for one in run.events] == [
        ("wide", "enter", 1, ("wide",)),
        ("door", "enter", 2, ("door", "wide")),
        ("line", "crossing", 3, ("door", "wide")),
        ("door", "leave", 2, ()),
        ("wide", "leave", 1, ()),
    ]
    assert [one.score for one in run.events] == pytest.approx([0.5, 0.5, 0.9, 0.9, 0.9])


def limits_of(run: Run) -> list[tuple[str, str, int | None, int]]:
    return [
        (one.kind, one.phase, one.value, one.number) for one in run.events if one.kind in ("above", "below", "normal")
    ]


def test_a_zone_with_too_many_tracks_is_one_event() -> None:
    run = Run(rules(zones=[{**SQUARE, "max_inside": 1, "for_s": 0.5, "leave_s": 0.0}]))
    spots = {track: box_at(200 + 30 * track, 200) for track in range(1, 5)}
    for frame in range(100):
        tracks = 3 if 20 <= frame < 40 else 2 if 10 <= frame < 60 else 1
        run.show(frame / 10, {track: spots[track] for track in range(1, tracks + 1)})
    (first, *_) = [number for kind, _, _, number in limits_of(run) if kind == "above"]
    assert limits_of(run) == [
        ("above", "start", 2, first), ("above", "update", 3, first), ("normal", "end", 1, first),
    ]  # fmt: skip
    at = {one.phase: one.time_s for one in run.events if one.kind in ("above", "normal")}
    assert at == pytest.approx({"start": 1.2, "update": 2.2, "end": 6.0}, abs=0.01)


def test_a_short_crowd_is_no_event() -> None:
    run = Run(rules(zones=[{**SQUARE, "max_inside": 0, "enter_s": 0, "leave_s": 0, "for_s": 2}]))
    run.walk([OUTSIDE, *[INSIDE] * 19, *[OUTSIDE] * 30], fps=10)
    assert limits_of(run) == []


def test_a_zone_with_too_few_tracks_ends_with_the_run() -> None:
    run = Run(rules(zones=[{**SQUARE, "min_inside": 1, "for_s": 1}]))
    run.walk([OUTSIDE] * 30, fps=10)
    assert run.watched.zones[0].level == "below"
    run.finish()
    assert limits_of(run) == [("below", "start", 0, 1), ("normal", "end", 0, 1)]
    assert run.events[-1].time_s == pytest.approx(2.9)


@pytest.mark.parametrize(
    "box",
    [(300, 200, 340, 360), (300, 250, 340, 380), (620, 200, 660, 300), (-30, 200, 10, 300)],
    ids=["at the lower border", "beyond it", "beyond the right border", "beyond the left border"],
)
def test_a_box_that_the_border_cuts_off_is_inside(box: tuple[float, float, float, float]) -> None:
    run = Run(rules(zones=[{"name": "low", "points": [[0, 0.5], [1, 0.5], [1, 1], [0, 1]]}]))
    for frame in range(25):
        run.show(frame / 25, {1: box})
    assert run.kinds == ["enter"]


def test_a_concave_zone_has_no_inside_in_its_notch() -> None:
    points = [[0.1, 0.1], [0.5, 0.7], [0.9, 0.1], [0.9, 0.9], [0.1, 0.9]]
    run = Run(rules(zones=[{"name": "door", "points": points}]))
    for frame in range(25):
        run.show(frame / 25, {1: box_at(320, 150), 2: box_at(320, 300), 3: box_at(80, 250)})
    assert sorted(event.track for event in run.events) == [2, 3]
