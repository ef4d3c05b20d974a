"""Stability of boxes: known jumps, known id breaks, and a real run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
import pytest

from streamer.evaluation.id_breaks import IdBreaks
from streamer.evaluation.steadiness import Steadiness, SteadinessReport
from streamer.flow.cadence import Cadence
from streamer.interfaces import Scene
from streamer.pipeline import Pipeline
from streamer.values.frame import Frame
from streamer.values.labels import LabelTable
from streamer.values.states import FrameState
from tests.pipeline.parts import CountingSource
from tracking.iou import IouTracker
from tracking.types import Detections, Origin, Tracks

LABELS = LabelTable(("person", "car"))
FPS = 10
SIZE = (640, 480)


def tracks(
    *boxes: tuple[int, float, float], time_s: float, seen_s: float, born_s: float = 0.0, label: int = 0
) -> Tracks:
    """Boxes of 40x40 px at left and top, by id; last detected at `seen_s`."""
    count = len(boxes)
    corner = np.array([box[1:] for box in boxes], np.float32).reshape(-1, 2)
    return Tracks(
        ids=np.array([box[0] for box in boxes], np.int64),
        boxes=np.concatenate([corner, corner + 40], axis=1),
        scores=np.ones(count, np.float32),
        labels=np.full(count, label, np.int32),
        velocities=np.zeros((count, 2), np.float32),
        age_s=np.full(count, time_s - born_s, np.float32),
        unseen_s=np.full(count, time_s - seen_s, np.float32),
        origin=np.full(count, Origin.DETECTED if seen_s == time_s else Origin.PREDICTED, np.uint8),
        confirmed=np.ones(count, np.bool_),
    )


def scene(index: int, shown: Tracks, segment: int = 0) -> Scene:
    frame = Frame(av.VideoFrame(*SIZE, "yuv420p"), index, index, Fraction(1, FPS), 0.0, segment=segment)
    return Scene(frame, shown, LABELS, FrameState.PREDICTED)


def report(scenes: Iterable[Scene]) -> SteadinessReport:
    steadiness = Steadiness()
    for each in scenes:
        steadiness.scene_shown(each)
    return steadiness.report()


def carried(lefts: list[float], landed_every: int) -> SteadinessReport:
    """One box at these places, frame by frame; a result arrives every `every` frames, one frame old."""
    scenes = []
    for index, left in enumerate(lefts):
        seen_s = max(0, index // landed_every * landed_every - 1) / FPS
        scenes.append(scene(index, tracks((1, left, 100), time_s=index / FPS, seen_s=seen_s)))
    return report(scenes)


def test_a_jump_when_a_detection_arrives_is_measured() -> None:
    """2 px per frame, and 10 px back when a detection arrives, on frames 4, 8 and 12."""
    lefts = [200 + 2.0 * k - 12 * (k // 4) for k in range(16)]
    found = carried(lefts, 4)
    assert (found.landed.count, found.between.count) == (3, 12)
    assert found.landed.shift_p50 == found.landed.shift_p95 == pytest.approx(10 / 40)
    assert found.landed.deviation_p50 == pytest.approx(12 / 40)
    assert found.landed.iou_p50 == found.landed.iou_p5 == pytest.approx(30 / 50)
    assert found.between.shift_p50 == pytest.approx(2 / 40)
    assert found.between.iou_p5 == pytest.approx(38 / 42)
    assert found.between.deviation_p50 == pytest.approx(0, abs=1e-6)
    assert found.frames == 16
    assert found.duration_s == pytest.approx(1.5)


def test_a_box_with_constant_velocity_does_not_deviate() -> None:
    found = carried([100 + 3.0 * k for k in range(16)], 4)
    assert found.landed.shift_p95 == pytest.approx(3 / 40)
    assert found.landed.deviation_p95 == pytest.approx(0, abs=1e-6)


def test_an_id_on_one_frame_makes_no_step() -> None:
    shown = [tracks((1, 100, 100), time_s=0, seen_s=0), Tracks.empty(), tracks((1, 300, 100), time_s=0.2, seen_s=0.2)]
    found = report(scene(index, each) for index, each in enumerate(shown))
    assert found.landed.count == found.between.count == 0
    assert found.to_dict()["landed"]["iou_p50"] == 1.0


def test_a_new_segment_starts_new_steps() -> None:
    scenes = [
        scene(index, tracks((1, 100 + 200 * (index // 3), 100), time_s=index / FPS, seen_s=index / FPS), index // 3)
        for index in range(6)
    ]
    found = report(scenes)
    assert found.landed.count == 4
    assert found.landed.shift_p95 == 0


def test_an_empty_run_has_a_report() -> None:
    found = report([])
    assert (found.frames, found.duration_s, found.ids) == (0, 0.0, IdBreaks(0, 0.0, 0, 0, 0.0))


def lives(*parts: tuple[int, int, int, float, float], label_of_last: int = 0, last_segment: int = 0) -> IdBreaks:
    """Ids displayed from one frame to another, at left and top; 40 frames in total."""
    scenes = []
    for index in range(40):
        time_s = index / FPS
        now = [
            tracks(
                (track_id, left, top),
                time_s=time_s,
                seen_s=time_s,
                born_s=first / FPS,
                label=label_of_last if track_id == parts[-1][0] else 0,
            )
            for track_id, first, last, left, top in parts
            if first <= index <= last
        ]
        names = ("ids", "boxes", "scores", "labels", "velocities", "age_s", "unseen_s", "origin", "confirmed")
        joined = {name: np.concatenate([getattr(one, name) for one in now]) for name in names} if now else {}
        scenes.append(scene(index, Tracks(**joined) if now else Tracks.empty(), last_segment if index >= 20 else 0))
    return report(scenes).ids


def test_an_id_that_another_id_continues_is_broken() -> None:
    found = lives((1, 0, 19, 200, 200), (2, 23, 39, 205, 200))
    assert (found.ids, found.ended_inside, found.breaks) == (2, 1, 1)
    assert found.shown_s == pytest.approx(1.9 + 1.6)
    assert found.breaks_per_minute == pytest.approx(60 / 3.5)


@pytest.mark.parametrize(
    "second",
    [(2, 31, 39, 205, 200), (2, 21, 39, 260, 200), (2, 10, 39, 205, 200), (1, 25, 39, 205, 200)],
    ids=["too late", "elsewhere", "was there before", "the same id again"],
)
def test_other_track_ends_are_no_breaks(second: tuple[int, int, int, float, float]) -> None:
    assert lives((1, 0, 19, 200, 200), second).breaks == 0


def test_leaving_the_frame_breaks_no_id() -> None:
    found = lives((1, 0, 19, 595, 200), (2, 21, 39, 595, 200))
    assert (found.ended_inside, found.breaks) == (0, 0)


def test_another_class_continues_no_id() -> None:
    assert lives((1, 0, 19, 200, 200), (2, 21, 39, 200, 200), label_of_last=1).breaks == 0


def test_a_cut_breaks_no_id() -> None:
    assert lives((1, 0, 19, 200, 200), (2, 20, 39, 200, 200), last_segment=1).breaks == 0


def test_one_id_continues_only_one_other() -> None:
    found = lives((1, 0, 19, 200, 200), (2, 0, 19, 215, 200), (3, 21, 39, 205, 200))
    assert (found.ended_inside, found.breaks) == (2, 1)


def test_a_box_interpolated_before_its_first_detection_does_not_land() -> None:
    """An object is first detected on frame 3 and displayed from frame 1."""
    scenes = [scene(0, Tracks.empty())]
    for index in (1, 2, 3):
        own = tracks((1, 100 + 5.0 * index, 100), time_s=index / FPS, seen_s=index / FPS - (3 - index) / FPS)
        state = FrameState.DETECTED if index == 3 else FrameState.INTERPOLATED
        scenes.append(replace(scene(index, own), state=state))
    found = report(scenes)
    assert (found.landed.count, found.between.count) == (1, 1)


class SteppingDetector:
    """Detects one box that moves 4 px per frame; its position is reported in steps of 12 px."""

    labels = LABELS

    def detect(self, frame: Frame) -> Detections:
        left = 2 + 12 * (frame.index // 3)
        return Detections(np.array([[left, 4, left + 30, 34]]), np.array([0.9]), np.array([0]))

    def close(self) -> None:
        return None


def test_a_pipeline_run_is_measured() -> None:
    steadiness = Steadiness()
    source = CountingSource(frames=10)
    for each in Pipeline(source, [SteppingDetector()], IouTracker(), cadence=Cadence(3)):
        steadiness.scene_shown(each)
    found = steadiness.report()
    assert found.frames == 10
    assert (found.landed.count, found.between.count) == (3, 6)
    # Boxes between detections are interpolated: a step of 12 px becomes three of 4.
    assert found.landed.shift_p50 == pytest.approx(4 / 30, rel=0.2)
    assert found.ids.breaks == 0
