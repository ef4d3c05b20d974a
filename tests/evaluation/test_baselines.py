"""Arrival times of results, and what the baselines display."""

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
Baseline = Callable[[Sequence[Detections], Fraction, float], list[Detections]]


def test_a_free_detector_takes_the_newest_frame() -> None:
    found = [(landing.frame, float(landing.at_s)) for landing in landings(10, FPS, 0.25)]
    assert found == [(0, 0.25), (2, 0.5), (5, 0.75), (7, 1.0), (9, 1.25)]
    assert newest_results(10, FPS, 0.25) == [-1, -1, -1, 0, 0, 2, 2, 2, 5, 5]


def test_a_fast_detector_waits_for_frames() -> None:
    assert [landing.frame for landing in landings(4, FPS, 0.05)] == [0, 1, 2, 3]
    assert newest_results(4, FPS, 0.05) == [-1, 0, 1, 2]


@pytest.mark.parametrize("latency_s", [0.1, 0.2, 0.3, 0.6, 0.7])
@pytest.mark.parametrize("fps", [Fraction(10), Fraction(20), Fraction(30)])
def test_a_result_at_the_time_of_a_frame_is_displayed_with_it(fps: Fraction, latency_s: float) -> None:
    """0.1 * 3 is not 0.3 in floating point, but it is here."""
    step = exact(latency_s) * fps
    expected = [step * (frame // step - 1) if frame >= step else -1 for frame in range(40)]
    assert newest_results(40, fps, latency_s) == expected


rates = st.fractions(min_value=1, max_value=120, max_denominator=1001)
latencies = st.decimals(min_value=0, max_value=3, places=3).map(float)


@given(st.integers(0, 60), rates, latencies)
def test_results_keep_the_rules(frames: int, fps: Fraction, latency_s: float) -> None:
    free_s = Fraction(0)
    last = -1
    for landing in landings(frames, fps, latency_s):
        started_s = landing.at_s - exact(latency_s)
        assert started_s == max(free_s, (last + 1) / fps)  # at once if a frame waits, else with the next frame
        assert landing.frame / fps <= started_s  # no frame is detected before it arrives
        assert landing.frame == frames - 1 or (landing.frame + 1) / fps > started_s  # and no newer frame has arrived
        assert landing.frame > last
        last, free_s = landing.frame, landing.at_s
    shown = newest_results(frames, fps, latency_s)
    assert len(shown) == frames
    assert shown == sorted(shown)
    if latency_s == 0:
        assert shown == list(range(frames))


def walking(frames: int, speed_px: float = 5.0) -> list[Detections]:
    """One person walks at constant speed, one stands."""
    return [
        detections([[20 + speed_px * frame, 50, 60 + speed_px * frame, 130], [400, 50, 440, 130]])
        for frame in range(frames)
    ]


def test_stale_boxes_do_not_move() -> None:
    seen = walking(10)
    shown = baselines.stale(seen, FPS, 0.25)
    assert [len(one) for one in shown] == [0, 0, 0, 2, 2, 2, 2, 2, 2, 2]
    assert shown[7].boxes.tolist() == seen[2].boxes.tolist()
    assert baselines.stale(seen, FPS, 0.0) == seen


def test_linear_is_exact_on_a_straight_line() -> None:
    seen = walking(12)
    shown = baselines.linear(seen, FPS, 0.25)
    assert shown[4].boxes.tolist() == seen[0].boxes.tolist()  # one result gives no speed
    for frame in range(5, 12):
        assert shown[frame].boxes == pytest.approx(seen[frame].boxes, abs=0.01)


def test_linear_does_not_move_new_boxes_and_keeps_sizes() -> None:
    seen = walking(12)
    alone = detections([[20 + 5 * 2, 50, 60 + 5 * 2, 130]])
    grown = detections([[400, 40, 450, 140], [20, 50, 60, 130]])
    shown = baselines.linear([seen[0], seen[1], alone, seen[3], seen[4], grown, *seen[6:]], FPS, 0.25)
    assert shown[8].boxes.tolist()[0] == [400, 40, 450, 140]  # it is not in the result of frame 2
    assert (shown[8].boxes[1, 2:] - shown[8].boxes[1, :2]).tolist() == [40, 80]


def test_kalman_follows_constant_speed() -> None:
    seen = walking(60)
    shown = baselines.kalman(seen, FPS, 0.25)
    late, early = shown[55].boxes, shown[4].boxes
    assert early.tolist() == seen[0].boxes.tolist()
    assert late == pytest.approx(seen[55].boxes, abs=1.0)
    assert np.abs(baselines.stale(seen, FPS, 0.25)[55].boxes - seen[55].boxes).max() >= 15


def test_kalman_displays_the_newest_result_only() -> None:
    seen = walking(20)
    seen[5] = detections([[400, 50, 440, 130]])
    shown = baselines.kalman(seen, FPS, 0.25)
    assert [len(one) for one in shown[3:13]] == [2, 2, 2, 2, 2, 1, 1, 2, 2, 2]
    assert shown[8].boxes == pytest.approx(np.array([[400, 50, 440, 130]]), abs=1.0)


def test_forecast_keeps_track_ids() -> None:
    seen = walking(40)
    shown = baselines.forecast(seen, FPS, 0.25, IouTracker())
    assert [len(one) for one in shown[:3]] == [0, 0, 0]
    assert {tuple(one.ids.tolist()) for one in shown[3:]} == {(1, 2)}
    assert shown[35].boxes == pytest.approx(seen[35].boxes, abs=2.0)


@pytest.mark.parametrize("baseline", [baselines.stale, baselines.linear, baselines.kalman])
def test_frames_without_detections_are_empty(baseline: Baseline) -> None:
    nothing = [Detections.empty()] * 8
    assert [len(one) for one in baseline(nothing, FPS, 0.3)] == [0] * 8
    mixed = [Detections.empty(), *walking(7)]
    assert len(baseline(mixed, FPS, 0.0)[3]) == 2
    assert baseline([], FPS, 0.3) == []


@given(st.integers(0, 12), latencies, st.integers(0, 2**32 - 1))
def test_every_baseline_displays_the_detected_boxes(frames: int, latency_s: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    seen = []
    for _ in range(frames):
        corners = rng.uniform(0, 300, (rng.integers(0, 4), 2))
        seen.append(detections(np.concatenate([corners, corners + rng.uniform(0, 90, corners.shape)], axis=1)))
    plain = baselines.stale(seen, FPS, latency_s)
    for baseline in (baselines.linear, baselines.kalman):
        shown = baseline(seen, FPS, latency_s)
        assert [one.scores.tolist() for one in shown] == [one.scores.tolist() for one in plain]
