"""The presentations of live sources: every frame on arrival, or detected frames only."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.errors import DetectorError
from streamer.presentation.live import ShowDetected, ShowNow
from streamer.presentation.presentation import Presented
from streamer.values.delivery import Arrived, Detected
from streamer.values.frame import Frame
from tracking.iou import IouTracker
from tracking.types import Detections

PICTURE = av.VideoFrame.from_ndarray(np.zeros((48, 64), np.uint8), format="gray")
RATE = 25


def frame(index: int, segment: int = 0) -> Frame:
    return Frame(PICTURE, index, index, Fraction(1, RATE), 0.0, segment)


def moving_box(index: int) -> Detections:
    x = np.float32(index)
    return Detections(np.array([[x, 5, x + 20, 30]], np.float32), np.array([0.9]), np.array([1]))


def live(*, every_frame: bool = True) -> ShowNow | ShowDetected:
    tracker = IouTracker(confirm_s=0.0)
    return ShowNow(tracker) if every_frame else ShowDetected(tracker)


def came(presentation: ShowNow | ShowDetected, index: int, segment: int = 0) -> Presented:
    """The result of delivering a frame."""
    (presented,) = presentation.take(Arrived(frame(index, segment)))
    return presented


def found(presentation: ShowNow | ShowDetected, index: int, segment: int = 0) -> list[Presented]:
    """The result of delivering a detection."""
    return list(presentation.take(Detected(frame(index, segment), moving_box(index))))


def failed(presentation: ShowNow | ShowDetected, index: int) -> list[Presented]:
    return list(presentation.take(Detected(frame(index), error=DetectorError("no luck"))))


def ids(presented: Presented) -> list[int]:
    found_ids: list[int] = presented.tracks.ids.tolist()
    return found_ids


def test_a_late_frame_keeps_the_last_boxes() -> None:
    presentation = live()
    for index in range(10):
        came(presentation, index)
        found(presentation, index)
    before = came(presentation, 10)
    (late,) = presentation.take(Arrived(frame(11), late=True))
    assert late.state == "predicted"
    assert ids(late) == ids(before) != []
    assert late.tracks.boxes == pytest.approx(before.tracks.boxes, abs=1.5)
    assert ids(came(presentation, 12)) == ids(before)
    (elsewhere,) = presentation.take(Arrived(frame(13, segment=1), late=True))
    assert ids(elsewhere) == []


def test_every_frame_is_shown_on_arrival_with_predicted_boxes() -> None:
    presentation, shown = live(), []
    for index in range(40):
        shown.append(came(presentation, index))
        if index % 5 == 4:  # the result for a frame of four frames ago
            assert found(presentation, index - 4) == []
    assert [presented.frame.index for presented in shown] == list(range(40))
    assert {presented.state for presented in shown} == {"predicted"}
    assert not len(shown[4].tracks)
    for index in range(20, 40):
        assert shown[index].tracks.boxes[0, 0] == pytest.approx(index, abs=1.0)


def test_overlay_detected_shows_detected_frames_with_their_own_boxes() -> None:
    presentation = live(every_frame=False)
    shown = [presented for index in range(0, 40, 4) for presented in found(presentation, index)]
    assert [presented.frame.index for presented in shown] == list(range(0, 40, 4))
    assert {presented.state for presented in shown} == {"detected"}
    assert all(presented.detections is not None for presented in shown)
    assert shown[-1].tracks.boxes[0, 0] == pytest.approx(36, abs=1.0)


def test_a_new_segment_starts_with_new_tracks_in_now() -> None:
    presentation = live()
    before = []
    for index in range(3):
        before.append(came(presentation, index))
        found(presentation, index)
    after = [came(presentation, 3, segment=1)]
    found(presentation, 3, segment=1)
    after.append(came(presentation, 4, segment=1))
    assert ids(before[-1]) == [1]
    assert ids(after[0]) == []
    assert ids(after[1]) == [2]


def test_a_new_segment_starts_with_new_tracks_in_detected() -> None:
    presentation = live(every_frame=False)
    assert ids(found(presentation, 0)[0]) == [1]
    assert ids(found(presentation, 1, segment=1)[0]) == [2]


def test_a_late_result_of_an_earlier_segment_is_ignored() -> None:
    presentation = live()
    came(presentation, 0)
    came(presentation, 1)
    came(presentation, 2, segment=1)
    assert found(presentation, 1) == []
    assert ids(came(presentation, 3, segment=1)) == []


def test_a_result_before_its_frame_waits_for_it() -> None:
    presentation = live()
    came(presentation, 0)
    assert found(presentation, 2, segment=1) == []  # a fast detector: the frame before it is not shown yet
    assert not len(came(presentation, 1).tracks)
    assert len(came(presentation, 2, segment=1).tracks) == 1


def test_a_result_whose_frame_was_dropped_is_used_for_the_next() -> None:
    presentation = live()
    came(presentation, 0)
    found(presentation, 1)
    assert ids(came(presentation, 2)) == [1]


@pytest.mark.parametrize("every_frame", [True, False])
def test_an_overtaken_result_is_ignored(every_frame: bool) -> None:
    presentation = live(every_frame=every_frame)
    for index in (0, 1, 2, 3, 4):
        if every_frame:
            came(presentation, index)
        if index != 3:
            found(presentation, index)
    assert found(presentation, 3) == []  # of another, slower detector
    (presented,) = [came(presentation, 5)] if every_frame else found(presentation, 5)
    assert ids(presented) == [1]
    assert presented.tracks.unseen_s == pytest.approx([1 / RATE if every_frame else 0], abs=1e-5)


def test_a_frame_with_a_failed_detection_is_shown_once() -> None:
    presentation = live()
    came(presentation, 0)
    found(presentation, 0)
    assert came(presentation, 1).state == "predicted"
    assert failed(presentation, 1) == []
    presentation = live(every_frame=False)
    found(presentation, 0)
    (presented,) = failed(presentation, 1)
    assert (presented.state, presented.cause, ids(presented)) == ("lost", "detector error", [1])


@st.composite
def live_orders(draw: st.DrawFn) -> list[tuple[str, int, int]]:
    """Frames in order and rising segments, with later results in any order, as of several detectors."""
    segments: list[int] = draw(st.lists(st.integers(0, 1), min_size=1, max_size=25))
    choices = st.lists(st.integers(0, 9), max_size=3)
    with_detectors: list[tuple[int, int]] = []
    order = []
    for index in range(len(segments)):
        segment = sum(segments[: index + 1])
        order.append(("came", index, segment))
        with_detectors.append((index, segment))
        chosen: list[int] = draw(choices)
        for choice in chosen[: len(with_detectors)]:
            order.append(("found", *with_detectors.pop(choice % len(with_detectors))))
    return order


@settings(deadline=None)
@given(order=live_orders(), every_frame=st.booleans())
def test_shown_frames_never_go_back_in_time(order: list[tuple[str, int, int]], every_frame: bool) -> None:
    presentation = live(every_frame=every_frame)
    shown: list[Presented] = []
    for what, index, segment in order:
        if what == "found":
            shown += found(presentation, index, segment)
        elif every_frame:
            shown.append(came(presentation, index, segment))
    indexes = [presented.frame.index for presented in shown]
    assert indexes == sorted(set(indexes))
    ids_by_segment: dict[int, set[int]] = {}
    for presented in shown:
        ids_by_segment.setdefault(presented.frame.segment, set()).update(ids(presented))
    all_ids = [track_id for found_ids in ids_by_segment.values() for track_id in found_ids]
    assert len(all_ids) == len(set(all_ids)), "an id lives in one segment only"
    assert list(presentation.flush()) == []
