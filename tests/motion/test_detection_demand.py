"""`detector.every: auto` detects the frames at which something has moved, and no others."""

from __future__ import annotations

import pytest

from streamer.flow.stats import DETECTED, RunStats
from streamer.motion.detection_demand import DetectionDemand, Reason, SharedMotion
from streamer.motion.motion_field import MotionEstimator
from tests.motion.drawn import FPS, Drawn, Thing, camera, line

SECOND = FPS


def resting_until(start: int, x: float, dx: float) -> Thing:
    """An object that begins to move at frame `start`, `dx` px per frame."""
    return Thing(lambda index: (x + dx * max(index - start, 0), 80.0))


def reasons(scene: Drawn, count: int, max_gap_s: float = 1.0) -> dict[int, Reason]:
    """The detected frames of a scene, and why."""
    demand, estimator = DetectionDemand(max_gap_s), MotionEstimator()
    found = {}
    for index in range(count):
        frame = scene.frame(index)
        reason = demand.reason(frame, estimator.step(frame))
        if reason is not None:
            found[index] = reason
    return found


@pytest.mark.parametrize("max_gap_s", [0.5, 1.0])
def test_a_resting_picture_is_detected_once_per_longest_gap(max_gap_s: float) -> None:
    found = reasons(Drawn([Thing(line(100, 80))]), 2 * SECOND + 1, max_gap_s)
    assert found == {
        0: Reason.SHOT,
        **dict.fromkeys(range(round(max_gap_s * FPS), 61, round(max_gap_s * FPS)), Reason.GAP),
    }


def test_a_moving_camera_alone_needs_no_detection() -> None:
    found = reasons(Drawn(camera=camera(x=2.0, zoom=1.002)), SECOND)
    assert found == {0: Reason.SHOT}


def test_what_begins_to_move_is_detected_soon() -> None:
    found = reasons(Drawn([resting_until(10, 100.0, 2.0)]), SECOND)
    first = min(index for index in found if index > 0)
    assert 10 < first <= 16
    assert found[first] == Reason.NEW


def test_faster_motion_is_detected_more_often() -> None:
    slow, fast = (len(reasons(Drawn([Thing(line(20, 80, dx=dx))]), SECOND)) for dx in (1.0, 4.0))
    assert 1 < slow < fast < SECOND
    assert Reason.MOVED in reasons(Drawn([Thing(line(20, 80, dx=1.0))]), SECOND).values()


def test_the_first_frame_of_a_shot_is_detected() -> None:
    demand, estimator = DetectionDemand(1.0), MotionEstimator()
    shots = [Drawn(seed=0).frame(0), Drawn(seed=0).frame(1), Drawn(seed=9).frame(2), Drawn(seed=9).frame(3)]
    found = [demand.reason(frame, estimator.step(frame)) for frame in shots]
    assert found == [Reason.SHOT, None, Reason.SHOT, None]


def test_reasons_are_counted_and_the_motion_is_handed_on() -> None:
    stats = RunStats()
    shared, own = SharedMotion(DetectionDemand(1.0), stats), MotionEstimator()
    frames = [Drawn([Thing(line(20, 80, dx=2.0))]).frame(index) for index in range(8)]
    selected = [shared.selects(frame) for frame in frames]
    assert sum(selected) == sum(n for (what, _), n in stats.counts.items() if what == DETECTED)
    for frame in frames:
        handed, expected = shared.step(frame), own.step(frame)
        assert (handed is None) == (expected is None)
        if handed is not None and expected is not None:
            assert handed.points.tolist() == expected.points.tolist()
