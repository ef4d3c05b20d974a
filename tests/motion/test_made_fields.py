"""Boxes moved by constructed fields, exact to a fraction of a pixel."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from streamer.motion.motion_field import MotionField
from streamer.motion.propagation import propagate
from streamer.presentation.interpolation import Anchor, interpolated
from streamer.values.frame import Frame
from tests.motion.drawn import Array
from tests.motion.made_fields import AT_REST, ELAPSED_S, SCALE, made_field, spread
from tests.pipeline.parts import grey_picture
from tests.presentation.test_interpolation import tracks
from tracking.types import Origin

BOX = (110.0, 60.0, 170.0, 160.0)
NO_POINTS = np.empty((0, 2))


def carried(field: MotionField, *boxes: tuple[float, ...], usual_px: tuple[float, float] = (0, 0)) -> Array:
    """The motion of each box in one step, px; `usual_px` is its motion in the previous step."""
    many = np.array(boxes)
    velocities = np.tile(np.array(usual_px) / ELAPSED_S, (len(many), 1))
    step = propagate(many, velocities, field)
    assert step.boxes[:, 2:] - step.boxes[:, :2] == pytest.approx(many[:, 2:] - many[:, :2])
    shifts: Array = step.boxes[:, :2] - many[:, :2]
    return shifts


def test_a_box_moves_with_its_points_and_gets_their_velocity() -> None:
    step = propagate(np.array([BOX]), np.zeros((1, 2)), made_field((spread(BOX), (15.0, -6.0))))
    assert step.trusted.tolist() == [True]
    assert step.boxes[0] == pytest.approx(np.array(BOX) + np.array([15, -6, 15, -6]), abs=0.3)
    assert step.velocities[0] == pytest.approx([15 / ELAPSED_S, -6 / ELAPSED_S], rel=0.02)


def test_the_camera_moves_and_scales_a_box_about_its_centre() -> None:
    """Zoomed by 1.1 and turned by 90 degrees it stays upright; the map is in thumbnail pixels."""
    camera = np.array([[0.0, -1.1, 50.0], [1.1, 0.0, -20.0]])
    step = propagate(np.array([BOX]), np.zeros((1, 2)), made_field(camera=camera))
    half = np.array([33, 55])
    centre = np.array([-1.1 * 110 + 50 / SCALE, 1.1 * 140 - 20 / SCALE])
    assert step.boxes[0] == pytest.approx(np.concatenate([centre - half, centre + half]))
    assert step.trusted.tolist() == [False]


def test_of_two_motions_the_previous_one_is_used() -> None:
    """A person who walks to the right is occluded by more points that move to the left."""
    points = spread(BOX)
    field = made_field((points[::2], (12.0, 0.0)), (points[1::2] + 0.5, (-12.0, 0.0)), (points[::3] + 1, (-12.0, 0.0)))
    assert carried(field, BOX, usual_px=(12.0, 0.0))[0] == pytest.approx([12, 0], abs=0.5)
    assert carried(field, BOX, usual_px=(-12.0, 0.0))[0] == pytest.approx([-12, 0], abs=0.5)


def test_a_fast_object_that_slows_down_wins_over_rest() -> None:
    """A change is relative to the speed."""
    points = spread(BOX)
    resting = np.concatenate([points[1::2], [[139.0, 109.0], [141.0, 111.0]]])
    field = made_field((points[::2], (28.0, 0.0)), (resting, (0.0, 0.0)))
    assert carried(field, BOX, usual_px=(40.0, 0.0))[0] == pytest.approx([28, 0], abs=0.7)


def test_without_a_previous_motion_most_points_decide() -> None:
    points = spread(BOX, 8)
    most, few = points[np.arange(64) % 3 > 0], points[::3]
    field = made_field((most, (0.0, 14.0)), (few, (0.0, -14.0)))
    assert carried(field, BOX)[0] == pytest.approx([0, 14], abs=0.5)


def test_the_middle_of_a_box_counts_more_than_its_edge() -> None:
    """Boxes of detectors contain some background, which may have the most points."""
    middle = spread(BOX, 5, share=0.2)
    places = spread(BOX, 9, share=0.76)
    rim = places[(np.abs(places - np.array([140, 110])) / [60, 100]).max(axis=1) > 0.36]
    assert len(rim) > 1.25 * len(middle)
    field = made_field((middle, (15.0, 0.0)), (rim, (0.0, 0.0)))
    assert carried(field, BOX, usual_px=(7.5, 0.0))[0] == pytest.approx([15, 0], abs=1.0)


def test_fast_points_may_scatter_more() -> None:
    points = spread(BOX)
    scattered = [(points[at::3], (60.0 + off_px, 0.0)) for at, off_px in enumerate((-7.0, 0.0, 7.0))]
    assert carried(made_field(*scattered), BOX, usual_px=(60.0, 0.0))[0] == pytest.approx([60, 0], abs=2)
    step = propagate(np.array([BOX]), np.array([[60.0 / ELAPSED_S, 0]]), made_field(*scattered))
    assert step.trusted.tolist() == [True]


def test_a_slow_object_is_separated_from_rest() -> None:
    points = spread(BOX)
    field = made_field((points[::2], (7.0, 0.0)), (points[1::2], (0.0, 0.0)))
    assert carried(field, BOX, usual_px=(7.0, 0.0))[0] == pytest.approx([7, 0], abs=0.7)
    assert carried(field, BOX)[0] == pytest.approx([0, 0], abs=0.7)


def test_an_object_that_starts_with_a_jump_is_followed() -> None:
    field = made_field((spread(BOX), (45.0, 20.0)))
    assert carried(field, BOX)[0] == pytest.approx([45, 20], abs=0.5)


def test_a_few_moving_points_do_not_move_a_resting_box() -> None:
    points = spread(BOX)
    field = made_field((points[3:], (0.0, 0.0)), (points[:3], (50.0, 0.0)))
    assert carried(field, BOX)[0] == pytest.approx([0, 0], abs=0.2)


def test_a_point_in_two_boxes_belongs_to_the_front_one() -> None:
    """The object with the lower bottom is nearer to the camera."""
    front, behind = (130.0, 50.0, 190.0, 175.0), (110.0, 60.0, 170.0, 150.0)
    shared = spread((130.0, 60.0, 170.0, 150.0), share=0.6)
    step = propagate(np.array([behind, front]), np.zeros((2, 2)), made_field((shared, (10.0, 0.0))))
    assert step.trusted.tolist() == [False, True]
    assert step.boxes[1, 0] == pytest.approx(140, abs=0.5)
    assert step.boxes[0] == pytest.approx(behind)


def test_boxes_side_by_side_share_their_points() -> None:
    one, other = (110.0, 60.0, 170.0, 150.0), (130.0, 62.0, 190.0, 152.0)
    step = propagate(np.array([one, other]), np.zeros((2, 2)), made_field((spread((130, 60, 170, 150)), (10.0, 0.0))))
    assert step.trusted.tolist() == [True, True]


def test_points_at_the_edge_of_a_box_are_ignored() -> None:
    """Background is visible there."""
    left, top, right, bottom = BOX
    rim = np.array([[left + 3, y] for y in range(70, 150, 4)] + [[right - 3, y] for y in range(70, 150, 4)])
    step = propagate(np.array([BOX]), np.zeros((1, 2)), made_field((rim, (10.0, 0.0))))
    assert step.trusted.tolist() == [False]
    edges = np.array([[x, y] for x in range(120, 160, 4) for y in (top + 5, bottom - 5)])
    step = propagate(np.array([BOX]), np.zeros((1, 2)), made_field((edges, (10.0, 0.0))))
    assert step.trusted.tolist() == [False]


def test_points_outside_a_box_are_ignored() -> None:
    around = np.array([[100.0, 110], [180, 110], [140, 50], [140, 170]])
    step = propagate(np.array([BOX]), np.zeros((1, 2)), made_field((around, (10.0, 0.0))))
    assert step.trusted.tolist() == [False]
    assert step.boxes[0] == pytest.approx(BOX)


def test_an_unrecognized_box_slows_down() -> None:
    lost = made_field(elapsed_s=ELAPSED_S)
    assert carried(lost, BOX, usual_px=(20.0, -10.0))[0] == pytest.approx(np.array([20, -10]) * (1 - ELAPSED_S))
    long = made_field(elapsed_s=2.0)
    assert carried(long, BOX, usual_px=(20.0, -10.0))[0] == pytest.approx([0, 0])


# Between two detections


def frame_at(index: int, time_s: float) -> Frame:
    return Frame(grey_picture(), index, round(time_s * 1000), Fraction(1, 1000), 0.0)


def test_ages_between_two_detections_follow_the_time() -> None:
    times_s = [20.0, 20.1, 20.4, 21.0]
    frames = [frame_at(50 + at, time_s) for at, time_s in enumerate(times_s)]
    fields = [made_field(elapsed_s=after - before) for before, after in pairwise(times_s)]
    before = tracks([7], [BOX], age_s=3.0, unseen_s=0.3)
    after = tracks([7], [np.array(BOX) + 20], age_s=4.0, unseen_s=0.1)
    early, late = interpolated(Anchor(frames[0], before), Anchor(frames[-1], after), frames[1:-1], fields)
    assert [early.unseen_s[0], late.unseen_s[0]] == pytest.approx([0.28, 0.22])
    assert [early.age_s[0], late.age_s[0]] == pytest.approx([3.1, 3.4])
    assert early.boxes[0] == pytest.approx(np.array(BOX) + 2)
    assert late.boxes[0] == pytest.approx(np.array(BOX) + 8)


def test_a_track_found_again_moves_with_the_camera() -> None:
    """A passer-by drags the box away; the camera motion remains, in pixels of the frame."""
    zoom = np.array([[1.05, 0.0, -6.0], [0.0, 1.05, 4.0]])
    true_way = [np.array(BOX)]
    for _ in range(3):
        centre, half = (true_way[-1][:2] + true_way[-1][2:]) / 2, (true_way[-1][2:] - true_way[-1][:2]) / 2
        moved = 1.05 * centre + np.array([-6.0, 4.0]) / SCALE
        true_way.append(np.concatenate([moved - 1.05 * half, moved + 1.05 * half]))
    dragged, fields = np.array(BOX), []
    for _ in range(3):
        field = made_field((spread(tuple(dragged)), (40.0, 0.0)), camera=zoom)
        dragged = propagate(dragged[None], np.zeros((1, 2)), field).boxes[0]
        fields.append(field)
    assert dragged[0] - true_way[-1][0] > 80, "the box would have gone astray"
    frames = [frame_at(9 + at, 5 + at * ELAPSED_S) for at in range(4)]
    off = np.array([6.0, 3.0, 6.0, 3.0])
    first, last = tracks([7], [BOX]), tracks([7], [true_way[-1] + off])
    shown = interpolated(Anchor(frames[0], first), Anchor(frames[-1], last), frames[1:-1], fields)
    for at, one in enumerate(shown, 1):
        assert one.boxes[0] == pytest.approx(true_way[at] + off * at / 3, abs=0.05)
        assert one.origin.tolist() == [Origin.INTERPOLATED]


def test_ages_of_a_track_that_is_known_at_one_end_only() -> None:
    box = (20.0, 10.0, 40.0, 36.0)
    frames = [frame_at(7 + at, 5.0 + at * 0.25) for at in range(3)]
    fields = [made_field((spread(box), (1.0, 0.0)), elapsed_s=0.25) for _ in range(2)]
    known = tracks([7], [box], age_s=0.6, unseen_s=0.1)
    (gone,) = interpolated(Anchor(frames[0], known), Anchor(frames[-1], tracks([], [])), frames[1:-1], fields)
    assert (gone.age_s[0], gone.unseen_s[0]) == pytest.approx((0.85, 0.35))
    (come,) = interpolated(Anchor(frames[0], tracks([], [])), Anchor(frames[-1], known), frames[1:-1], fields)
    assert (come.age_s[0], come.unseen_s[0]) == pytest.approx((0.35, 0.15))
    assert gone.boxes[0] == pytest.approx(np.array(box) + np.array([1, 0, 1, 0]), abs=0.1)
    assert come.boxes[0] == pytest.approx(np.array(box) - np.array([1, 0, 1, 0]), abs=0.1)


def test_without_camera_motion_a_box_without_points_rests() -> None:
    step = propagate(np.array([BOX]), np.zeros((1, 2)), made_field(camera=AT_REST, elapsed_s=0.0))
    assert step.boxes[0] == pytest.approx(BOX)


@pytest.mark.parametrize("cut", [False, True])
def test_ages_count_back_from_the_later_detection_alone(cut: bool) -> None:
    """An object moves 4, 2 and 5 px in steps of different lengths; boxes are not moved across a cut."""
    box = np.array([20.0, 10.0, 40.0, 36.0])
    times_s, way_px = [9.1, 9.5, 10.0, 11.0], [-11.0, -7.0, -5.0, 0.0]
    frames = [frame_at(30 + at, time_s) for at, time_s in enumerate(times_s)]
    fields: list[MotionField | None] = [
        made_field((spread(tuple(box + np.array([x, 0, x, 0]))), (later_x - x, 0.0)), elapsed_s=later_s - time_s)
        for (x, later_x), (time_s, later_s) in zip(pairwise(way_px), pairwise(times_s), strict=True)
    ]
    # The first field leads to the first frame.
    fields = [None, None if cut else fields[0], *fields[1:]]
    known = Anchor(frames[-1], tracks([7], [box], age_s=5.0, unseen_s=0.5))
    shown = interpolated(None, known, frames[:-1], fields)
    assert [one.ids.tolist() for one in shown] == [[] if cut else [7], [7], [7]]
    seen = shown[1:] if cut else shown
    assert [one.age_s[0] for one in seen] == pytest.approx([3.1, 3.5, 4.0][-len(seen) :])
    assert [one.unseen_s[0] for one in seen] == pytest.approx([1.4, 1.0, 0.5][-len(seen) :])
    assert [one.boxes[0, 0] for one in seen] == pytest.approx([9, 13, 15][-len(seen) :], abs=0.2)


def test_an_interpolated_box_is_always_valid() -> None:
    """The camera zooms in while the detected box shrinks."""
    zoom = np.array([[3.0, 0.0, 0.0], [0.0, 3.0, 0.0]])
    frames = [frame_at(at, 2 + at * ELAPSED_S) for at in range(4)]
    first, last = tracks([7], [[4, 4, 8, 8]]), tracks([7], [[162, 162, 163, 163]])
    shown = interpolated(
        Anchor(frames[0], first), Anchor(frames[-1], last), frames[1:-1], [made_field(camera=zoom)] * 3
    )
    assert len(shown) == 2
    for one in shown:
        assert (one.boxes[:, 2:] >= one.boxes[:, :2]).all()
