"""Boxes move with their content; unrecognized boxes keep their motion, and results are always finite."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from streamer.motion.motion_field import MotionEstimator, MotionField, still
from streamer.motion.propagation import STRIDE_S, follow, propagate, strides
from tests.motion.drawn import FPS, RESTING, Array, Camera, Drawn, Places, Thing, camera, flat, frame_of, iou, line

CAMERAS = {
    "rest": RESTING,
    "pan": camera(x=4, y=-2),
    "zoom": camera(zoom=1.015),
    "roll": camera(roll_degrees=0.7),
    "all": camera(x=-3, y=1, zoom=0.99, roll_degrees=-0.5),
}


def fields_of(drawn: Drawn, count: int) -> list[MotionField]:
    """The steps between the first `count` frames."""
    estimator = MotionEstimator()
    steps = [estimator.step(drawn.frame(index)) for index in range(count)]
    assert None not in steps[1:]
    return [step for step in steps if step is not None]


def at_rest(boxes: Array) -> Array:
    """Zero velocities."""
    return np.zeros((len(boxes), 2))


@pytest.mark.parametrize("view", CAMERAS.values(), ids=CAMERAS)
def test_an_object_is_followed_with_any_camera_motion(view: Camera) -> None:
    drawn = Drawn([Thing(line(120, 90, 4, 1))], view)
    boxes, velocities = drawn.boxes(0), np.zeros((1, 2))
    for index, field in enumerate(fields_of(drawn, 13), 1):
        step = propagate(boxes, velocities, field)
        boxes, velocities = step.boxes, step.velocities
        assert step.trusted.tolist() == [True]
        assert boxes == pytest.approx(drawn.boxes(index), abs=2.0)
    turned = view(12)[:, :2] @ np.array([4, 1]) * FPS
    assert velocities[0] == pytest.approx(turned, abs=15), "its own, beyond the camera's"


@pytest.mark.parametrize("view", CAMERAS.values(), ids=CAMERAS)
def test_background_moves_with_the_camera_alone(view: Camera) -> None:
    drawn = Drawn([Thing(line(130, 90))], view)
    fields = fields_of(drawn, 9)
    step = follow(drawn.boxes(0), np.zeros((1, 2)), fields)
    assert step.boxes == pytest.approx(drawn.boxes(8), abs=1.5)
    assert np.abs(step.velocities).max() < 6


@pytest.mark.parametrize("view", CAMERAS.values(), ids=CAMERAS)
def test_strides_lead_to_the_same_place(view: Camera) -> None:
    drawn = Drawn([Thing(line(90, 30, 4, 2)), Thing(line(200, 150, -3, -1), seed=101)], view)
    fields = fields_of(drawn, 13)
    assert len(strides(fields)) < len(fields) / 3
    assert follow(drawn.boxes(0), np.zeros((2, 2)), fields).boxes == pytest.approx(drawn.boxes(12), abs=2.5)


def test_a_step_back_undoes_a_step() -> None:
    drawn = Drawn([Thing(line(120, 90, 5, -2))], CAMERAS["all"])
    (field,) = fields_of(drawn, 2)
    there = propagate(drawn.boxes(0), np.zeros((1, 2)), field)
    back = propagate(there.boxes, np.zeros((1, 2)), field.reversed())
    assert back.boxes == pytest.approx(drawn.boxes(0), abs=0.3)
    assert back.velocities == pytest.approx(-there.velocities, abs=20)


def test_boxes_are_in_pixels_of_the_frame() -> None:
    drawn = Drawn([Thing(line(120, 90, 4, 1))], camera(x=-2))
    estimator = MotionEstimator()
    large = [np.kron(drawn.picture(index), np.ones((4, 4), np.uint8)) for index in (0, 1)]
    field = [estimator.step(frame_of(picture, index)) for index, picture in enumerate(large)][1]
    assert field is not None
    assert field.scale < 0.4
    step = propagate(drawn.boxes(0) * 4, np.zeros((1, 2)), field)
    assert step.boxes == pytest.approx(drawn.boxes(1) * 4, abs=3)
    assert step.velocities[0] == pytest.approx((16 * FPS, 4 * FPS), rel=0.2)


def test_a_box_larger_than_its_object_moves_with_the_object() -> None:
    """Boxes of detectors contain some background."""
    drawn = Drawn([Thing(line(100, 90, 4, 0))], camera(x=-1))
    fields = fields_of(drawn, 11)
    rim = np.array([-8, -8, 8, 8])
    step = follow(drawn.boxes(0) + rim, np.zeros((1, 2)), fields)
    assert step.boxes == pytest.approx(drawn.boxes(10) + rim, abs=2.5)


def test_a_passing_object_does_not_move_the_one_behind() -> None:
    drawn = Drawn([Thing(line(130, 60), 48, 90, 101), Thing(line(70, 80, 5, 0), 48, 90)])
    step = follow(drawn.boxes(0), np.zeros((2, 2)), fields_of(drawn, 24))
    assert step.boxes == pytest.approx(drawn.boxes(23), abs=4.0)


@pytest.mark.parametrize(
    "way",
    [line(-30, 80, -2, 0), line(300, 80, 2, 0), line(120, -40, 0, -2), line(120, 215, 0, 2), line(-24, -30, 3, 3)],
)
def test_at_the_border_a_box_follows_the_visible_part(way: Places) -> None:
    drawn = Drawn([Thing(way)])
    boxes, velocities = drawn.boxes(0), np.zeros((1, 2))
    for field in fields_of(drawn, 5):
        boxes, velocities, _ = propagate(boxes, velocities, field)
    assert iou(boxes[0], drawn.box(4)) > 0.75


def test_boxes_outside_the_frame_rest() -> None:
    (field,) = fields_of(Drawn(), 2)
    outside = np.array([[-500.0, -500.0, -400.0, -400.0], [900.0, 20.0, 960.0, 90.0]])
    step = propagate(outside, at_rest(outside), field)
    assert step.boxes == pytest.approx(outside, abs=0.2)
    assert not step.trusted.any()


def test_a_resting_box_rests_on_frames_without_texture() -> None:
    estimator = MotionEstimator()
    boxes = np.array([[40.0, 50.0, 90.0, 120.0]])
    for index in range(10):
        field = estimator.step(frame_of(flat(128), index))
        if field is not None:
            step = propagate(boxes, at_rest(boxes), field)
            assert not step.trusted.any()
            assert step.boxes == pytest.approx(boxes)


def test_a_box_no_longer_recognized_slows_down_to_rest() -> None:
    boxes, velocities, way = np.array([[100.0, 100, 140, 180]]), np.array([[60.0, -30.0]]), []
    for _ in range(5 * FPS):
        step = propagate(boxes, velocities, still(1 / FPS))
        way.append(step.boxes[0] - boxes[0])
        boxes, velocities = step.boxes, step.velocities
        assert not step.trusted.any()
    assert way[0] == pytest.approx((2, -1, 2, -1), rel=0.1)
    assert (np.diff(way, axis=0)[:, 0] <= 1e-9).all(), "it only gets slower"
    assert np.abs(way[-1]).max() < 0.05
    assert boxes[0] == pytest.approx((160, 70, 200, 150), abs=5), "it coasts for about a second"


def test_no_boxes_are_fine() -> None:
    (field,) = fields_of(Drawn(), 2)
    for one in (field, still(0.04)):
        step = propagate(np.empty((0, 4)), np.empty((0, 2)), one)
        assert step.boxes.shape == (0, 4)
        assert step.velocities.shape == (0, 2)
        assert step.trusted.shape == (0,)


def test_without_steps_boxes_rest() -> None:
    boxes, velocities = np.array([[1.0, 2.0, 3.0, 4.0]]), np.array([[9.0, 9.0]])
    stayed = follow(boxes, velocities, [])
    assert stayed.boxes == pytest.approx(boxes)
    assert stayed.velocities == pytest.approx(velocities)


@given(st.lists(st.sampled_from([0.0, 0.001, 0.02, 0.04, 0.1, 0.14, 0.2, 1.0]), max_size=40))
def test_strides_contain_all_steps_in_order_and_are_short(elapsed_s: list[float]) -> None:
    fields = [still(length_s) for length_s in elapsed_s]
    groups = strides(fields)
    assert [field for group in groups for field in group] == fields
    lengths_s = [sum(field.elapsed_s for field in group) for group in groups]
    assert all(len(group) == 1 or length <= STRIDE_S + 1e-9 for group, length in zip(groups, lengths_s, strict=True))
    # Two neighbours that fit into one stride are in one.
    joined_s = [length + group[0].elapsed_s for length, group in zip(lengths_s[:-1], groups[1:], strict=True)]
    assert all(length > STRIDE_S for length in joined_s)


numbers = st.floats(-400, 800, allow_subnormal=False)
sizes = st.floats(0, 600, allow_subnormal=False)


@st.composite
def steps(draw: st.DrawFn) -> MotionField:
    """Any field: few or many points with any shifts, under any camera."""
    count = draw(st.integers(0, 60))
    random = np.random.default_rng(draw(st.integers(0, 10_000)))
    spread = draw(st.sampled_from([0.0, 0.5, 5.0, 200.0]))
    zoom, roll = draw(st.floats(0.2, 3)), draw(st.floats(-1, 1))
    turn = zoom * np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]])
    return MotionField(
        random.uniform(0, 320, (count, 2)).astype(np.float32),
        random.normal(0, spread, (count, 2)).astype(np.float32),
        np.column_stack([turn, random.normal(0, 20, 2)]),
        draw(st.floats(0.1, 1)),
        draw(st.sampled_from([0.0, 1e-9, 0.001, 1 / FPS, 1.0, 60.0])),
        np.full(count, -1),
    )


boxes_of_any_kind = st.lists(st.tuples(numbers, numbers, sizes, sizes), max_size=6).map(
    lambda rows: np.array([[x, y, x + width, y + height] for x, y, width, height in rows]).reshape(-1, 4)
)
speeds = st.sampled_from([0.0, 1.0, -300.0, 1e5])


@settings(deadline=None, max_examples=50)
@given(field=steps(), boxes=boxes_of_any_kind, speed=speeds)
@example(field=still(0.0), boxes=np.zeros((1, 4)), speed=0.0)
def test_boxes_stay_valid_and_finite(field: MotionField, boxes: Array, speed: float) -> None:
    step = propagate(boxes, np.full((len(boxes), 2), speed), field)
    assert step.boxes.shape == boxes.shape
    assert np.isfinite(step.boxes).all()
    assert np.isfinite(step.velocities).all()
    zoom = np.hypot(field.camera[0, 0], field.camera[1, 0])
    grown = (step.boxes[:, 2:] - step.boxes[:, :2]) - (boxes[:, 2:] - boxes[:, :2]) * zoom
    assert np.abs(grown).max(initial=0) < 1e-6 * (1 + np.abs(step.boxes).max(initial=0)), "only the camera scales"


@settings(deadline=None, max_examples=50)
@given(field=steps(), boxes=boxes_of_any_kind, speed=speeds, seed=st.integers(0, 1000))
def test_the_order_of_the_boxes_does_not_matter(field: MotionField, boxes: Array, speed: float, seed: int) -> None:
    velocities = np.outer(np.arange(len(boxes)), [speed, -speed])
    rows = np.random.default_rng(seed).permutation(len(boxes))
    usual, shuffled = propagate(boxes, velocities, field), propagate(boxes[rows], velocities[rows], field)
    assert shuffled.trusted.tolist() == usual.trusted[rows].tolist()
    assert shuffled.boxes == pytest.approx(usual.boxes[rows], rel=1e-9, abs=1e-6)


@settings(deadline=None, max_examples=50)
@given(field=steps(), boxes=boxes_of_any_kind, others=boxes_of_any_kind)
def test_distant_boxes_do_not_interact(field: MotionField, boxes: Array, others: Array) -> None:
    alone = propagate(boxes, at_rest(boxes), field)
    crowd = np.concatenate([boxes, others + 10_000])
    together = propagate(crowd, at_rest(crowd), field)
    assert together.boxes[: len(boxes)] == pytest.approx(alone.boxes, rel=1e-9, abs=1e-6)
    assert together.trusted[: len(boxes)].tolist() == alone.trusted.tolist()
