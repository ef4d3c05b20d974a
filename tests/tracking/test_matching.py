"""Matching with a known answer: crowds, crossings, weak detections and a jerked camera."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from tests.tracking.boxes import BoxArray, detections
from tracking.boxes import to_centres
from tracking.cascade import CascadeTracker
from tracking.iou import IouTracker
from tracking.matching import Match, SortedDetections, Stage, match, match_in_stages
from tracking.types import Detections

STEP_S = 0.04
TRACKERS = [IouTracker, CascadeTracker]
JERK_PX = np.array([13.0, -6.0])
# Seven people of different sizes who do not touch each other, and one who is no wider than the camera's jerk.
APART = np.array(
    [
        [100, 200, 140, 280],
        [200, 195, 242, 285],
        [300, 210, 336, 280],
        [400, 190, 444, 290],
        [500, 200, 540, 282],
        [600, 205, 638, 279],
        [700, 200, 741, 284],
        [800, 230, 812, 260],
    ],
    np.float64,
)


def seen_of(boxes: Any, scores: Sequence[float] | None = None, labels: Sequence[int] | None = None) -> SortedDetections:
    array = np.asarray(boxes, np.float32)
    rows = np.zeros(len(array), np.int32) if labels is None else np.array(labels, np.int32)
    return SortedDetections.of(Detections(array, np.array(scores or [0.9] * len(array), np.float32), rows))


def pairs(found: Match, seen: SortedDetections, boxes: Any) -> dict[int, int]:
    """Row of the detection in `boxes` by row of the track."""
    given = np.asarray(boxes, np.float64)
    places = {tuple(box): index for index, box in enumerate(given.tolist())}
    return {int(row): places[tuple(seen.boxes[col].tolist())] for row, col in zip(found.rows, found.cols, strict=True)}


def matched(
    expected: Any,
    boxes: Any,
    *,
    expected_labels: Sequence[int] | None = None,
    labels: Sequence[int] | None = None,
    penalties: Sequence[float] | None = None,
    iou_min: float = 0.2,
) -> dict[int, int]:
    seen = seen_of(boxes, labels=labels)
    order = np.argsort(np.asarray(boxes)[:, 0], kind="stable")
    yields = np.zeros(len(seen.scores)) if penalties is None else np.array(penalties)[order]
    rows = None if expected_labels is None else np.array(expected_labels, np.int32)
    found = match(to_centres(np.asarray(expected, np.float64)), rows, seen, penalties=yields, iou_min=iou_min)
    return pairs(found, seen, boxes)


def in_stages(
    expected: Any, boxes: Any, stages: Sequence[Stage], *margin: float, labels: Any = (None, None)
) -> dict[int, int]:
    seen = seen_of(boxes, labels=labels[1])
    rows = None if labels[0] is None else np.array(labels[0], np.int32)
    found = match_in_stages(to_centres(np.asarray(expected, np.float64)), rows, seen, stages, *margin)
    return pairs(found, seen, boxes)


def stage(tracks: Sequence[bool], in_order: Sequence[bool], iou_min: float) -> Stage:
    return Stage(np.array(tracks), np.array(in_order), iou_min)


def queue_of_people(count: int, gap_px: float = 14.0) -> BoxArray:
    """People 40 px wide, so close that each overlaps two neighbours on either side."""
    left = 50 + gap_px * np.arange(count)
    return np.stack([left, np.full(count, 100.0), left + 40, np.full(count, 180.0)], axis=1).astype(np.float32)


def test_in_a_crowd_each_track_gets_its_nearest_detection() -> None:
    people = queue_of_people(9)
    assert matched(people, people + np.array([5, 2, 5, 2])) == {row: row for row in range(9)}


def test_the_sum_of_overlaps_is_maximal() -> None:
    """The second detection is nearest to the first track, but then the second track would have none."""
    expected = [[100, 100, 140, 180], [112, 100, 152, 180]]
    boxes = [[111, 100, 151, 180], [126, 100, 166, 180]]
    assert matched(expected, boxes, iou_min=0.3) == {0: 0, 1: 1}


def test_a_penalty_outweighs_a_little_more_overlap() -> None:
    expected, boxes = [[100, 100, 140, 180]], [[102, 100, 142, 180], [108, 100, 148, 180]]
    assert matched(expected, boxes) == {0: 0}
    assert matched(expected, boxes, penalties=[0.5, 0.0]) == {0: 1}
    assert matched(expected, boxes[:1], penalties=[0.95]) == {0: 0}, "it is better than none"


def test_overlap_in_height_outweighs_a_little_more_overlap() -> None:
    boxes = [[100, 135, 140, 200], [110, 100, 150, 200]]
    assert matched([[100, 100, 140, 200]], boxes) == {0: 1}


def test_labels_must_agree_if_given() -> None:
    expected, boxes = [[100, 100, 140, 180]], [[101, 100, 141, 180], [112, 100, 152, 180]]
    assert matched(expected, boxes, expected_labels=[3], labels=[2, 3]) == {0: 1}
    assert matched(expected, boxes, labels=[2, 3]) == {0: 0}


def jerked(found: int, offset: Any = JERK_PX, **options: Any) -> tuple[Match, dict[int, int]]:
    """The camera is jerked; of `APART` the first `found` and the last, narrow one are detected."""
    boxes = APART.copy()
    boxes[:, :2] += offset
    boxes[:, 2:] += offset
    rows = [*range(found), 7]
    seen = seen_of(boxes[rows], labels=options.get("labels"))
    expected_labels = options.get("expected_labels")
    result = match(
        to_centres(APART),
        None if expected_labels is None else np.array(expected_labels, np.int32),
        seen,
        penalties=np.zeros(len(rows)),
        iou_min=0.2,
    )
    by_row = pairs(result, seen, np.asarray(boxes[rows], np.float32))
    return result, {row: rows[index] for row, index in by_row.items()}


def test_camera_motion_is_applied_to_the_missed_tracks() -> None:
    result, by_row = jerked(6)
    assert by_row == {0: 0, 1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 7: 7}
    assert result.camera_shift == pytest.approx(JERK_PX)
    assert result.missed_at_first.tolist() == [6, 7]


def test_few_boxes_give_no_camera_motion() -> None:
    assert jerked(5)[1] == {0: 0, 1: 1, 2: 2, 3: 3, 4: 4, 7: 7}
    result, by_row = jerked(4)
    assert by_row == {0: 0, 1: 1, 2: 2, 3: 3}
    assert result.camera_shift.tolist() == [0, 0]
    assert result.missed_at_first.tolist() == []


def test_labels_count_after_camera_motion() -> None:
    of_tracks = [1] * 8
    assert 7 in jerked(6, expected_labels=of_tracks, labels=[1] * 7)[1]
    assert 7 not in jerked(6, expected_labels=of_tracks, labels=[1] * 6 + [2])[1]
    assert 7 in jerked(6, labels=[1] * 6 + [2])[1]


def test_after_camera_motion_the_labels_of_the_missed_tracks_count() -> None:
    """The labels are those of the missed rows, not of the first rows."""
    assert 7 in jerked(6, expected_labels=[1] * 7 + [2], labels=[1] * 6 + [2])[1]


@pytest.mark.parametrize("side", [1, -1])
def test_moving_objects_are_not_taken_for_camera_motion(side: int) -> None:
    boxes = APART.copy()
    boxes[:, :2] += JERK_PX
    boxes[:, 2:] += JERK_PX
    boxes[:3, [0, 2]] += side * 9.0
    boxes[:2, [1, 3]] += side * 4.0
    result = match(to_centres(APART), None, seen_of(boxes[:7]), penalties=np.zeros(7), iou_min=0.2)
    assert len(result.rows) == 7
    assert result.camera_shift == pytest.approx(JERK_PX)


@pytest.mark.parametrize(
    ("offset", "taken"),
    [((0.4, -0.3), False), ((-0.4, 0.3), False), ((0.0, -2.0), True), ((2.0, 0.0), True), ((0.1, 2.0), True)],
)
def test_a_shift_below_a_hundredth_of_a_size_is_noise(offset: tuple[float, float], taken: bool) -> None:
    result = jerked(6, np.array(offset))[0]
    assert result.camera_shift == pytest.approx(np.array(offset) if taken else [0, 0], abs=0.01)
    assert result.missed_at_first.tolist() == ([6] if taken else [])


def test_without_missed_tracks_there_is_no_camera_shift() -> None:
    boxes = APART[:7] + np.array([*JERK_PX, *JERK_PX])
    result = match(to_centres(APART[:7]), None, seen_of(boxes), penalties=np.zeros(7), iou_min=0.2)
    assert len(result.rows) == 7
    assert result.missed_at_first.tolist() == []
    assert result.camera_shift.tolist() == [0, 0]


def test_penalties_count_after_camera_motion() -> None:
    boxes = np.concatenate([APART[:6], APART[7:], APART[7:] + np.array([2, 0, 2, 0])])
    boxes += np.array([*JERK_PX, *JERK_PX])
    seen = seen_of(boxes)
    penalties = np.array([0.0] * 6 + [0.6, 0.0])
    found = match(to_centres(APART), None, seen, penalties=penalties, iou_min=0.2)
    assert pairs(found, seen, np.asarray(boxes, np.float32))[7] == 7


def test_the_order_of_detections_does_not_matter() -> None:
    """Also with several boxes at the same x: duplicates with different heights, scores and labels."""
    boxes = [[100, 100, 140, 180], [100, 90, 140, 180], [100, 100, 150, 180], [100, 100, 140, 170], [30, 100, 70, 180]]
    for values in ([0.9] * 5, [0.3, 0.5, 0.7, 0.9, 0.2]):
        usual = seen_of(boxes, values, [4, 3, 2, 1, 0])
        for order in ([4, 3, 2, 1, 0], [1, 0, 3, 4, 2]):
            other = seen_of([boxes[row] for row in order], [values[row] for row in order], [4 - row for row in order])
            assert other.boxes.tolist() == usual.boxes.tolist()
            assert other.scores.tolist() == usual.scores.tolist()
            assert other.labels.tolist() == usual.labels.tolist()
        assert usual.boxes[:, 0].tolist() == [30, 100, 100, 100, 100]


def test_a_later_stage_may_require_less_overlap() -> None:
    """Overlap 0.25: not enough for the first stage, enough for the second, in either order."""
    expected, boxes = [[100, 100, 140, 180]], [[124, 100, 164, 180]]
    strict, lax = stage([True], [True], 0.5), stage([True], [True], 0.2)
    assert in_stages(expected, boxes, [strict, lax]) == {0: 0}
    assert in_stages(expected, boxes, [lax, strict]) == {0: 0}
    assert in_stages(expected, boxes, [strict]) == {}


def test_a_later_stage_gets_only_the_unmatched() -> None:
    expected = [[100, 100, 140, 180], [106, 100, 146, 180]]
    boxes = [[101, 100, 141, 180], [112, 100, 152, 180]]
    first = stage([False, True], [True, False], 0.3)
    assert in_stages(expected, boxes, [first, stage([True, True], [True, True], 0.3)]) == {1: 0, 0: 1}
    assert in_stages(expected, boxes, [stage([True, True], [True, True], 0.3), first]) == {0: 0, 1: 1}


def test_only_the_masked_take_part_in_a_stage() -> None:
    expected, boxes = [[100, 100, 140, 180]], [[101, 100, 141, 180], [108, 100, 148, 180]]
    assert in_stages(expected, boxes, [stage([True], [False, True], 0.3)]) == {0: 1}
    assert in_stages(expected, boxes, [stage([False], [True, True], 0.3)]) == {}


def test_a_margin_finds_objects_that_left_their_box() -> None:
    """45 px between two updates, with boxes 40 px wide and 80 high."""
    expected, boxes = [[100, 100, 140, 180]], [[145, 100, 185, 180]]
    everybody = [stage([True], [True], 0.2)]
    assert in_stages(expected, boxes, everybody) == {}
    assert in_stages(expected, boxes, everybody, 0.5) == {0: 0}


@pytest.mark.parametrize(("apart_px", "found"), [(60, {0: 0}), (70, {})])
def test_the_margin_is_in_units_of_the_box_size(apart_px: int, found: dict[int, int]) -> None:
    """With half of their size, the root of 40 x 80, boxes are 96.6 px wide; 64.4 px apart they overlap by 0.2."""
    expected, boxes = [[100, 100, 140, 180]], [[100 + apart_px, 100, 140 + apart_px, 180]]
    assert in_stages(expected, boxes, [stage([True], [True], 0.2)], 0.5) == found


def test_with_a_margin_large_and_small_boxes_stay_separate() -> None:
    """A large box begins further left than a small one only if both have their margins."""
    expected = [[300, 100, 310, 120], [306, 80, 406, 180]]
    boxes = [[302, 101, 312, 121], [309, 82, 409, 182]]
    everybody = [stage([True, True], [True, True], 0.2)]
    assert in_stages(expected, boxes, everybody, 0.4) == {0: 0, 1: 1}
    assert in_stages(expected, boxes, everybody, 0.4, labels=([5, 6], [5, 6])) == {0: 0, 1: 1}
    assert in_stages(expected, boxes, everybody, 0.4, labels=([5, 6], [6, 5])) == {}


def test_camera_motion_is_applied_after_the_stages() -> None:
    boxes = (APART + np.array([*JERK_PX, *JERK_PX]))[[*range(6), 7]]
    seen = seen_of(boxes)
    everybody = Stage(np.ones(8, np.bool_), np.ones(7, np.bool_), 0.2)
    found = match_in_stages(to_centres(APART), None, seen, [everybody])
    assert pairs(found, seen, np.asarray(boxes, np.float32)) == {0: 0, 1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 7: 6}
    strict = match_in_stages(to_centres(APART), None, seen, [everybody, everybody._replace(iou_min=1.0)])
    assert 7 in strict.rows.tolist(), "moved by the whole jerk it fits exactly"


# Whole trackers


def ids_along(
    new_tracker: Callable[[], Any], people: Callable[[int], tuple[Any, Any]], frames: int
) -> list[dict[int, int]]:
    """For each frame the id by the number of the person; `people` returns numbers and boxes of a frame."""
    tracker, told = new_tracker(), []
    for k in range(frames):
        numbers, boxes = people(k)
        tracks = tracker.update(detections(boxes), k * STEP_S + 7.0)
        by_person = {}
        for number, box in zip(numbers, np.asarray(boxes, np.float64), strict=True):
            distances = np.abs(tracks.boxes - box).sum(axis=1)
            if len(distances) and distances.min() < 50:
                by_person[int(number)] = int(tracks.ids[distances.argmin()])
        told.append(by_person)
    return told


@pytest.mark.parametrize("new_tracker", TRACKERS)
def test_a_walking_crowd_keeps_its_ids(new_tracker: Callable[[], Any]) -> None:
    people = queue_of_people(10)

    def walking(k: int) -> tuple[Any, Any]:
        paces = np.array([4.0 + 0.05 * (number % 3) for number in range(10)]) * k
        return range(10), people + np.stack([paces, np.zeros(10), paces, np.zeros(10)], axis=1)

    told = ids_along(new_tracker, walking, 40)
    assert len(told[-1]) == 10
    assert told[-1] == told[0]


@pytest.mark.parametrize("new_tracker", TRACKERS)
def test_a_tall_and_a_small_person_keep_their_ids_when_crossing(new_tracker: Callable[[], Any]) -> None:
    def crossing(k: int) -> tuple[Any, Any]:
        tall, small = 100 + 5.0 * k, 300 - 5.0 * k
        return (0, 1), [[tall, 60, tall + 50, 180], [small, 110, small + 40, 180]]

    told = ids_along(new_tracker, crossing, 41)
    assert told[0] == told[-1] == {0: told[0][0], 1: told[0][1]}
    assert told[0][0] != told[0][1]


@pytest.mark.parametrize("new_tracker", TRACKERS)
def test_ids_survive_a_jerk_of_the_camera(new_tracker: Callable[[], Any]) -> None:
    def people(k: int) -> tuple[Any, Any]:
        offset = np.array([*JERK_PX, *JERK_PX]) * (k >= 20)
        numbers = [*range(8)] if k != 20 else [0, 1, 2, 3, 4, 5, 7]
        return numbers, (APART + offset)[numbers]

    told = ids_along(new_tracker, people, 30)
    assert told[20] == {number: told[19][number] for number in (0, 1, 2, 3, 4, 5, 7)}
    assert told[-1] == told[19]


@pytest.mark.parametrize("new_tracker", TRACKERS)
def test_a_weak_detection_beside_a_strong_one_takes_no_track(new_tracker: Callable[[], Any]) -> None:
    tracker = new_tracker()
    for k in range(15):
        tracker.update(detections(APART[:7]), k * STEP_S)
    beside = APART[:7] + np.array([1, 0, 1, 0])
    both = np.concatenate([beside, APART[:7]]).astype(np.float32)
    scores = np.array([0.9] * 7 + [0.35] * 7, np.float32)
    tracks = tracker.update(Detections(both, scores, np.zeros(14, np.int32)), 15 * STEP_S)
    assert sorted(tracks.ids.tolist()) == [1, 2, 3, 4, 5, 6, 7]
    assert tracks.scores == pytest.approx([0.9] * 7)
