"""Events that last for longer than the history of a track that is not shown is kept."""

from __future__ import annotations

from streamer.analytics.track_history import FORGOTTEN_AFTER_S, TrackHistory
from tests.analytics.paths import Run, box_at, rules
from tests.render.scenes import LABELS, tracks

ROOM = {"name": "room", "points": [[0, 0], [1, 0], [1, 1], [0, 1]], "enter_s": 0}
HERE, THERE = box_at(100, 200), box_at(400, 200)
HOURS_S = 3 * FORGOTTEN_AFTER_S


def ends(run: Run) -> list[tuple[str, int, str, int]]:
    return [(event.kind, event.track, event.label, event.number) for event in run.events]


def test_presence_can_outlast_the_track_with_which_it_began_by_hours() -> None:
    run = Run(rules(presence=[{"name": "anything"}]))
    for time_s in (0.0, 1.0):
        run.show(time_s, {1: HERE})
    for minute in range(1, int(HOURS_S / 60)):
        run.show(minute * 60.0, {2: THERE})
    run.finish()
    assert ends(run) == [("appear", 1, "Person", 1), ("disappear", 1, "Person", 1)]


def test_a_stay_that_another_track_continues_can_last_for_hours() -> None:
    run = Run(rules(zones=[ROOM]))
    for time_s in (0.0, 1.0):
        run.show(time_s, {1: HERE})
    for minute in range(int(HOURS_S / 60)):
        run.show(5 + minute * 60.0, {2: HERE}, segment=1)
    run.finish()
    assert ends(run) == [("enter", 1, "Person", 1), ("leave", 1, "Person", 1)]


def test_a_file_can_have_no_frames_for_hours() -> None:
    run = Run(rules(zones=[ROOM]))
    run.show(0.0, {1: HERE})
    run.show(HOURS_S, {})
    assert ends(run) == [("enter", 1, "Person", 1), ("leave", 1, "Person", 1)]


def test_tracks_of_no_event_are_forgotten() -> None:
    history = TrackHistory()
    for track, time_s in ((1, 0.0), (2, 0.0), (3, HOURS_S)):
        history.add(tracks([HERE], ids=[track]), LABELS, time_s)
        history.forget_old(time_s, {2})
    assert [track in history for track in (1, 2, 3)] == [False, True, True]


def test_tracks_are_forgotten_after_a_step_back_in_time() -> None:
    history = TrackHistory()
    for track, time_s in ((1, HOURS_S), (2, 0.0)):
        history.add(tracks([HERE], ids=[track]), LABELS, time_s)
        history.forget_old(time_s, ())
    assert [track in history for track in (1, 2)] == [False, True]
