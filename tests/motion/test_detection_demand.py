"""`detector.every: auto` detects frames where both sides differ or something moves, and no others."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest

from streamer.flow.stats import DETECTED, RunStats
from streamer.motion import detection_demand
from streamer.motion.detection_demand import DetectionDemand, Reason
from streamer.motion.motion_field import MotionEstimator
from streamer.values.delivery import Detected
from tests.motion.drawn import FPS, HEIGHT, WIDTH, Drawn, Thing, camera, line
from tracking.types import Detections

SECOND = FPS
Boxes = Callable[[int], list[list[float]]]
RESTING = Thing(line(100, 80))


def detections(boxes: list[list[float]], label: int = 0) -> Detections:
    count = len(boxes)
    return Detections(np.array(boxes, np.float32), np.full(count, 0.9, np.float32), np.full(count, label, np.int32))


def nothing(_: int) -> list[list[float]]:
    return []


def chosen(scene: Drawn, found: Boxes, count: int, max_gap_s: float = 1.0) -> tuple[set[int], dict[str, int]]:
    """The detected frames of a scene, and how many for each reason."""
    stats = RunStats()
    demand = DetectionDemand(max_gap_s, stats)
    frames = [scene.frame(index) for index in range(count)]
    ends = [index for index in range(count) if demand.ends_gap(frames[index])]
    indices, gaps = set(ends), list(itertools.pairwise(ends))
    while gaps:
        first, last = gaps.pop()
        between = demand.between(*(Detected(frames[end], detections(found(end))) for end in (first, last)))
        if between is not None:
            indices.add(between)
            gaps += [(first, between), (between, last)]
    counts = {reason: n for (what, reason), n in stats.counts.items() if what == DETECTED}
    assert sum(counts.values()) == len(indices)
    return indices, counts


@pytest.mark.parametrize("max_gap_s", [0.5, 1.0])
def test_a_resting_picture_is_detected_once_per_longest_gap(max_gap_s: float) -> None:
    indices, _ = chosen(Drawn([RESTING]), lambda _: [[100, 80, 140, 110]], 2 * SECOND + 1, max_gap_s)
    assert indices == set(range(0, 61, round(max_gap_s * FPS)))


def test_the_frames_of_a_gap_need_limited_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detection_demand, "_MOST_BYTES", 10 * WIDTH * HEIGHT)
    indices, _ = chosen(Drawn([RESTING]), nothing, SECOND)
    assert max(np.diff(sorted(indices))) <= 10


def test_a_box_that_follows_its_object_needs_no_detection_in_between() -> None:
    scene = Drawn([Thing(line(40, 80, dx=3.0), width=60, height=60)])
    indices, _ = chosen(scene, lambda index: [[40 + 3.0 * index, 80, 100 + 3.0 * index, 140]], SECOND + 1)
    assert indices == {0, SECOND}


def test_a_box_that_stays_behind_its_object_is_detected_again() -> None:
    scene = Drawn([Thing(line(40, 80, dx=3.0), width=60, height=60)])
    indices, counts = chosen(scene, lambda _: [[40, 80, 100, 140]], SECOND + 1)
    assert len(indices) > 4
    assert counts[Reason.DIFFERENT] >= 3


@pytest.mark.parametrize("start", [3, 11, 26])
def test_the_frame_on_which_an_object_appears_is_found(start: int) -> None:
    indices, counts = chosen(Drawn([RESTING]), lambda index: [[100, 80, 140, 110]] * (index >= start), SECOND + 1)
    assert {start - 1, start} <= indices
    assert len(indices) <= 8
    assert set(counts) == {Reason.SHOT, Reason.GAP, Reason.DIFFERENT}


def test_a_class_that_changes_is_found() -> None:
    stats = RunStats()
    demand, scene = DetectionDemand(1.0, stats), Drawn([RESTING])
    frames = [scene.frame(index) for index in range(5)]
    for frame in frames:
        demand.ends_gap(frame)
    one, other = (detections([[100, 80, 140, 110]], label) for label in (0, 1))
    assert demand.between(Detected(frames[0], one), Detected(frames[4], one)) is None
    assert demand.between(Detected(frames[0], one), Detected(frames[4], other)) == 2
    assert demand.between(Detected(frames[0], one), Detected(frames[4])) is None  # the detector failed there


def test_motion_without_a_detection_is_detected() -> None:
    scene = Drawn([Thing(line(20, 80, dx=6.0), width=80, height=80)])
    indices, counts = chosen(scene, nothing, SECOND + 1)
    assert counts[Reason.MOVED] >= 2
    assert len(indices) < SECOND / 2


def test_a_moving_camera_alone_needs_no_detection() -> None:
    indices, _ = chosen(Drawn(camera=camera(x=2.0, zoom=1.002)), nothing, SECOND)
    assert indices == {0}


def test_both_sides_of_a_cut_are_detected() -> None:
    stats = RunStats()
    demand = DetectionDemand(1.0, stats)
    shots = [Drawn(seed=0), Drawn(seed=0), Drawn(seed=0), Drawn(seed=9), Drawn(seed=9)]
    frames = [scene.frame(index) for index, scene in enumerate(shots)]
    assert [index for index, frame in enumerate(frames) if demand.ends_gap(frame)] == [0, 3]
    found = [Detected(frame, detections([])) for frame in frames]
    assert demand.between(found[0], found[3]) == 2
    assert demand.between(found[2], found[3]) is None
    assert stats.counts == {(DETECTED, Reason.SHOT): 3}


def test_the_motion_is_handed_on() -> None:
    demand, own = DetectionDemand(1.0, RunStats()), MotionEstimator()
    frames = [Drawn([Thing(line(20, 80, dx=2.0))]).frame(index) for index in range(8)]
    for frame in frames:
        demand.ends_gap(frame)
    for frame in frames:
        handed, expected = demand.step(frame), own.step(frame)
        assert (handed is None) == (expected is None)
        if handed is not None and expected is not None:
            assert handed.points.tolist() == expected.points.tolist()
