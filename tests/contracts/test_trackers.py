"""The contract of `tracking.types.Tracker`, for every registered tracker with its default options."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.registry import TRACKERS
from tests.tracking.boxes import by_place, detections, grid, same
from tracking.types import Carried, Detections, Origin, Tracker, Tracks

Boxes = npt.NDArray[np.float64]
NewTracker = Callable[[], Tracker]
STEP_S = 0.04


@pytest.fixture(params=list(TRACKERS), scope="module")
def new_tracker(request: pytest.FixtureRequest) -> NewTracker:
    factory: NewTracker = TRACKERS[request.param]
    return factory


@st.composite
def scenes(draw: st.DrawFn) -> list[Detections]:
    """Frames of a few boxes that appear, disappear, overlap and coincide."""
    corner = st.sampled_from([0.0, 5.0, 12.0, 30.0, 31.5, 200.0])
    side = st.sampled_from([0.0, 10.0, 11.0, 40.0])
    box = st.tuples(corner, corner, side, side).map(lambda b: (b[0], b[1], b[0] + b[2], b[1] + b[3]))
    row = st.tuples(box, st.sampled_from([0.1, 0.5, 0.95]), st.integers(0, 1))
    frames = draw(st.lists(st.lists(row, max_size=5), min_size=1, max_size=8))
    return [
        Detections(
            np.array([r[0] for r in rows], np.float32).reshape(-1, 4),
            np.array([r[1] for r in rows], np.float32),
            np.array([r[2] for r in rows], np.int32),
        )
        for rows in frames
    ]


times_s = st.lists(st.sampled_from([0.0, 0.02, 0.04, 0.5, 3.0, 100.0, -0.04, -50.0]), min_size=8, max_size=8)


def confirmed_ids(tracks: Tracks) -> list[int]:
    return sorted(tracks.ids[tracks.confirmed].tolist())


@settings(max_examples=60, deadline=None)
@given(frames=scenes(), seed=st.integers(0, 1000))
def test_the_order_of_detections_does_not_matter(new_tracker: NewTracker, frames: list[Detections], seed: int) -> None:
    rng = np.random.default_rng(seed)
    one, other = new_tracker(), new_tracker()
    for k, seen in enumerate(frames):
        shuffled = seen.select(rng.permutation(len(seen)))
        assert same(one.update(seen, k * STEP_S), other.update(shuffled, k * STEP_S))


@settings(max_examples=40, deadline=None)
@given(
    steps=st.lists(st.tuples(st.floats(-3, 3), st.floats(-3, 3)), min_size=2, max_size=25),
    count=st.integers(1, 20),
    miss=st.integers(0, 1000),
)
def test_ids_never_swap_while_boxes_do_not_overlap(
    new_tracker: NewTracker, steps: list[tuple[float, float]], count: int, miss: int
) -> None:
    tracker, rng = new_tracker(), np.random.default_rng(miss)
    place = np.zeros(2)
    owner: dict[int, int] = {}
    for k, step in enumerate(steps):
        place += step
        visible = rng.random(count) > 0.1
        boxes = grid(count, (float(place[0]), float(place[1])))
        tracks = tracker.update(detections(boxes[visible]), k * STEP_S)
        for track_id, box in zip(tracks.ids.tolist(), tracks.boxes, strict=True):
            nearest = int(np.abs(boxes - box).sum(axis=1).argmin())
            assert owner.setdefault(track_id, nearest) == nearest


@settings(max_examples=80, deadline=None)
@given(frames=scenes(), jumps=times_s)
def test_jumps_in_time_do_not_corrupt_the_state(
    new_tracker: NewTracker, frames: list[Detections], jumps: list[float]
) -> None:
    tracker = new_tracker()
    for seen, time_s in zip(frames, itertools.accumulate(jumps), strict=False):
        tracks = tracker.update(seen, time_s)
        assert len(set(tracks.ids.tolist())) == len(tracks)
        assert (tracks.age_s >= tracks.unseen_s).all()
        assert (tracks.unseen_s >= 0).all()
    # Whatever happened: a calm scene that follows is followed, under ids that stay.
    calm = detections(grid(4, (1000.0, 1000.0)))
    shown = [tracker.update(calm, 2000.0 + k * STEP_S) for k in range(30)]
    assert by_place(shown[-1]) == by_place(shown[-5])
    assert len(shown[-1]) == 4


@settings(max_examples=60, deadline=None)
@given(frames=scenes(), ahead_s=st.sampled_from([-1e9, -0.3, 0.0, 0.1, 0.9, 5.0, 1e9]))
def test_predicting_changes_nothing(new_tracker: NewTracker, frames: list[Detections], ahead_s: float) -> None:
    asked, quiet = new_tracker(), new_tracker()
    for k, seen in enumerate(frames):
        assert same(asked.update(seen, k * STEP_S), quiet.update(seen, k * STEP_S))
        assert same(asked.predict(k * STEP_S + ahead_s), asked.predict(k * STEP_S + ahead_s))


@settings(max_examples=60, deadline=None)
@given(frames=scenes())
def test_ids_start_at_1_increase_and_are_never_used_again(new_tracker: NewTracker, frames: list[Detections]) -> None:
    tracker = new_tracker()
    highest, gone, before = 0, set[int](), set[int]()
    for k in range(3):
        for j, seen in enumerate(frames):
            ids = set(confirmed_ids(tracker.update(seen, j * STEP_S)))
            fresh = {i for i in ids if i > highest}
            assert not (ids - fresh) & gone
            assert fresh == set(range(highest + 1, highest + 1 + len(fresh)))
            highest = max(ids | {highest})
            before |= ids
        tracker.reset()
        gone |= before
        assert len(tracker.predict(k * STEP_S)) == 0


def test_two_instances_share_nothing(new_tracker: NewTracker) -> None:
    one, other = new_tracker(), new_tracker()
    assert confirmed_ids(one.update(detections(grid(3)), 0.0)) == [1, 2, 3]
    assert confirmed_ids(other.update(detections(grid(2)), 0.0)) == [1, 2]


def test_a_reset_tracker_behaves_like_a_new_one_with_continued_ids(new_tracker: NewTracker) -> None:
    used, new = new_tracker(), new_tracker()
    for k in range(20):
        used.update(detections(grid(k % 5), 0.3), k * STEP_S)
    last = max(confirmed_ids(used.predict(19 * STEP_S)), default=0)
    used.reset()
    for k in range(10):
        seen = detections(grid(3 if k % 4 else 2), 0.9)
        again, first = used.update(seen, k * STEP_S), new.update(seen, k * STEP_S)
        assert np.array_equal(again.boxes, first.boxes)
        offsets = set((again.ids - first.ids).tolist())
        assert len(offsets) == 1
        assert offsets.pop() >= last


def test_empty_frames_are_fine(new_tracker: NewTracker) -> None:
    tracker = new_tracker()
    for k in range(100):
        assert len(tracker.update(Detections.empty(), k * STEP_S)) == 0
    for k in range(100, 105):
        tracks = tracker.update(detections(grid(2)), k * STEP_S)
    assert confirmed_ids(tracks) == [1, 2]


def test_a_detected_track_lies_on_its_detection(new_tracker: NewTracker) -> None:
    tracker = new_tracker()
    for k in range(10):
        boxes = grid(3, (2.0 * k, 0.0))
        tracks = tracker.update(
            Detections(boxes, np.full(3, 0.8, np.float32), np.array([5, 6, 7], np.int32)), k * STEP_S
        )
    order = np.argsort(tracks.boxes[:, 0])
    assert tracks.boxes[order] == pytest.approx(boxes, abs=2)
    assert tracks.labels[order].tolist() == [5, 6, 7]
    assert tracks.scores == pytest.approx([0.8] * 3)
    assert tracks.origin.tolist() == [Origin.DETECTED] * 3
    assert tracks.age_s == pytest.approx([9 * STEP_S] * 3, abs=1e-6)
    assert tracks.unseen_s.tolist() == [0, 0, 0]


def test_predicts_the_position_of_a_steady_object(new_tracker: NewTracker) -> None:
    tracker = new_tracker()
    for k in range(50):
        tracker.update(detections([(4.0 * k, 10, 4.0 * k + 40, 90)]), k * STEP_S)
    ahead = tracker.predict(49 * STEP_S + 0.5)
    assert ahead.velocities[0] == pytest.approx([100, 0], abs=5)
    assert ahead.boxes[0] == pytest.approx([4 * 49 + 50, 10, 4 * 49 + 90, 90], abs=4)
    assert ahead.unseen_s == pytest.approx([0.5], abs=1e-6)
    assert ahead.origin.tolist() == [Origin.PREDICTED]


@pytest.mark.parametrize("rates", [(25, 25), (25, 5), (5, 30), (60, 10)])
def test_a_change_of_rate_keeps_the_ids(new_tracker: NewTracker, rates: tuple[int, int]) -> None:
    tracker, time_s = new_tracker(), 0.0
    owners = []
    for fps in rates:
        for _ in range(2 * fps):
            time_s += 1 / fps
            tracks = tracker.update(detections(grid(6, (30 * time_s, 0.0))), time_s)
        owners.append(tracks.ids[np.argsort(tracks.boxes[:, 0])].tolist())
    assert owners[0] == owners[1]
    assert sorted(owners[0]) == [1, 2, 3, 4, 5, 6]


def test_a_short_gap_keeps_the_ids_of_moving_objects(new_tracker: NewTracker) -> None:
    tracker = new_tracker()
    shown = {}
    for k in (*range(30), *range(42, 45)):
        shown[k] = tracker.update(detections(grid(4, (2.0 * k, 0.0))), k * STEP_S)
    order_before, order_after = (shown[k].ids[np.argsort(shown[k].boxes[:, 0])].tolist() for k in (29, 44))
    assert order_before == order_after


@pytest.mark.parametrize("time_s", [float("nan"), float("inf"), float("-inf")])
def test_an_invalid_time_is_refused_without_a_change(new_tracker: NewTracker, time_s: float) -> None:
    tracker = new_tracker()
    before = tracker.update(detections(grid(2)), 0.0)
    with pytest.raises(ValueError, match="finite"):
        tracker.update(detections(grid(2)), time_s)
    with pytest.raises(ValueError, match="finite"):
        tracker.predict(time_s)
    assert same(tracker.predict(0.0), before)


class Pan:
    """The motion of a camera that turned; records the boxes that it was asked for."""

    def __init__(self, x_px: float) -> None:
        self.shift = np.array([x_px, 0.0, x_px, 0.0])
        self.asked: list[Boxes] = []

    def carry(self, boxes: Boxes) -> Carried:
        self.asked.append(boxes.copy())
        return Carried(boxes + self.shift, boxes + self.shift, np.ones(len(boxes), np.bool_))


def test_it_announces_the_boxes_that_its_motion_must_carry(new_tracker: NewTracker) -> None:
    tracker, rng = new_tracker(), np.random.default_rng(0)
    for k in range(20):
        announced, again = tracker.to_carry(), tracker.to_carry()
        assert np.array_equal(announced, again)
        motion = Pan(3.0)
        seen = detections(grid(6, (3.0 * k, 0.0)))
        tracker.update(seen.select(rng.random(len(seen)) < 0.8), k * STEP_S, motion if k else None)
        assert all(np.array_equal(asked, announced) for asked in motion.asked)


def test_a_pan_of_the_camera_keeps_the_ids(new_tracker: NewTracker) -> None:
    """The camera turns so far that each object is at the old place of its neighbour."""
    tracker, owners = new_tracker(), []
    for k in range(12):
        pan_px = 100.0 if k == 11 else 0.0
        tracks = tracker.update(detections(grid(4, (pan_px, 0.0))), k * STEP_S, Pan(pan_px) if k else None)
        owners.append(tracks.ids[np.argsort(tracks.boxes[:, 0])].tolist())
    assert len(owners[10]) == 4
    assert owners[11] == owners[10]
