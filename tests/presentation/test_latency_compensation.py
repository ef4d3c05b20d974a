"""Boxes on the newest frame: late results are carried to where the object is now, and glide in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from streamer.motion import propagation
from streamer.motion.motion_cache import KEPT_S
from streamer.presentation import latency_compensation as now_module
from streamer.presentation.latency_compensation import (
    CATCH_UP_STRIDES,
    LEAST_VISIBLE,
    LatencyCompensator,
    visible_share,
)
from streamer.presentation.shot_tracker import ShotTracker
from streamer.values.delivery import Detected
from streamer.values.frame import Frame
from tests.motion.drawn import (
    FPS,
    HEIGHT,
    RESTING,
    WIDTH,
    Array,
    Camera,
    Drawn,
    Thing,
    camera,
    flat,
    frame_of,
    iou,
    line,
)
from tracking.iou import IouTracker
from tracking.types import Detections, Motion, Origin, Tracks


def bend(index: int) -> tuple[float, float]:
    """To the right, and further and further down."""
    return 60 + 3.0 * index, 30 + 0.05 * index**2


WALK = Drawn([Thing(bend)])
AWAY = np.zeros((0, 4))


def detections(boxes: Array) -> Detections:
    """Detections of these boxes."""
    boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
    return Detections(boxes.astype(np.float32), np.full(len(boxes), 0.9), np.zeros(len(boxes), np.int32))


def compensator() -> LatencyCompensator:
    return LatencyCompensator(ShotTracker(IouTracker(confirm_s=0.0)))


def watch(
    drawn: Drawn,
    count: int,
    *,
    late: int,
    every: int,
    found: Callable[[int], Array] | None = None,
    fps: int = FPS,
) -> list[Tracks]:
    """`count` frames; the result of every `every`-th frame comes `late` frames later."""
    now, shown = compensator(), []
    frames = [drawn.frame(index, fps=fps) for index in range(count)]
    for index, one in enumerate(frames):
        seen = index - late
        if seen >= 0 and seen % every == 0:
            now.add(frames[seen], detections(drawn.boxes(seen) if found is None else found(seen)))
        shown.append(now.advance(one))
    return shown


@pytest.mark.parametrize("view", [RESTING, camera(x=-3, y=1), camera(x=2, zoom=1.005, roll_degrees=-0.2)])
def test_a_late_result_lands_where_the_object_is_now(view: Camera) -> None:
    drawn = Drawn([Thing(bend)], view)
    shown = watch(drawn, 42, late=12, every=12)
    assert not any(len(tracks) for tracks in shown[:12]), "nothing is known yet"
    for index in range(13, 42):
        (box,) = shown[index].boxes.astype(np.float64)
        found_on = index - 12 - (index - 12) % 12
        assert iou(box, drawn.box(index)) > 0.85, index
        assert iou(drawn.box(found_on), drawn.box(index)) < 0.5, "a box that was not carried would be far off"


def test_carried_boxes_have_their_origin_and_age() -> None:
    shown = watch(WALK, 30, late=9, every=9)
    for index in range(11, 30):
        found_on = index - 9 - (index - 9) % 9
        assert shown[index].ids.tolist() == [1]
        assert shown[index].origin.tolist() == [Origin.PREDICTED]
        assert shown[index].unseen_s == pytest.approx([(index - found_on) / FPS], abs=1e-5)
        assert shown[index].age_s == pytest.approx([index / FPS], abs=1e-5)


def test_a_new_result_glides_in() -> None:
    """A detector whose boxes are 8 px off to the right every other time."""

    def found(index: int) -> Array:
        off: Array = WALK.boxes(index) + np.array([8, 0, 8, 0]) * (index // 12 % 2)
        return off

    shown = watch(WALK, 60, late=10, every=12, found=found)
    off = np.array([tracks.boxes[0, 0] - WALK.box(index)[0] for index, tracks in enumerate(shown) if index >= 12])
    change = off.max() - off.min()
    assert change > 4, "it makes a difference what the detector says"
    jumps = np.abs(np.diff(off))
    assert jumps.max() < 0.6 * change
    # The box moves in one direction: the steps add up to the whole change.
    landing = off[22 - 12 : 34 - 12]
    assert (np.diff(landing) * np.sign(landing[-1] - landing[0]) > -0.5).all()


class OnlyOne(IouTracker):
    """Assigns every detection to the same object."""

    def update(self, detections: Detections, time_s: float, motion: Motion | None = None) -> Tracks:
        self.reset()
        tracks = super().update(detections, time_s, motion)
        return replace(tracks, ids=np.ones(len(tracks), np.int64))


@pytest.mark.parametrize(("apart_px", "glides"), [(10, True), (60, False)])
def test_a_box_glides_short_offsets_only(apart_px: int, glides: bool) -> None:
    now, drawn = LatencyCompensator(ShotTracker(OnlyOne(confirm_s=0.0))), Drawn()
    here = np.array([[40.0, 40, 100, 100]])
    there = here + apart_px
    frames = [drawn.frame(index) for index in range(12)]
    now.advance(frames[0], Detected(frames[0], detections(here)))
    way = [float(now.advance(one, Detected(one, detections(there))).boxes[0, 0]) - 40 for one in frames[1:]]
    assert way == sorted(way)
    assert way[-1] == pytest.approx(apart_px, abs=0.5)
    assert (way[0] < 0.8 * apart_px) == glides


def counted(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """The number of steps since the last call."""
    made, step = [0], propagation.propagate

    def count(*arguments: object) -> object:
        made[0] += 1
        return step(*arguments)  # type: ignore[arg-type]

    def since() -> int:
        steps, made[0] = made[0], 0
        return steps

    monkeypatch.setattr(now_module, "propagate", count)
    return since


def slowly(index: int) -> tuple[float, float]:
    return 60 + 1.0 * index, 60 + 0.004 * index**2


def test_the_cost_of_a_frame_does_not_depend_on_the_latency(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn, late = Drawn([Thing(slowly)]), 100  # 3.3 s
    steps, now = counted(monkeypatch), compensator()
    frames = [drawn.frame(index) for index in range(late + 20)]
    landed = None
    for index, one in enumerate(frames):
        if index == late:
            now.add(frames[0], detections(drawn.boxes(0)))
        shown = now.advance(one)
        assert steps() <= CATCH_UP_STRIDES + 1
        if len(shown) and landed is None:
            landed = index
    assert landed is not None
    assert late < landed <= late + 10, "it takes some frames to catch up"
    assert iou(shown.boxes[0], drawn.box(len(frames) - 1)) > 0.8


def test_old_boxes_stay_while_a_late_result_catches_up() -> None:
    drawn, late = Drawn([Thing(slowly)]), 90
    now = compensator()
    frames = [drawn.frame(index) for index in range(late + 12)]
    for index, one in enumerate(frames):
        if index == late - 1:  # such as of another, faster detector
            now.add(frames[index - 1], detections(drawn.boxes(index - 1)))
        if index == late + 2:
            now.add(frames[late - 60 + 1], detections(drawn.boxes(late - 60 + 1)))
        shown = now.advance(one)
        if index >= late:
            assert len(shown) == 1
            assert iou(shown.boxes[0], drawn.box(index)) > 0.8, index


def test_at_low_frame_rates_a_late_result_catches_up_at_once() -> None:
    """At 5 frames/s there is time for more steps."""

    def strolls(index: int) -> tuple[float, float]:
        return 60 + 5.0 * index, 80

    drawn = Drawn([Thing(strolls)])
    shown = watch(drawn, 20, late=10, every=1, fps=5)
    assert [len(tracks) for tracks in shown] == [0] * 10 + [1] * 10
    for index in range(10, 20):
        assert iou(shown[index].boxes[0], drawn.box(index)) > 0.85


def test_a_result_without_latency_is_shown_on_its_frame() -> None:
    now = compensator()
    one = WALK.frame(0)
    shown = now.advance(one, Detected(one, detections(WALK.boxes(0))))
    assert shown.boxes == pytest.approx(WALK.boxes(0), abs=0.5)
    assert shown.unseen_s.tolist() == [0]


def test_a_result_older_than_the_motion_cache_is_ignored() -> None:
    now = compensator()
    fps, count = 4, int(KEPT_S) * 4 + 8
    frames = [frame_of(flat(128), index, fps=fps) for index in range(count)]
    for one in frames:
        now.advance(one)
    now.add(frames[0], detections(np.array([10.0, 10, 60, 60])))
    assert len(now.advance(frame_of(flat(128), count, fps=fps))) == 0


@pytest.mark.parametrize("begins", ["cut", "reconnect", "another size"])
def test_nothing_is_carried_into_a_new_shot(begins: str) -> None:
    now, segment = compensator(), int(begins == "reconnect")
    frames = [WALK.frame(index) for index in range(6)]
    for index, one in enumerate(frames):
        if index == 3:
            now.add(frames[1], detections(WALK.boxes(1)))
        before = now.advance(one)
    assert before.ids.tolist() == [1]

    def after(index: int) -> Frame:
        picture = (Drawn(seed=9) if begins == "cut" else WALK).picture(index)
        return frame_of(picture[:, :300] if begins == "another size" else picture, index, segment=segment)

    assert len(now.advance(after(6))) == 0
    now.add(frames[5], detections(WALK.boxes(5)))  # a result of the earlier shot
    assert len(now.advance(after(7))) == 0
    seen = after(7)
    now.add(seen, detections(np.array([40.0, 40, 100, 120])))
    shown = now.advance(after(8))
    assert shown.ids.tolist() == [2], "an id lives in one shot only"
    assert shown.boxes[0] == pytest.approx((40, 40, 100, 120), abs=30)


def test_a_result_that_catches_up_is_dropped_at_a_cut() -> None:
    now, still = compensator(), Drawn()
    frames = [still.frame(index) for index in range(100)]
    for one in frames[:90]:
        now.advance(one)
    now.add(frames[0], detections(np.array([40.0, 40, 100, 120])))
    assert len(now.advance(frames[90])) == 0, "catching up takes more than one frame"
    other = Drawn(seed=9)
    assert [len(now.advance(other.frame(index))) for index in range(91, 110)] == [0] * 19


def test_an_empty_result_removes_the_boxes() -> None:
    shown = watch(WALK, 30, late=3, every=6, found=lambda index: WALK.boxes(index) if index < 10 else AWAY)
    assert len(shown[12]) == 1
    assert len(shown[-1]) == 0


def test_an_object_that_leaves_the_frame_is_not_shown() -> None:
    leaving = Drawn([Thing(lambda index: (WIDTH - 60 + 5.0 * index, 80))])
    shown = watch(leaving, 24, late=2, every=100)
    for index in range(2, 24):
        left = visible_share(leaving.boxes(index), leaving.frame(index))[0]
        if left > LEAST_VISIBLE + 0.15:
            assert len(shown[index]) == 1, index
        if left < LEAST_VISIBLE - 0.15:
            assert len(shown[index]) == 0, index
    assert len(shown[-1]) == 0


@pytest.mark.parametrize("every", [3, 6])
def test_without_motion_estimates_the_tracker_predicts_the_boxes(every: int) -> None:
    now, frames = compensator(), [frame_of(flat(90), index) for index in range(48)]
    for index, one in enumerate(frames):
        if index >= 5 and (index - 5) % every == 0:
            x = 4.0 * (index - 5)
            now.add(frames[index - 5], detections(np.array([x, 50, x + 60, 140])))
        shown = now.advance(one)
    assert shown.boxes[0] == pytest.approx((4.0 * 47, 50, 4.0 * 47 + 60, 140), abs=6)


def test_a_box_without_texture_moves_with_the_camera() -> None:
    """The object has no texture, but the motion of the camera is known."""
    plain = Drawn([Thing(lambda _: (150.0, 60.0), 110, 110, seed=None)], camera(x=-4))
    core = np.array([[30.0, 30, -30, -30]])
    shown = watch(plain, 24, late=6, every=100, found=lambda index: plain.boxes(index) + core)
    assert shown[-1].boxes == pytest.approx(plain.boxes(23) + core, abs=2)


def test_on_noise_boxes_are_not_worse_than_stale_ones() -> None:
    random = np.random.default_rng(3)
    now, box = compensator(), np.array([[100.0, 60, 180, 160]])
    frames = [
        frame_of(np.clip(128 + random.normal(0, 2, (HEIGHT, WIDTH)), 0, 255).astype(np.uint8), index)
        for index in range(30)
    ]
    for index, one in enumerate(frames):
        if index == 5:
            now.add(frames[0], detections(box))
        shown = now.advance(one)
    assert shown.boxes == pytest.approx(box, abs=0.5)


def test_many_objects_keep_their_own_boxes() -> None:
    crowd = Drawn(
        [
            Thing(line(20.0 + 75 * n, 20.0 + 60 * (n % 2), 0.8 if n % 2 == 0 else -0.8, 2.0), seed=200 + n)
            for n in range(4)
        ],
        camera(x=-1),
    )
    shown = watch(crowd, 36, late=10, every=10)
    for index in range(14, 36):
        boxes = dict(zip(shown[index].ids.tolist(), shown[index].boxes, strict=True))
        assert sorted(boxes) == [1, 2, 3, 4]
        assert all(iou(boxes[n + 1], crowd.box(index, n)) > 0.75 for n in range(4)), index


def test_a_result_of_an_earlier_shot_does_not_update_the_tracker() -> None:
    objects = ShotTracker(IouTracker(confirm_s=0.0))
    now, frames = LatencyCompensator(objects), [WALK.frame(index) for index in range(6)]
    for index, one in enumerate(frames):
        now.advance(one)
        if index in (2, 4):
            now.add(frames[index - 1], detections(WALK.boxes(index - 1)))
    now.advance(Drawn(seed=9).frame(6))
    now.add(frames[5], detections(WALK.boxes(5)))
    assert [objects.found_pts(np.array([1]), pts).tolist() for pts in (2, 9)] == [[1], [3]]


def test_a_late_result_catches_up_over_frames_that_were_dropped() -> None:
    """Two of three frames are dropped; catching up takes several frames."""
    now, indices = compensator(), range(0, 90, 3)
    walk = Drawn([Thing(line(20, 60, 2))])
    for index in indices:
        if index == 60:
            now.add(walk.frame(0), detections(walk.boxes(0)))
        shown = now.advance(walk.frame(index))
    assert len(shown) == 1
    assert iou(shown.boxes[0], walk.box(87)) > 0.9
