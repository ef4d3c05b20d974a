"""Camera motion and cuts in drawn scenes."""

from __future__ import annotations

import av
import cv2
import numpy as np
import pytest

from streamer.motion.motion_field import MotionEstimator, MotionField, composed, moved, still
from streamer.values.frame import Frame
from tests.motion.drawn import (
    FPS,
    HEIGHT,
    RESTING,
    WIDTH,
    Array,
    Camera,
    Drawn,
    Grey,
    Thing,
    camera,
    flat,
    frame_of,
    line,
)

CORNERS = np.array([(0.0, 0.0), (WIDTH, 0.0), (0.0, HEIGHT), (WIDTH, HEIGHT)])
CAMERAS = {
    "rest": RESTING,
    "pan": camera(x=5, y=-3),
    "zoom in": camera(zoom=1.02),
    "zoom out": camera(zoom=0.98),
    "roll": camera(roll_degrees=1.5),
    "all": camera(x=3, y=2, zoom=1.015, roll_degrees=-1),
}


def step_between(one: Frame, other: Frame) -> MotionField | None:
    estimator = MotionEstimator()
    assert estimator.step(one) is None, "the first frame has nothing before it"
    return estimator.step(other)


def found(one: Frame, other: Frame) -> MotionField:
    field = step_between(one, other)
    assert field is not None
    return field


def of_pictures(one: Grey, other: Grey) -> MotionField | None:
    return step_between(frame_of(one, 0), frame_of(other, 1))


def truth(view: Camera, first: int, last: int) -> Array:
    """The motion of the corners of the frame between two frames."""
    back = np.asarray(cv2.invertAffineTransform(view(first)), np.float64)
    return moved(moved(CORNERS, back), view(last))


@pytest.mark.parametrize("view", CAMERAS.values(), ids=CAMERAS)
def test_the_cameras_motion_is_found(view: Camera) -> None:
    drawn = Drawn(camera=view)
    field = found(drawn.frame(0), drawn.frame(1))
    assert moved(CORNERS, field.camera) == pytest.approx(truth(view, 0, 1), abs=0.3)
    assert np.abs(field.shifts).max() < 1.0, "nothing moves by itself"
    assert field.elapsed_s == pytest.approx(1 / FPS)


@pytest.mark.parametrize("view", CAMERAS.values(), ids=CAMERAS)
def test_a_moving_object_is_not_taken_for_camera_motion(view: Camera) -> None:
    """An object that covers a quarter of the frame."""
    drawn = Drawn([Thing(line(60, 60, -6, 4), 160, 120)], view)
    field = found(drawn.frame(0), drawn.frame(1))
    assert moved(CORNERS, field.camera) == pytest.approx(truth(view, 0, 1), abs=0.5)
    own = field.shifts[((field.points > (80, 80)) & (field.points < (200, 160))).all(axis=1)]
    turned = view(1)[:, :2] @ (-6, 4)
    assert np.median(own, axis=0) == pytest.approx(turned, abs=0.3)


def test_a_field_is_in_thumbnail_pixels_and_has_their_scale() -> None:
    drawn = Drawn(camera=camera(x=4, y=2))
    one, other = (cv2.resize(drawn.picture(index), (1280, 960)) for index in (0, 1))
    field = found(frame_of(np.asarray(one, np.uint8), 0), frame_of(np.asarray(other, np.uint8), 1))
    assert field.scale < 0.5
    assert field.camera[:, 2] / field.scale == pytest.approx((16, 8), abs=0.5)


@pytest.mark.parametrize("pixel_format", ["yuv420p", "nv12", "yuvj422p", "rgb24", "bgra", "yuv420p10le"])
def test_the_motion_does_not_depend_on_the_pixel_format(pixel_format: str) -> None:
    drawn = Drawn(camera=CAMERAS["all"])
    grey = [drawn.frame(index) for index in (0, 1)]
    stored = [
        Frame(frame.picture.reformat(format=pixel_format), frame.index, frame.pts, frame.time_base, frame.captured_s)
        for frame in grey
    ]
    assert moved(CORNERS, found(*stored).camera) == pytest.approx(truth(drawn.camera, 0, 1), abs=0.3)


