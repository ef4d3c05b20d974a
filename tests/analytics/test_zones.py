"""Tracks that enter, leave and stay in zones."""

from __future__ import annotations

import pytest

from streamer.config.analytics import AnalyticsSettings
from streamer.config.section import validated
from streamer.errors import ConfigError
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


def test_a_new_segment_ends_every_stay() -> None:
    run = Run(rules(zones=[SQUARE]))
    run.walk([INSIDE] * 25)
    run.show(1.0, {}, segment=1)
    assert [event.kind for event in run.events] == ["enter", "leave"]


def test_a_concave_zone_has_no_inside_in_its_notch() -> None:
    points = [[0.1, 0.1], [0.5, 0.7], [0.9, 0.1], [0.9, 0.9], [0.1, 0.9]]
    run = Run(rules(zones=[{"name": "door", "points": points}]))
    for frame in range(25):
        run.show(frame / 25, {1: box_at(320, 150), 2: box_at(320, 300), 3: box_at(80, 250)})
    assert sorted(event.track for event in run.events) == [2, 3]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"lines": [{"name": "a", "points": [[0.1, 0.5]]}]}, "lines.0.points: a line has at least two points, not 1"),
        ({"lines": [{"name": "a", "points": [[0.1, 0.5], [0.1, 0.5]]}]}, "given twice in a row"),
        ({"lines": [{"name": "a", "points": [[0.1, 0.5], [1.2, 0.5]]}]}, "the point 1.2,0.5 is outside the picture"),
        ({"lines": [{"name": "a=b", "points": [[0, 0], [1, 1]]}]}, "lines.0.name: a name has 1 to 64 characters"),
        ({"zones": [{"name": "a", "points": [[0, 0], [1, 1]]}]}, "zones.0.points: a zone has at least three points"),
        ({"zones": [{"name": "a", "points": [[0, 0], [1, 1], [1, 0], [0, 1]]}]}, "the polygon crosses itself: 0,0 to"),
        ({"zones": [{"name": "a", "points": [[0, 0], [0.5, 0], [0.2, 0]]}]}, "folds back on itself at"),
        ({"zones": [SQUARE], "lines": [{"name": "door", "points": [[0, 0], [1, 1]]}]}, "have the name 'door'"),
    ],
)
def test_rules_that_cannot_be_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError) as refused:
        validated(AnalyticsSettings, settings, "analytics")
    assert message in str(refused.value)
    assert str(refused.value).startswith("analytics")
    assert "\n" not in str(refused.value)
