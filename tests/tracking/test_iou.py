"""The IoU tracker; the contract of all trackers is in `tests/contracts/test_trackers.py`."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

from tests.tracking.boxes import detections, grid
from tracking.iou import IouTracker
from tracking.types import Detections, Origin, Tracks

FPS = 25.0
STEP_S = 1 / FPS


def run(tracker: IouTracker, frames: list[Detections], start_s: float = 0.0) -> list[Tracks]:
    return [tracker.update(seen, start_s + k * STEP_S) for k, seen in enumerate(frames)]


def test_objects_of_the_first_frame_are_confirmed_at_once() -> None:
    assert IouTracker().update(detections(grid(3)), 0.0).ids.tolist() == [1, 2, 3]


def test_a_false_alarm_is_never_returned_and_uses_no_id() -> None:
    tracker = IouTracker()
    with_alarm, without = detections(grid(2)), detections(grid(1))
    shown = run(tracker, [without, with_alarm, *[without] * 5, *[with_alarm] * 4])
    assert [len(tracks) for tracks in shown] == [1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2]
    assert shown[-1].ids.tolist() == [1, 2]


def test_probation_is_counted_in_seconds() -> None:
    for fps, frames in ((100, 6), (50, 4), (20, 2), (5, 2)):
        tracker = IouTracker(confirm_s=0.05)
        tracker.update(detections(grid(1)), 0.0)
        shown = [len(tracker.update(detections(grid(2)), k / fps)) for k in range(1, 12)]
        assert shown.index(2) + 1 == frames, f"at {fps} frames/s"


def test_a_weak_object_is_confirmed_later() -> None:
    tracker = IouTracker()
    tracker.update(detections(grid(5), 0.9), 0.0)
    seen = Detections(grid(6), np.array([0.9] * 5 + [0.4], np.float32), np.zeros(6, np.int32))
    shown = [len(tracker.update(seen, k * 0.1)) for k in range(1, 10)]
    assert shown == [5, 5, 5, 5, 5, 6, 6, 6, 6]


def test_a_weak_detection_with_much_more_overlap_gets_the_track() -> None:
    tracker = IouTracker()
    run(tracker, [detections(grid(6))] * 10)
    boxes = np.concatenate([grid(6), grid(1, (20.0, 0.0))])
    seen = Detections(boxes, np.array([0.3] + [0.9] * 6, np.float32), np.zeros(7, np.int32))
    shown = tracker.update(seen, 10 * STEP_S)
    assert shown.scores[shown.ids == 1].tolist() == pytest.approx([0.3])


def test_a_missed_track_keeps_its_id_within_its_memory() -> None:
    for missing_s, expected in ((0.8, 1), (1.2, 2)):
        tracker = IouTracker()
        run(tracker, [detections(grid(1))] * 10)
        empty = round(missing_s * FPS)
        run(tracker, [Detections.empty()] * empty, start_s=10 * STEP_S)
        shown = run(tracker, [detections(grid(1))] * 5, start_s=(10 + empty) * STEP_S)
        assert shown[-1].ids.tolist() == [expected]


def test_a_gap_longer_than_the_memory_drops_all_tracks() -> None:
    tracker = IouTracker(memory_s=1.0)
    tracker.update(detections(grid(2)), 0.0)
    assert tracker.update(detections(grid(2)), 0.9).ids.tolist() == [1, 2]
    assert tracker.update(detections(grid(2)), 5.0).ids.tolist() == [3, 4]


def test_a_missed_track_is_not_returned_after_coasting() -> None:
    tracker = IouTracker(coast_s=0.15)
    run(tracker, [detections(grid(1))] * 10)
    shown = run(tracker, [Detections.empty()] * 10, start_s=10 * STEP_S)
    assert [len(tracks) for tracks in shown] == [1, 1, 1, 0, 0, 0, 0, 0, 0, 0]
    assert shown[0].origin.tolist() == [Origin.PREDICTED]
    assert shown[0].unseen_s == pytest.approx([STEP_S])


def test_missed_tracks_are_not_returned_if_misses_mean_gone() -> None:
    tracker = IouTracker()
    run(tracker, [detections(grid(20))] * 5)
    run(tracker, [detections(grid(10))] * 10, start_s=5 * STEP_S)
    shown = run(tracker, [detections(grid(5))], start_s=15 * STEP_S)
    assert len(shown[0]) == 5


def test_labels_separate_tracks_only_with_per_class() -> None:
    cat, dog = detections(grid(1), labels=[0]), detections(grid(1), labels=[1])
    apart = IouTracker(confirm_s=0)
    apart.update(cat, 0.0)
    assert apart.update(dog, STEP_S).select(np.array([-1])).ids.tolist() == [2]
    together = IouTracker(per_class=False)
    together.update(cat, 0.0)
    shown = together.update(dog, STEP_S)
    assert (shown.ids.tolist(), shown.labels.tolist()) == ([1], [1])


def test_missed_tracks_move_with_the_camera() -> None:
    # All boxes jump by 12 px at once while the last of them is missed.
    tracker = IouTracker()
    run(tracker, [detections(grid(7))] * 10)
    jumped = grid(7, (12.0, 0.0))
    shown = tracker.update(detections(jumped[:6]), 10 * STEP_S)
    carried = shown.select(shown.ids == 7)
    assert carried.origin.tolist() == [Origin.PREDICTED]
    assert carried.boxes[0] == pytest.approx(jumped[6], abs=1)


def test_the_state_does_not_grow() -> None:
    # The full million frames are in `python -m benchmarks.tracker --frames-long`.
    tracker, sizes, highest = IouTracker(), [], 0
    for k in range(4000):
        x = k // 10 * 97 % 1920
        seen = detections([(x, 0, x + 40, 80)]) if k % 10 < 9 else Detections.empty()
        highest = max(highest, int(tracker.update(seen, k * STEP_S).ids.max(initial=0)))
        if k % 1000 == 999:
            sizes.append(len(pickle.dumps(tracker)))
    assert highest == 400
    assert max(sizes) - min(sizes) <= 64  # an id of more digits


@pytest.mark.parametrize(
    ("name", "value"),
    [("iou_min", 0.0), ("iou_min", 1.5), ("memory_s", 0.0), ("memory_s", float("nan")), ("coast_s", -1.0)],
)
def test_an_argument_outside_its_range_is_refused(name: str, value: float) -> None:
    settings: dict[str, Any] = {name: value}
    with pytest.raises(ValueError, match=name):
        IouTracker(**settings)


def test_detections_on_the_longer_probation_are_counted_as_hidden() -> None:
    tracker = IouTracker()
    tracker.update(detections(grid(3)), 0.0)
    strong, weak = detections(grid(3)), detections(grid(4)[3:], score=0.5, labels=[7])
    mixed = Detections(
        np.concatenate([strong.boxes, weak.boxes]),
        np.concatenate([strong.scores, weak.scores]),
        np.concatenate([strong.labels, weak.labels]),
    )
    shown = [7 in tracker.update(mixed, k * 0.05).labels for k in range(1, 21)]
    late, probation = shown.index(True), 1
    assert 0.5 <= late * 0.05 < 0.6
    assert tracker.hidden == {7: late - probation}
