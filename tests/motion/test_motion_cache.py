"""The motion cache: fields connect the frames of one shot, and their number is limited."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from streamer.motion import motion_cache, propagation
from streamer.motion.motion_cache import KEPT_S, IncrementalMotion, MotionCache
from streamer.motion.motion_field import composed, moved
from tests.motion.drawn import FPS, HEIGHT, WIDTH, Array, Drawn, Thing, camera, flat, frame_of, line

# An object that moves under a panning camera, and one that is part of the background.
WALK = Drawn([Thing(line(150, 80, -3, 1)), Thing(line(40, 120), seed=101)], camera(x=2, y=-1))
SMALL = flat(128, 32, 32)


def filled(drawn: Drawn, indices: Sequence[int]) -> MotionCache:
    cache = MotionCache()
    for index in indices:
        cache.add(drawn.frame(index))
    return cache


def camera_shift(cache: MotionCache, first: int, last: int) -> Array:
    """How far the camera moved the corner of the frame."""
    fields = cache.fields(first, last)
    assert fields
    shift: Array = moved(np.zeros((1, 2)), composed(fields).camera)[0]
    return shift


def test_the_fields_between_two_frames_connect_them() -> None:
    cache = filled(WALK, range(8))
    for first, last in ((0, 7), (2, 5), (6, 7)):
        fields = cache.fields(first, last)
        assert fields is not None
        assert len(fields) == last - first
        assert sum(field.elapsed_s for field in fields) == pytest.approx((last - first) / FPS)
        assert camera_shift(cache, first, last) == pytest.approx((2 * (last - first), first - last), abs=0.3)
    assert cache.fields(4, 4) == []


def test_fields_bridge_dropped_frames() -> None:
    cache = filled(WALK, [0, 1, 4, 5, 8])
    assert camera_shift(cache, 0, 8) == pytest.approx((16, -8), abs=0.5)
    assert camera_shift(cache, 1, 5) == pytest.approx((8, -4), abs=0.3)
    # A frame that was never added stands for the next one.
    assert camera_shift(cache, 2, 8) == pytest.approx(camera_shift(cache, 4, 8))


@pytest.mark.parametrize("begins", ["cut", "reconnect"])
def test_no_field_leads_out_of_a_shot(begins: str) -> None:
    cache = filled(WALK, range(4))
    other = WALK if begins == "reconnect" else Drawn(seed=7)
    shot = cache.shot
    assert cache.add(other.frame(4, segment=int(begins == "reconnect"))) is None
    assert cache.shot == shot + 1
    cache.add(other.frame(5, segment=int(begins == "reconnect")))
    assert cache.fields(3, 5) is None
    assert cache.motion(0, 5) is None
    assert len(cache.fields(4, 5) or ()) == 1


def test_fields_are_kept_for_some_seconds() -> None:
    cache = MotionCache()
    rate, seconds = 5, int(KEPT_S) + 5
    for index in range(rate * seconds):
        cache.add(frame_of(SMALL, index, fps=rate))
    last = rate * seconds - 1
    oldest = last - rate * int(KEPT_S)
    assert len(cache.fields(oldest, last) or ()) == rate * int(KEPT_S)
    assert cache.fields(oldest - 1, last) is None


def test_the_number_of_kept_fields_is_limited() -> None:
    cache = MotionCache()
    for index in range(1500):
        cache.add(frame_of(SMALL, index, fps=1000))
    assert cache.fields(0, 1499) is None
    kept = cache.fields(1000, 1499)
    assert kept is not None
    assert len(kept) == 499


def test_whether_the_camera_is_known_depends_on_the_last_step() -> None:
    cache = filled(WALK, [0])
    assert not cache.camera_known
    cache.add(WALK.frame(1))
    assert cache.camera_known
    cache.add(frame_of(flat(128), 2))
    assert not cache.camera_known


def test_the_motion_gives_boxes_and_their_camera_motion() -> None:
    cache = filled(WALK, range(10))
    motion = cache.motion(1, 9)
    assert motion is not None
    carried = motion.carry(WALK.boxes(1))
    assert carried.boxes == pytest.approx(WALK.boxes(9), abs=1.5)
    assert carried.trusted.tolist() == [True, True]
    assert carried.camera == pytest.approx(WALK.boxes(1) + np.tile([16, -8], 2), abs=0.5)


def test_the_motion_of_an_unrecognized_box_is_the_cameras() -> None:
    blank = Drawn([Thing(line(100, 60), 120, 120, seed=None)], camera(x=2))
    cache = filled(blank, range(8))
    motion = cache.motion(0, 7)
    assert motion is not None
    inside = np.array([[130.0, 90.0, 190.0, 150.0]])
    carried = motion.carry(inside)
    assert carried.trusted.tolist() == [False]
    assert carried.boxes == pytest.approx(inside + np.tile([14, 0], 2), abs=0.5)
    assert carried.camera == pytest.approx(carried.boxes)


@pytest.mark.parametrize("flash", [{4}, {4, 5}, {2, 7}])
def test_a_flash_is_bridged(flash: set[int]) -> None:
    cache = MotionCache()
    for index in range(13):
        cache.add(frame_of(flat(255) if index in flash else WALK.picture(index), index))
    motion = cache.motion(0, 12)
    assert motion is not None
    carried = motion.carry(WALK.boxes(0))
    # The steps into and out of the flash have no points: no camera motion, and own velocities continue.
    unknown = sum(index in flash or index + 1 in flash for index in range(12))
    assert carried.trusted.tolist() == [True, True]
    assert carried.boxes == pytest.approx(WALK.boxes(12) - np.tile([2, -1], 2) * unknown, abs=3)


def test_no_boxes_and_no_steps_are_fine() -> None:
    cache = filled(WALK, range(3))
    motion = cache.motion(0, 2)
    assert motion is not None
    nothing = motion.carry(np.empty((0, 4)))
    assert nothing.boxes.shape == nothing.camera.shape == (0, 4)
    assert nothing.trusted.shape == (0,)
    here = cache.motion(2, 2)
    assert here is not None
    resting = np.array([[0.0, 0.0, WIDTH, HEIGHT]])
    assert here.carry(resting).boxes == pytest.approx(resting)


@pytest.mark.parametrize("indices", [range(30), [0, 1, 2, *range(5, 30, 3)]], ids=["every frame", "some dropped"])
def test_incremental_motion_gives_the_same_boxes(indices: Sequence[int]) -> None:
    cache, boxes = filled(WALK, indices), WALK.boxes(0)
    begun = IncrementalMotion(boxes, 0, 20)
    for _ in range(6):
        begun.advance(cache)
        for last in indices:
            early, late = cache.motion(0, last, begun), cache.motion(0, last)
            assert early is not None
            assert late is not None
            for one, other in zip(early.carry(boxes), late.carry(boxes), strict=True):
                assert np.array_equal(one, other)


def test_incremental_motion_of_other_boxes_is_not_used() -> None:
    cache, begun = filled(WALK, range(20)), IncrementalMotion(WALK.boxes(0), 0, 19)
    for _ in range(4):
        begun.advance(cache)
    motion = cache.motion(0, 19, begun)
    assert motion is not None
    assert motion.carry(WALK.boxes(0)[:1]).boxes == pytest.approx(WALK.boxes(19)[:1], abs=2)


def test_incremental_motion_leaves_few_strides(monkeypatch: pytest.MonkeyPatch) -> None:
    steps, step = [0], propagation.propagate

    def count(*arguments: object) -> object:
        steps[0] += 1
        return step(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(motion_cache, "propagate", count)
    cache, begun = filled(WALK, range(FPS)), IncrementalMotion(WALK.boxes(0), 0, FPS - 1)
    for _ in range(2 * FPS):
        before = steps[0]
        begun.advance(cache)
        assert steps[0] - before <= 1
    motion, before = cache.motion(0, FPS - 1, begun), steps[0]
    assert motion is not None
    motion.carry(WALK.boxes(0))
    assert steps[0] - before <= 1
    assert before >= 5, "a second has more strides than that"


def test_frames_without_texture_give_no_motion() -> None:
    cache = MotionCache()
    for index in range(10):
        cache.add(frame_of(flat(128), index))
    assert cache.fields(0, 9) is not None, "it is one shot all the same"
    assert cache.motion(0, 9) is None
