"""The expected gain of a detection: it grows with time, with wrong boxes and with motion that no box explains."""

from __future__ import annotations

import numpy as np
import pytest

from streamer.motion.expected_gain import ExpectedGain, wrong_share
from streamer.motion.motion_field import MotionEstimator
from streamer.motion.unexplained_motion import UnexplainedMotion
from tests.motion.drawn import FPS, Drawn, Thing, flat, frame_of, line
from tracking.types import Origin, Tracks

BOX = (100.0, 80.0, 148.0, 144.0)
ELSEWHERE = (20.0, 20.0, 60.0, 60.0)


def tracks(*boxes: tuple[float, float, float, float]) -> Tracks:
    count = len(boxes)
    zero = np.zeros(count, np.float32)
    return Tracks(
        ids=np.arange(1, count + 1),
        boxes=np.array(boxes, np.float32).reshape(-1, 4),
        scores=zero + 1,
        labels=np.zeros(count, np.int32),
        velocities=np.zeros((count, 2), np.float32),
        age_s=zero,
        unseen_s=zero,
        origin=np.full(count, Origin.DETECTED, np.uint8),
        confirmed=np.ones(count, np.bool_),
    )


def after_results(shown: Tracks, found: Tracks, *, every: int = 15, count: int = 5) -> ExpectedGain:
    """The gain of a stream with a result every half a second; the last one for the frame at `every * count`."""
    gain = ExpectedGain()
    for index in range(every * count + 1):
        frame = frame_of(flat(128), index)
        gain.shown(frame, shown)
        if index % every == 0:
            gain.detected(frame, found)
    return gain


def test_it_grows_until_the_next_result() -> None:
    gain = after_results(tracks(BOX), tracks(BOX))
    values = [gain.at(2.5 + age_s) for age_s in (0.0, 0.1, 0.5, 1.0, 2.0)]
    assert values[0] == 0.0
    assert values == sorted(set(values))


def test_it_is_higher_where_results_found_wrong_boxes() -> None:
    right, wrong = after_results(tracks(BOX), tracks(BOX)), after_results(tracks(BOX), tracks(ELSEWHERE))
    assert wrong.at(3.0) > 5 * right.at(3.0)


def test_an_empty_scene_has_a_small_gain() -> None:
    empty, busy = after_results(tracks(), tracks()), after_results(tracks(BOX), tracks(ELSEWHERE))
    assert 0 < empty.at(3.0) < busy.at(3.0) / 5


def test_boxes_that_become_right_lower_it_within_seconds() -> None:
    gain = after_results(tracks(BOX), tracks(ELSEWHERE))
    before = gain.at(3.0)
    for index in range(76, 76 + 6 * FPS):
        frame = frame_of(flat(128), index)
        gain.shown(frame, tracks(BOX))
        if index % 15 == 0:
            gain.detected(frame, tracks(BOX))
    last_s = 75 / FPS + 6.0
    assert gain.at(last_s + 0.5) < before / 2


def test_without_frames_it_is_positive() -> None:
    assert ExpectedGain().at(100.0) > 0


def played(scene: Drawn, detected: int, until: int, boxes: Tracks) -> ExpectedGain:
    """The gain after the frames up to `until`, one of them detected."""
    gain, estimator = ExpectedGain(), MotionEstimator()
    for index in range(until + 1):
        frame = scene.frame(index)
        gain.shown(frame, boxes)
        gain.moved(frame, estimator.step(frame))
        if index == detected:
            gain.detected(frame, boxes)
    return gain


def begins_to_move(start: int) -> Thing:
    return Thing(lambda index: (100.0 + 2.0 * max(index - start, 0), 80.0))


def test_something_that_begins_to_move_raises_it_at_once() -> None:
    moving, resting = Drawn([begins_to_move(20)]), Drawn([begins_to_move(99)])
    for until, factor in ((20, 1.01), (28, 5.0)):
        one, other = (played(scene, 10, until, tracks()).at(until / FPS) for scene in (moving, resting))
        assert one > 0
        assert (one > factor * other) == (until == 28)


def test_a_cut_raises_it_until_a_frame_of_the_new_shot_is_detected() -> None:
    gain, estimator = ExpectedGain(), MotionEstimator()
    frames = [Drawn(seed=0).frame(0), Drawn(seed=0).frame(1), Drawn(seed=9).frame(2), Drawn(seed=9).frame(3)]
    values = []
    for frame in frames:
        gain.shown(frame, tracks())
        gain.moved(frame, estimator.step(frame))
        if frame.index == 0:
            gain.detected(frame, tracks())
        values.append(gain.at(frame.captured_s + 1.0))
    assert values[2] > 5 * values[1]
    gain.detected(frames[1], tracks())  # a late result for the shot before
    assert gain.at(frames[3].captured_s + 1.0) > 5 * values[1]
    gain.detected(frames[3], tracks())
    assert gain.at(frames[3].captured_s + 1.0) < 2 * values[1]


def unexplained(scene: Drawn, *, detected: int | None = None, until: int, boxed: bool = False) -> float:
    motion, estimator = UnexplainedMotion(), MotionEstimator()
    for index in range(until + 1):
        frame = scene.frame(index)
        field = estimator.step(frame)
        if field is not None:
            motion.add(frame, scene.boxes(index) if boxed else np.empty((0, 4)), field)
    if detected is not None:
        motion.detected(detected)
    return motion.objects


def test_motion_in_a_box_is_explained() -> None:
    scene = Drawn([Thing(line(40, 80, dx=2.0))])
    assert unexplained(scene, until=20) == 1.0
    assert unexplained(scene, until=20, boxed=True) < 0.2


def test_motion_before_a_detected_frame_is_explained() -> None:
    scene = Drawn([Thing(line(40, 80, dx=2.0))])
    assert unexplained(scene, until=20, detected=20) == 0.0
    assert unexplained(Drawn([begins_to_move(12)]), until=24, detected=10) == 1.0


@pytest.mark.parametrize(
    ("shown", "found", "share"),
    [([], [], 0.0), ([BOX], [BOX], 0.0), ([BOX], [ELSEWHERE], 1.0), ([BOX, BOX], [BOX], 1 / 3), ([], [BOX], 1.0)],
)
def test_the_share_of_wrong_boxes_counts_both_sides(
    shown: list[tuple[float, ...]], found: list[tuple[float, ...]], share: float
) -> None:
    assert wrong_share(np.array(shown).reshape(-1, 4), np.array(found).reshape(-1, 4)) == pytest.approx(share)
