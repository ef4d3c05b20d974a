"""Every frame of a file is shown, with boxes from both sides between two detections."""

from __future__ import annotations

from collections.abc import Container, Sequence
from fractions import Fraction

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.errors import DetectorError
from streamer.motion.motion_field import MotionEstimator
from streamer.presentation.every_frame import EveryFrame
from streamer.presentation.presentation import Presented
from streamer.values.delivery import Arrived, Detected
from streamer.values.frame import Frame
from tests.motion.drawn import Drawn
from tracking.iou import IouTracker
from tracking.types import Detections, Origin

RATE = 25
BLANK = av.VideoFrame.from_ndarray(np.zeros((48, 64), np.uint8), format="gray")


def frame(index: int, segment: int = 0) -> Frame:
    return Frame(BLANK, index, index, Fraction(1, RATE), 0.0, segment)


def moving_box(index: int) -> Detections:
    x = np.float32(index)
    return Detections(np.array([[x, 5, x + 20, 30]], np.float32), np.array([0.9]), np.array([1]))


def pace(
    count: int, every: int, segments: Sequence[int] | None = None, fails_on: Container[int] = ()
) -> list[Presented]:
    presentation = EveryFrame(IouTracker(confirm_s=0.0), None if every == 1 else MotionEstimator())
    failed = DetectorError("it failed")
    failed.cause = "no luck"
    shown: list[Presented] = []
    for index in range(count):
        now = frame(index, segments[index] if segments else 0)
        if index % every:
            shown += presentation.take(Arrived(now))
        elif index in fails_on:
            shown += presentation.take(Detected(now, error=failed))
        else:
            shown += presentation.take(Detected(now, moving_box(index)))
    return shown + list(presentation.flush())


@settings(deadline=None)
@given(count=st.integers(0, 30), every=st.integers(1, 8))
def test_every_frame_is_shown_once_in_order(count: int, every: int) -> None:
    shown = pace(count, every)
    assert [presented.frame.index for presented in shown] == list(range(count))
    detected = [presented.frame.index for presented in shown if presented.state == "detected"]
    assert detected == list(range(0, count, every))


@settings(deadline=None)
@given(
    count=st.integers(0, 30),
    every=st.integers(1, 4),
    fails_on=st.sets(st.integers(0, 30)),
    segments=st.lists(st.integers(0, 1), min_size=30, max_size=30),
)
def test_a_frame_with_a_failed_detection_is_shown_as_lost(
    count: int, every: int, fails_on: set[int], segments: list[int]
) -> None:
    shown = pace(count, every, segments=[sum(segments[: index + 1]) for index in range(30)], fails_on=fails_on)
    assert [presented.frame.index for presented in shown] == list(range(count))
    lost = {presented.frame.index for presented in shown if presented.state == "lost"}
    assert lost == {index for index in fails_on if index % every == 0 and index < count}
    assert all(presented.cause == ("no luck" if presented.state == "lost" else "") for presented in shown)
    assert all(presented.detections is None for presented in shown if presented.state != "detected")


@pytest.mark.parametrize("every", [1, 3])
def test_boxes_of_a_lost_frame_are_interpolated(every: int) -> None:
    shown = pace(count=31, every=every, fails_on={12, 15, 24})
    for index in (12, 15, 24):
        assert shown[index].state == "lost"
        assert shown[index].tracks.origin.tolist() == [Origin.INTERPOLATED]
        assert shown[index].tracks.boxes[0, 0] == pytest.approx(index, abs=0.5)


def test_a_lost_frame_at_the_start_has_no_boxes_and_at_the_end_predicted_ones() -> None:
    shown = pace(count=20, every=1, fails_on={0, 18, 19})
    assert [len(presented.tracks) for presented in shown[:2]] == [0, 1]
    assert [presented.state for presented in shown[17:]] == ["detected", "lost", "lost"]
    assert shown[19].tracks.origin.tolist() == [Origin.PREDICTED]
    assert shown[19].tracks.boxes[0, 0] == pytest.approx(19, abs=1.0)


def test_nothing_is_interpolated_across_segments_over_a_lost_frame() -> None:
    shown = pace(count=20, every=1, segments=[0] * 10 + [1] * 10, fails_on={9, 10})
    assert shown[9].tracks.ids.tolist() == shown[8].tracks.ids.tolist()  # predicted
    assert len(shown[10].tracks) == 0
    assert shown[11].tracks.ids.tolist() != shown[8].tracks.ids.tolist()


def test_boxes_between_two_detections_lie_on_the_path() -> None:
    for presented in pace(count=41, every=5)[5:]:
        assert presented.tracks.boxes[0, 0] == pytest.approx(presented.frame.index, abs=0.5)
        expected = Origin.DETECTED if presented.state == "detected" else Origin.INTERPOLATED
        assert presented.tracks.origin.tolist() == [expected]


def test_frames_after_the_last_detection_are_predicted() -> None:
    shown = pace(count=38, every=5)
    assert [presented.state for presented in shown[36:]] == ["predicted", "predicted"]
    assert shown[-1].tracks.boxes[0, 0] == pytest.approx(37, abs=1.0)


def test_a_new_segment_starts_with_new_tracks() -> None:
    shown = pace(count=20, every=1, segments=[0] * 10 + [1] * 10)
    assert set(shown[9].tracks.ids.tolist()).isdisjoint(shown[19].tracks.ids.tolist())


def test_nothing_is_interpolated_across_segments() -> None:
    shown = pace(count=20, every=4, segments=[0] * 10 + [1] * 10)
    assert [presented.frame.index for presented in shown] == list(range(20))
    states = [presented.state for presented in shown[8:13]]
    assert states == ["detected", "predicted", "predicted", "predicted", "detected"]
    assert len(shown[10].tracks) == 0


@pytest.mark.parametrize("cuts", [True, False], ids=["cut", "same shot"])
def test_no_object_of_the_earlier_shot_is_shown_after_a_cut(cuts: bool) -> None:
    """Two objects; one is not detected on frame 10: there is a cut, or the detector missed it."""
    presentation, shot, other = EveryFrame(IouTracker(confirm_s=0.0)), Drawn(), Drawn(seed=7)
    box = np.array([[20, 20, 60, 100], [200, 40, 260, 140]], np.float32)
    both = Detections(box, np.array([0.9, 0.9]), np.array([0, 0]))
    shown: list[Presented] = []
    for index in range(12):
        now = (other if cuts and index >= 10 else shot).frame(index)
        shown += presentation.take(Detected(now, both if index < 10 else both.select(np.array([0]))))
    assert [len(presented.tracks) for presented in shown[:10]] == [2] * 10
    assert [len(presented.tracks) for presented in shown[10:]] == ([1, 1] if cuts else [2, 2])
    assert (shown[10].tracks.ids[0] == shown[9].tracks.ids[0]) != cuts
