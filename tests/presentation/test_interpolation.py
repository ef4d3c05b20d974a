"""Boxes between two detected frames follow the path of the object."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.motion.motion_field import MotionEstimator, MotionField, still
from streamer.presentation.interpolation import Anchor, interpolated, joined
from streamer.values.frame import Frame
from tests.motion.drawn import FPS, HEIGHT, RESTING, WIDTH, Array, Camera, Drawn, Thing, camera, flat, frame_of, iou
from tracking.types import Origin, Tracks

LAST = 12  # index of the later detection; the earlier one is on frame 0


def tracks(ids: Sequence[int], boxes: npt.ArrayLike, *, age_s: float = 0.0, unseen_s: float = 0.0) -> Tracks:
    """Tracks as a tracker returns them for a detected frame."""
    count = len(ids)
    return Tracks(
        ids=np.array(ids, np.int64),
        boxes=np.asarray(boxes, np.float32).reshape(-1, 4),
        scores=np.full(count, 0.5, np.float32),
        labels=np.arange(count, dtype=np.int32),
        velocities=np.zeros((count, 2), np.float32),
        age_s=np.full(count, age_s, np.float32),
        unseen_s=np.full(count, unseen_s, np.float32),
        origin=np.zeros(count, np.uint8),
        confirmed=np.ones(count, np.bool_),
    )


def bend(index: int) -> tuple[float, float]:
    """To the right, and down and up again."""
    return 60 + 6.0 * index, 90 - 1.2 * (index - LAST / 2) ** 2


class Passage:
    """The frames of a scene from one detection to the next, with the motion fields between them."""

    def __init__(self, frames: Sequence[Frame]) -> None:
        estimator = MotionEstimator()
        self.frames = frames
        self.steps: list[MotionField | None] = [estimator.step(frame) for frame in frames][1:]

    def shown(self, before: Tracks | None, after: Tracks | None) -> list[Tracks]:
        """The tracks on the frames between the detections; the first has index 1."""
        return interpolated(
            None if before is None else Anchor(self.frames[0], before),
            None if after is None else Anchor(self.frames[-1], after),
            self.frames[1:-1] if after is not None else self.frames[1:],
            self.steps,
        )


def passage(drawn: Drawn) -> Passage:
    return Passage([drawn.frame(index) for index in range(LAST + 1)])


def of_cut(cut: int) -> Passage:
    """A moving object until a cut at index `cut`, then another scene with another object."""
    one, other = Drawn([Thing(bend)]), Drawn([Thing(bend, seed=300)], seed=9)
    return Passage([(one if index < cut else other).frame(index) for index in range(LAST + 1)])


def ids(shown: Sequence[Tracks]) -> list[list[int]]:
    return [one.ids.tolist() for one in shown]


@pytest.mark.parametrize("view", [RESTING, camera(x=-2, y=1), camera(zoom=1.01, roll_degrees=0.5)])
def test_a_box_follows_a_curved_path_between_two_detections(view: Camera) -> None:
    drawn = Drawn([Thing(bend)], view)
    first, last = drawn.boxes(0), drawn.boxes(LAST)
    shown = passage(drawn).shown(tracks([7], first), tracks([7], last))
    assert len(shown) == LAST - 1
    worst, worst_straight = 1.0, 1.0
    for index, one in enumerate(shown, 1):
        assert one.ids.tolist() == [7]
        assert one.origin.tolist() == [Origin.INTERPOLATED]
        straight = first[0] + (last[0] - first[0]) * index / LAST
        worst = min(worst, iou(one.boxes[0].astype(np.float64), drawn.box(index)))
        worst_straight = min(worst_straight, iou(straight, drawn.box(index)))
    assert worst > 0.85
    assert worst_straight < 0.5, "the straight way would not do"


def test_the_error_of_the_detector_is_spread_over_the_path() -> None:
    drawn = Drawn([Thing(bend)])
    wrong = np.array([[12.0, 0, 12, 6]])
    shown = passage(drawn).shown(tracks([7], drawn.boxes(0)), tracks([7], drawn.boxes(LAST) + wrong))
    off = np.array([one.boxes[0] - drawn.box(index) for index, one in enumerate(shown, 1)])
    for index in range(1, LAST):
        assert off[index - 1] == pytest.approx(wrong[0] * index / LAST, abs=1.5)


def test_boxes_do_not_jump_at_the_detections() -> None:
    drawn = Drawn([Thing(bend)])
    first, last = drawn.boxes(0) - (4, 0, 0, 0), drawn.boxes(LAST) + np.array([[5.0, 5, 9, 9]])
    shown = passage(drawn).shown(tracks([1], first), tracks([1], last))
    way = np.concatenate([first, [one.boxes[0] for one in shown], last])
    true_way = np.array([drawn.box(index) for index in range(LAST + 1)])
    assert np.abs(np.diff(way, axis=0) - np.diff(true_way, axis=0)).max() < 2.5


def test_a_box_without_texture_moves_straight() -> None:
    """Motion estimation fails on blank frames, but both detections are known."""
    blank = Passage([frame_of(flat(128), index) for index in range(LAST + 1)])
    shown = blank.shown(tracks([1], [[10, 10, 60, 80]]), tracks([1], [[130, 34, 192, 110]]))
    for index, one in enumerate(shown, 1):
        share = index / LAST
        expected = [10 + 120 * share, 10 + 24 * share, 60 + 132 * share, 80 + 30 * share]
        assert one.boxes[0] == pytest.approx(expected, abs=0.01)
        assert one.origin.tolist() == [Origin.INTERPOLATED]


def test_a_path_that_went_astray_is_not_used() -> None:
    """Both detections are at one place, but the texture there moved away."""
    drawn = Drawn([Thing(lambda index: (60 + 1.2 * index**2, 80))])
    shown = passage(drawn).shown(tracks([1], drawn.boxes(0)), tracks([1], drawn.boxes(0)))
    for one in shown:
        assert one.boxes == pytest.approx(drawn.boxes(0), abs=1)


def test_an_object_that_jumps_unseen_moves_steadily() -> None:
    jumps = Drawn([Thing(lambda index: (40.0, 60.0) if index < 6 else (200.0, 120.0))])
    shown = passage(jumps).shown(tracks([1], jumps.boxes(0)), tracks([1], jumps.boxes(LAST)))
    way = np.array([one.boxes[0] for one in shown])
    assert (np.diff(way[:, 0]) > 0).all()
    assert way[LAST // 2 - 1] == pytest.approx((120, 90, 168, 154), abs=8)


def test_an_object_found_later_is_carried_back_to_where_it_entered() -> None:
    enters = Drawn([Thing(lambda index: (-90 + 14.0 * index, 80))])
    shown = passage(enters).shown(Tracks.empty(), tracks([3], enters.boxes(LAST)))
    counts = [len(one) for one in shown]
    assert counts == sorted(counts), "once it is there, it is there"
    for index, one in enumerate(shown, 1):
        left = enters.box(index)[0]
        assert len(one) == (left >= -24) or -34 < left < -16, index
        if len(one):
            assert one.origin.tolist() == [Origin.PREDICTED]
            assert iou(one.boxes[0].astype(np.float64), enters.box(index)) > 0.75
    assert (counts[0], counts[-1]) == (0, 1)


def test_an_object_not_found_again_is_carried_on_until_it_leaves() -> None:
    leaves = Drawn([Thing(lambda index: (WIDTH - 100 + 12.0 * index, 80))])
    shown = passage(leaves).shown(tracks([3], leaves.boxes(0)), Tracks.empty())
    counts = [len(one) for one in shown]
    assert counts == sorted(counts, reverse=True)
    for index, one in enumerate(shown, 1):
        left = WIDTH - leaves.box(index)[0]
        assert len(one) == (left >= 0.4 * 48) or 12 < left < 30, index
        if len(one):
            assert one.origin.tolist() == [Origin.PREDICTED]
            assert iou(one.boxes[0].astype(np.float64), leaves.box(index)) > 0.7
    assert (counts[0], counts[-1]) == (1, 0)


def test_one_object_under_two_ids_is_drawn_once() -> None:
    """A tracker may change an identity; the object still has one box."""
    drawn = Drawn([Thing(bend)])
    shown = passage(drawn).shown(tracks([1], drawn.boxes(0)), tracks([2], drawn.boxes(LAST)))
    assert all(len(one) == 1 for one in shown)
    assert ids(shown)[-1] == [2]


def test_an_object_of_both_sides_hides_one_carried_onto_it() -> None:
    drawn = Drawn([Thing(bend)])
    doubled = np.concatenate([drawn.boxes(LAST), drawn.boxes(LAST) + 3])
    shown = passage(drawn).shown(tracks([1], drawn.boxes(0)), tracks([1, 2], doubled))
    assert ids(shown) == [[1]] * (LAST - 1)


@pytest.mark.parametrize("cut", [1, 4, LAST])
def test_nothing_is_carried_over_a_cut(cut: int) -> None:
    drawn = Drawn([Thing(bend)])
    shown = of_cut(cut).shown(tracks([1], drawn.boxes(0)), tracks([2], drawn.boxes(LAST)))
    assert ids(shown) == [[1]] * (cut - 1) + [[2]] * (LAST - cut)
    for index, one in enumerate(shown, 1):
        assert one.origin.tolist() == [Origin.PREDICTED]
        assert iou(one.boxes[0].astype(np.float64), drawn.box(index)) > 0.75


def test_no_object_is_shown_between_two_cuts() -> None:
    drawn, other, third = Drawn([Thing(bend)]), Drawn(seed=9), Drawn([Thing(bend)], seed=5)
    frames = [(drawn if i < 4 else other if i < 8 else third).frame(i) for i in range(LAST + 1)]
    shown = Passage(frames).shown(tracks([1], drawn.boxes(0)), tracks([2], drawn.boxes(LAST)))
    assert ids(shown) == [[1]] * 3 + [[]] * 4 + [[2]] * 4


def test_the_same_id_on_both_sides_of_a_cut_is_not_interpolated() -> None:
    drawn = Drawn([Thing(bend)])
    shown = of_cut(6).shown(tracks([1], drawn.boxes(0)), tracks([1], drawn.boxes(LAST)))
    assert all(Origin.INTERPOLATED not in one.origin for one in shown)


def test_with_one_side_boxes_are_carried_from_it() -> None:
    drawn = Drawn([Thing(bend)])
    way = passage(drawn)
    forward = way.shown(tracks([1], drawn.boxes(0)), None)
    backward = way.shown(None, tracks([1], drawn.boxes(LAST)))
    assert len(forward) == LAST
    assert len(backward) == LAST - 1
    for shown in (forward, backward):
        for index, one in enumerate(shown, 1):
            assert one.origin.tolist() == [Origin.PREDICTED]
            assert iou(one.boxes[0].astype(np.float64), drawn.box(index)) > 0.75


def test_with_neither_side_no_track_is_shown() -> None:
    way = passage(Drawn([Thing(bend)]))
    assert ids(way.shown(None, None)) == [[]] * LAST
    neighbours = Passage([Drawn().frame(index) for index in (0, 1)])
    assert neighbours.shown(tracks([1], [[1, 1, 9, 9]]), tracks([1], [[1, 1, 9, 9]])) == []


def test_ages_are_interpolated() -> None:
    drawn = Drawn([Thing(bend)])
    way, span_s = passage(drawn), LAST / FPS
    known = way.shown(tracks([1], drawn.boxes(0), age_s=2.0), tracks([1], drawn.boxes(LAST), age_s=2.0 + span_s))
    born = way.shown(Tracks.empty(), tracks([1], drawn.boxes(LAST)))
    gone = way.shown(tracks([1], drawn.boxes(0), age_s=2.0), Tracks.empty())
    for index in range(1, LAST):
        since_s = index / FPS
        assert known[index - 1].age_s == pytest.approx([2.0 + since_s], abs=1e-4)
        assert gone[index - 1].age_s == pytest.approx([2.0 + since_s], abs=1e-4)
        assert gone[index - 1].unseen_s == pytest.approx([since_s], abs=1e-4)
        assert born[index - 1].age_s.tolist() == [0]
        assert born[index - 1].unseen_s == pytest.approx([span_s - since_s], abs=1e-4)


def test_two_detections_at_the_same_time_are_no_error() -> None:
    one = Drawn().frame(0)
    frames = [Frame(one.picture, index, one.pts, one.time_base, one.captured_s) for index in range(3)]
    shown = Passage(frames).shown(tracks([1], [[10, 10, 50, 50]]), tracks([1], [[20, 20, 60, 60]]))
    assert len(shown) == 1
    assert np.isfinite(shown[0].boxes).all()


# Numbers of 8 objects, any of which each side may have.
some = st.lists(st.integers(1, 8), unique=True, max_size=8)


@settings(deadline=None, max_examples=60)
@given(first=some, second=some, count=st.integers(0, 6), textured=st.booleans(), seed=st.integers(0, 1000))
def test_every_shown_object_is_of_one_side_and_shown_once(
    first: list[int], second: list[int], count: int, textured: bool, seed: int
) -> None:
    random = np.random.default_rng(seed)

    def boxes(number: int) -> Array:
        corners = random.uniform(-40, (WIDTH, HEIGHT), (number, 2))
        return np.concatenate([corners, corners + random.uniform(0, 90, (number, 2))], axis=1)

    way = [FIELD if textured else still(1 / FPS)] * (count + 1)
    frames = [frame_of(flat(128, 16, 16), index) for index in range(count + 2)]
    before, after = tracks(first, boxes(len(first))), tracks(second, boxes(len(second)))
    shown = interpolated(Anchor(frames[0], before), Anchor(frames[-1], after), frames[1:-1], way)
    assert len(shown) == count
    for one in shown:
        found = one.ids.tolist()
        assert len(found) == len(set(found))
        joined = one.ids[one.origin == Origin.INTERPOLATED].tolist()
        assert sorted(joined) == sorted(set(first) & set(second))
        assert set(found) <= set(first) | set(second)


def _field() -> MotionField:
    drawn = Drawn([Thing(bend)], camera(x=2))
    estimator = MotionEstimator()
    estimator.step(drawn.frame(0))
    field = estimator.step(drawn.frame(1))
    assert field is not None
    return field


FIELD = _field()


def test_joined_adds_tracks_with_new_ids() -> None:
    one, other = tracks([1, 2], [[0, 1, 2, 3]] * 2), tracks([2, 3], [[9, 10, 11, 12]] * 2)
    both = joined(one, other)
    assert both.ids.tolist() == [1, 2, 3]
    assert both.boxes[:, 0].tolist() == [0, 0, 9]
    assert joined(Tracks.empty(), other).ids.tolist() == [2, 3]
    assert joined(one, Tracks.empty()).ids.tolist() == [1, 2]
