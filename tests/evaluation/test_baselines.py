"""When results land, and what the plain ways show until then."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.evaluation.streaming import baselines
from streamer.evaluation.streaming.latency import exact, landings, newest_results
from tests.tracking.boxes import detections
from tracking.iou import IouTracker
from tracking.types import Detections

FPS = Fraction(10)
Way = Callable[[Sequence[Detections], Fraction, float], list[Detections]]


def test_the_detector_takes_the_newest_frame_whenever_it_is_free() -> None:
    found = [(landing.frame, float(landing.at_s)) for landing in landings(10, FPS, 0.25)]
    assert found == [(0, 0.25), (2, 0.5), (5, 0.75), (7, 1.0), (9, 1.25)]
    assert newest_results(10, FPS, 0.25) == [-1, -1, -1, 0, 0, 2, 2, 2, 5, 5]


def test_a_quick_detector_waits_for_frames() -> None:
    assert [landing.frame for landing in landings(4, FPS, 0.05)] == [0, 1, 2, 3]
    assert newest_results(4, FPS, 0.05) == [-1, 0, 1, 2]


@pytest.mark.parametrize("latency_s", [0.1, 0.2, 0.3, 0.6, 0.7])
@pytest.mark.parametrize("fps", [Fraction(10), Fraction(20), Fraction(30)])
def test_a_result_that_lands_on_the_instant_of_a_frame_is_shown_with_it(fps: Fraction, latency_s: float) -> None:
    """0.1 * 3 is no 0.3 in floating point; here it is."""
    step = exact(latency_s) * fps
    expected = [step * (frame // step - 1) if frame >= step else -1 for frame in range(40)]
    assert newest_results(40, fps, latency_s) == expected


rates = st.fractions(min_value=1, max_value=120, max_denominator=1001)
latencies = st.decimals(min_value=0, max_value=3, places=3).map(float)


@given(st.integers(0, 60), rates, latencies)
def test_landings_keep_the_rules(frames: int, fps: Fraction, latency_s: float) -> None:
    free_s = Fraction(0)
    last = -1
    for landing in landings(frames, fps, latency_s):
        started_s = landing.at_s - exact(latency_s)
        assert started_s == max(free_s, (last + 1) / fps)  # at once where a frame waits, else with the next one
        assert landing.frame / fps <= started_s  # nothing is seen before it arrives
        assert landing.frame == frames - 1 or (landing.frame + 1) / fps > started_s  # and nothing newer is there
        assert landing.frame > last
        last, free_s = landing.frame, landing.at_s
    shown = newest_results(frames, fps, latency_s)
    assert len(shown) == frames
    assert shown == sorted(shown)
    if latency_s == 0:
        assert shown == list(range(frames))


def walking(frames: int, speed_px: float = 5.0) -> list[Detections]:
    """One person who walks steadily, and one who stands."""
    return [
        detections([[20 + speed_px * frame, 50, 60 + speed_px * frame, 130], [400, 50, 440, 130]])
        for frame in range(frames)
    ]


def test_stale_boxes_stay_where_they_were_found() -> None:
    seen = walking(10)
    shown = baselines.stale(seen, FPS, 0.25)
    assert [len(one) for one in shown] == [0, 0, 0, 2, 2, 2, 2, 2, 2, 2]
    assert shown[7].boxes.tolist() == seen[2].boxes.tolist()
    assert baselines.stale(seen, FPS, 0.0) == seen


def test_linear_is_exact_on_a_straight_line() -> None:
    seen = walking(12)
    shown = baselines.linear(seen, FPS, 0.25)
    assert shown[4].boxes.tolist() == seen[0].boxes.tolist()  # one result tells no speed
    for frame in range(5, 12):
        assert shown[frame].boxes == pytest.approx(seen[frame].boxes, abs=0.01)


def test_linear_holds_a_box_that_is_new_and_keeps_the_size_of_all() -> None:
    seen = walking(12)
    alone = detections([[20 + 5 * 2, 50, 60 + 5 * 2, 130]])
    grown = detections([[400, 40, 450, 140], [20, 50, 60, 130]])
    shown = baselines.linear([seen[0], seen[1], alone, seen[3], seen[4], grown, *seen[6:]], FPS, 0.25)
    assert shown[8].boxes.tolist()[0] == [400, 40, 450, 140]  # the result of frame 2 did not have it
    assert (shown[8].boxes[1, 2:] - shown[8].boxes[1, :2]).tolist() == [40, 80]


def test_kalman_learns_a_steady_walk() -> None:
    seen = walking(60)
    shown = baselines.kalman(seen, FPS, 0.25)
    late, early = shown[55].boxes, shown[4].boxes
    assert early.tolist() == seen[0].boxes.tolist()
    assert late == pytest.approx(seen[55].boxes, abs=1.0)
    assert np.abs(baselines.stale(seen, FPS, 0.25)[55].boxes - seen[55].boxes).max() >= 15


def test_kalman_shows_what_the_newest_result_has_and_nothing_else() -> None:
    seen = walking(20)
    seen[5] = detections([[400, 50, 440, 130]])
    shown = baselines.kalman(seen, FPS, 0.25)
    assert [len(one) for one in shown[3:13]] == [2, 2, 2, 2, 2, 1, 1, 2, 2, 2]
    assert shown[8].boxes == pytest.approx(np.array([[400, 50, 440, 130]]), abs=1.0)


def test_a_forecast_gives_the_tracks_ids() -> None:
    seen = walking(40)
    shown = baselines.forecast(seen, FPS, 0.25, IouTracker())
    assert [len(one) for one in shown[:3]] == [0, 0, 0]
    assert {tuple(one.ids.tolist()) for one in shown[3:]} == {(1, 2)}
    assert shown[35].boxes == pytest.approx(seen[35].boxes, abs=2.0)


@pytest.mark.parametrize("way", [baselines.stale, baselines.linear, baselines.kalman])
def test_frames_without_detections_are_empty(way: Way) -> None:
    nothing = [Detections.empty()] * 8
    assert [len(one) for one in way(nothing, FPS, 0.3)] == [0] * 8
    mixed = [Detections.empty(), *walking(7)]
    assert len(way(mixed, FPS, 0.0)[3]) == 2
    assert way([], FPS, 0.3) == []


@given(st.integers(0, 12), latencies, st.integers(0, 2**32 - 1))
def test_every_way_shows_the_boxes_that_were_found(frames: int, latency_s: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    seen = []
    for _ in range(frames):
        corners = rng.uniform(0, 300, (rng.integers(0, 4), 2))
        seen.append(detections(np.concatenate([corners, corners + rng.uniform(0, 90, corners.shape)], axis=1)))
    plain = baselines.stale(seen, FPS, latency_s)
    for way in (baselines.linear, baselines.kalman):
        shown = way(seen, FPS, latency_s)
        assert [one.scores.tolist() for one in shown] == [one.scores.tolist() for one in plain]
