"""The cascade tracker: strong detections first, and adaptation to the rate of the detector."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from tests.tracking.boxes import detections, grid
from tracking.cascade import CascadeTracker
from tracking.types import Carried, Detections

STEP_S = 0.04


def together(*parts: Detections) -> Detections:
    return Detections(
        np.concatenate([part.boxes for part in parts]),
        np.concatenate([part.scores for part in parts]),
        np.concatenate([part.labels for part in parts]),
    )


def followed(count: int = 3, frames: int = 20, step_s: float = STEP_S) -> tuple[CascadeTracker, float]:
    """A tracker with tracks at rest, and the time of the last frame."""
    tracker = CascadeTracker()
    for k in range(frames):
        tracker.update(detections(grid(count)), k * step_s)
    return tracker, (frames - 1) * step_s


def test_a_weak_detection_keeps_a_known_track_alive() -> None:
    tracker, last_s = followed()
    for k in range(1, 6):
        tracks = tracker.update(detections(grid(3), score=0.3), last_s + k * STEP_S)
        assert tracks.unseen_s.tolist() == [0.0] * len(tracks)
    strong = tracker.update(detections(grid(3)), last_s + 6 * STEP_S)
    assert sorted(strong.ids.tolist()) == [1, 2, 3]


def test_a_weak_object_is_returned_after_a_longer_probation() -> None:
    tracker, last_s = followed()
    weak = grid(4)[3:]
    for k in range(1, 10):
        seen = together(detections(grid(3)), detections(weak, score=0.3))
        assert sorted(tracker.update(seen, last_s + k * STEP_S).ids.tolist()) == [1, 2, 3]


def test_a_strong_detection_wins_over_a_weak_one_with_more_overlap() -> None:
    """A partly occluded neighbour causes weak boxes on both objects."""
    tracker, last_s = followed(1)
    strong, weak = grid(1, (6.0, 0.0)), grid(1)
    tracks = tracker.update(together(detections(weak, score=0.3), detections(strong)), last_s + STEP_S)
    assert tracks.ids.tolist() == [1]
    assert tracks.scores.tolist() == pytest.approx([0.9])


@pytest.mark.parametrize(("step_s", "at_once"), [(0.04, False), (0.5, True)])
def test_a_slow_detector_confirms_a_strong_new_object_at_once(step_s: float, at_once: bool) -> None:
    tracker, last_s = followed(3, 6, step_s)
    tracks = tracker.update(detections(grid(4)), last_s + step_s)
    assert (4 in tracks.ids.tolist()) == at_once


@pytest.mark.parametrize(("step_s", "kept"), [(0.04, True), (0.5, False)])
def test_a_missed_track_is_returned_with_a_fast_detector_only(step_s: float, kept: bool) -> None:
    tracker, last_s = followed(3, 6, step_s)
    tracks = tracker.update(detections(grid(2)), last_s + step_s)
    assert (3 in tracks.ids.tolist()) == kept


def test_a_slow_detector_finds_objects_that_left_their_box() -> None:
    """45 px between two updates, with boxes 40 px wide."""
    tracker = CascadeTracker()
    ids = [
        tracker.update(detections([(100.0 + 45 * k, 100, 140 + 45 * k, 180)]), 0.6 * k).ids.tolist() for k in range(8)
    ]
    assert ids == [[1]] * 8


def test_a_slow_detector_extrapolates_steady_motion_only() -> None:
    def moved_ahead_px(places: list[float]) -> float:
        tracker = CascadeTracker()
        for k, x in enumerate(places):
            boxes = grid(6, (x, 0.0))
            tracks = tracker.update(detections(boxes), 0.4 * k)
        later = tracker.predict(0.4 * len(places))
        return float((later.boxes - tracks.boxes)[:, 0].mean())

    steady = [15.0 * k for k in range(20)]
    assert moved_ahead_px(steady) == pytest.approx(15.0, abs=3)
    swaying = [12.0 * (k % 2) for k in range(20)]
    assert abs(moved_ahead_px(swaying)) < 3


class Passing:
    """Motion by 12 px to the right of everything that overlaps a passing person."""

    def __init__(self, walker: tuple[float, float, float, float]) -> None:
        self._walker = np.array(walker)

    def carry(self, boxes: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> Carried:
        met = (boxes[:, 0] < self._walker[2]) & (boxes[:, 2] > self._walker[0])
        return Carried(boxes + 12.0 * met[:, None] * [1, 0, 1, 0], boxes, np.ones(len(boxes), np.bool_))


def test_an_occluded_track_does_not_move_with_the_occluder() -> None:
    tracker, stands = CascadeTracker(), (200.0, 100.0, 240.0, 180.0)
    for k in range(26):
        walker = (20.0 + 12 * k, 90.0, 80.0 + 12 * k, 190.0)
        hidden = walker[0] < stands[2] and walker[2] > stands[0]
        seen = detections([walker] if hidden else [walker, stands])
        tracks = tracker.update(seen, k * STEP_S, Passing((walker[0] - 12, 90.0, walker[2] - 12, 190.0)))
    assert sorted(tracks.ids.tolist()) == [1, 2]


def test_memory_is_counted_in_updates_if_they_are_rare() -> None:
    tracker, last_s = followed(1, 6, 2.0)
    tracker.update(Detections.empty(), last_s + 2.0)
    assert tracker.update(detections(grid(1)), last_s + 4.0).ids.tolist() == [1]


def test_ids_are_assigned_in_the_order_of_first_detection() -> None:
    tracker = CascadeTracker()
    shown = [tracker.update(detections(grid(1 + k // 5)), k * STEP_S).ids.tolist() for k in range(30)]
    assert all(set(one) <= set(other) for one, other in pairwise(shown))
    assert sorted(shown[-1]) == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    ("name", "value"),
    [("iou_min", 0.0), ("iou_min", 1.5), ("memory_s", 0.0), ("memory_s", float("inf")), ("coast_s", -1.0)],
)
def test_an_argument_outside_its_range_is_refused(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=name):
        CascadeTracker(**{name: value})  # type: ignore[arg-type]


def test_a_detection_that_only_its_score_hides_is_counted() -> None:
    tracker, last_s = followed(frames=40)
    mixed = together(detections(grid(3)), detections(grid(4)[3:], score=0.6, labels=[7]))
    for k in range(1, 51):
        tracks = tracker.update(mixed, last_s + k * STEP_S)
        assert 7 not in tracks.labels
    probation = 2  # a strong object is returned on the third frame
    assert tracker.hidden == {7: 50 - probation}
    tracker.reset()
    assert tracker.hidden == {7: 50 - probation}


def test_nothing_is_hidden_if_no_score_is_compared() -> None:
    tracker = CascadeTracker(shown_ratio=0.0, weak_confirm_s=0.0)
    tracker.update(detections(grid(3)), 0.0)
    mixed = together(detections(grid(3)), detections(grid(4)[3:], score=0.1, labels=[7]))
    shown = [7 in tracker.update(mixed, k * STEP_S).labels for k in range(1, 10)]
    assert shown == [False] * 2 + [True] * 7
    assert not tracker.hidden


def test_a_false_alarm_of_one_frame_is_not_counted_as_hidden() -> None:
    tracker, last_s = followed()
    tracker.update(together(detections(grid(3)), detections(grid(4)[3:], score=0.3)), last_s + STEP_S)
    assert not tracker.hidden