def test_padded_rows_are_read_correctly() -> None:
    drawn = Drawn(camera=camera(x=3))
    narrow = [np.ascontiguousarray(drawn.picture(index)[:, :301]) for index in (0, 1)]
    frames = [frame_of(picture, index) for index, picture in enumerate(narrow)]
    assert frames[0].picture.planes[0].line_size > 301
    assert found(*frames).camera == pytest.approx(np.array([[1, 0, 3], [0, 1, 0]]), abs=0.05)


@pytest.mark.parametrize("view", CAMERAS.values(), ids=CAMERAS)
def test_a_reversed_step_undoes_it(view: Camera) -> None:
    drawn = Drawn([Thing(line(60, 60, 4, -2), 100, 90)], view)
    field = found(drawn.frame(0), drawn.frame(1))
    back = field.reversed()
    there = moved(field.points, field.camera) + field.shifts
    assert back.points == pytest.approx(there, abs=1e-3)
    assert moved(back.points, back.camera) + back.shifts == pytest.approx(field.points, abs=1e-3)
    assert moved(moved(CORNERS, field.camera), back.camera) == pytest.approx(CORNERS, abs=1e-6)
    assert (back.scale, back.elapsed_s) == (field.scale, field.elapsed_s)


@pytest.mark.parametrize("view", CAMERAS.values(), ids=CAMERAS)
def test_composed_steps_lead_to_the_same_place(view: Camera) -> None:
    drawn = Drawn([Thing(line(80, 80, 4, -2), 100, 90)], view)
    estimator = MotionEstimator()
    steps = [step for index in range(5) if (step := estimator.step(drawn.frame(index))) is not None]
    one = composed(steps)
    assert len(steps) == 4
    assert len(one.points) > 100, "points are followed all the way"
    assert one.elapsed_s == pytest.approx(4 / FPS)
    assert moved(CORNERS, one.camera) == pytest.approx(truth(view, 0, 4), abs=0.6)
    on_it = ((one.points > (95, 95)) & (one.points < (160, 150))).all(axis=1)
    ends = moved(one.points[on_it], one.camera) + one.shifts[on_it]
    # By index 4 the object has moved 16 px right and 8 up.
    expected = moved(one.points[on_it] + np.array([16, -8]), view(4))
    assert np.median(ends - expected, axis=0) == pytest.approx((0, 0), abs=0.5)


@pytest.mark.parametrize("blank_at", [0, 1, 2, 3])
def test_steps_without_points_can_be_composed(blank_at: int) -> None:
    """A blank frame between others, large ones: the fields are of thumbnails."""
    drawn = Drawn(camera=camera(x=4))
    large = [np.kron(drawn.picture(index), np.ones((4, 4), np.uint8)) for index in range(6)]
    large[blank_at] = np.full_like(large[blank_at], 128)
    estimator = MotionEstimator()
    steps = [step for index, one in enumerate(large) if (step := estimator.step(frame_of(one, index))) is not None]
    assert len({step.scale for step in steps}) == 1
    one = composed(steps)
    assert one.elapsed_s == pytest.approx(5 / FPS)
    known = sum(blank_at not in (index, index + 1) for index in range(5))
    assert one.camera[:, 2] / one.scale == pytest.approx((16 * known, 0), abs=1)


@pytest.mark.parametrize("seeds", [(0, 1), (1, 0), (2, 3), (4, 5)])
def test_a_cut_to_another_scene_gives_no_step(seeds: tuple[int, int]) -> None:
    before, after, later = (
        Drawn(seed=seeds[0]).picture(0),
        Drawn(seed=seeds[1]).picture(0),
        Drawn(seed=seeds[1], camera=camera(x=2)).picture(1),
    )
    estimator = MotionEstimator()
    assert estimator.step(frame_of(before, 0)) is None
    assert estimator.step(frame_of(after, 1)) is None
    field = estimator.step(frame_of(later, 2))
    assert field is not None, "the new shot goes on"
    assert field.camera[:, 2] == pytest.approx((2, 0), abs=0.1)


@pytest.mark.parametrize("x", [-25, -12, 12, 25])
def test_a_fast_pan_is_not_a_cut(x: int) -> None:
    """25 px of 320 per frame: the whole width in less than half a second."""
    drawn = Drawn(camera=camera(x=x))
    assert found(drawn.frame(0), drawn.frame(1)).camera[:, 2] == pytest.approx((x, 0), abs=0.3)


def test_a_large_passing_object_is_not_a_cut() -> None:
    drawn = Drawn([Thing(line(-300, -10, 20), 300, 260)])
    estimator = MotionEstimator()
    steps = [estimator.step(drawn.frame(index)) for index in range(30)]
    assert None not in steps[1:]


@pytest.mark.parametrize("change", ["white", "black", "darker", "brighter"])
def test_a_flash_or_a_change_of_exposure_is_not_a_cut(change: str) -> None:
    usual = Drawn().picture(0)
    other = {
        "white": flat(255),
        "black": flat(0),
        "darker": (usual * 0.4).astype(np.uint8),
        "brighter": np.clip(usual * 1.5 + 40, 0, 255).astype(np.uint8),
    }[change]
    estimator = MotionEstimator()
    steps = [estimator.step(frame_of(picture, index)) for index, picture in enumerate((usual, other, usual))]
    assert steps[0] is None
    for step in steps[1:]:
        assert step is not None
        assert moved(CORNERS, step.camera) == pytest.approx(CORNERS, abs=0.5), "never wild"


def test_frames_without_texture_give_no_points_and_no_cut() -> None:
    for one, other in ((flat(128), flat(128)), (flat(128), flat(90)), (Drawn().picture(0), flat(128))):
        field = of_pictures(one, other)
        assert field is not None
        assert len(field.points) == 0
        assert field.camera == pytest.approx(np.eye(2, 3))


@pytest.mark.parametrize("levels", [1, 2, 6])
def test_noise_is_not_taken_for_camera_motion(levels: int) -> None:
    random = np.random.default_rng(1)
    one, other = (np.clip(128 + random.normal(0, levels, (HEIGHT, WIDTH)), 0, 255).astype(np.uint8) for _ in range(2))
    field = of_pictures(one, other)
    assert field is not None
    assert moved(CORNERS, field.camera) == pytest.approx(CORNERS, abs=1.0)
    if levels <= 2:
        assert len(field.points) == 0, "what noise makes look like corners goes anywhere"


def test_a_reconnect_a_new_size_or_time_going_back_restarts() -> None:
    drawn = Drawn(camera=camera(x=2))
    assert step_between(drawn.frame(0), drawn.frame(1)) is not None
    assert step_between(drawn.frame(0), drawn.frame(1, segment=1)) is None
    assert step_between(drawn.frame(1), drawn.frame(0)) is None
    smaller = np.ascontiguousarray(drawn.picture(1)[:200, :300])
    assert step_between(drawn.frame(0), frame_of(smaller, 1)) is None


@pytest.mark.parametrize(("width", "height"), [(16, 16), (17, 9), (8, 8), (1920, 16)])
def test_tiny_frames_are_not_an_error(width: int, height: int) -> None:
    pictures = [np.ascontiguousarray(Drawn().picture(0)[:height, :width]) for _ in range(2)]
    field = of_pictures(np.resize(pictures[0], (height, width)), np.resize(pictures[1], (height, width)))
    assert field is not None
    assert np.isfinite(field.camera).all()


def test_two_frames_of_the_same_time_are_a_step() -> None:
    drawn = Drawn()
    one = drawn.frame(0)
    again = Frame(one.picture, 1, one.pts, one.time_base, one.captured_s)
    assert found(one, again).elapsed_s == 0


def test_a_step_without_information_moves_nothing() -> None:
    field = still(0.04)
    assert moved(CORNERS, field.camera) == pytest.approx(CORNERS)
    assert len(field.points) == len(field.shifts) == len(field.origins) == 0
    assert composed([field, field]).elapsed_s == pytest.approx(0.08)


def test_the_frame_is_not_changed() -> None:
    native = av.VideoFrame.from_ndarray(Drawn().picture(0), format="gray")
    before = native.to_ndarray()
    estimator = MotionEstimator()
    for index in range(3):
        estimator.step(Frame(native, index, index, Drawn().frame(0).time_base, 0.0))
    assert np.array_equal(native.to_ndarray(), before)
