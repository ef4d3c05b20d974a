"""What is shown of a live source: frames as they come with carried boxes, or detected ones as they are done."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.frame import Frame
from streamer.pacing import Live, Paced
from tracking.iou import IouTracker
from tracking.types import Detections

PICTURE = av.VideoFrame(64, 48, "yuv420p")
RATE = 25


def frame(index: int, segment: int = 0) -> Frame:
    return Frame(PICTURE, index, index, Fraction(1, RATE), 0.0, segment)


def moving_box(index: int) -> Detections:
    x = np.float32(index)
    return Detections(np.array([[x, 5, x + 20, 30]], np.float32), np.array([0.9]), np.array([1]))


def live(*, every_frame: bool = True) -> Live:
    return Live(IouTracker(confirm_s=0.0), every_frame=every_frame)


def came(pacing: Live, index: int, segment: int = 0) -> Paced:
    """A frame that came; what is shown of it."""
    (paced,) = pacing.take(frame(index, segment), None, looked=False)
    return paced


def found(pacing: Live, index: int, segment: int = 0) -> list[Paced]:
    """A frame that a detector is done with; what is shown of it."""
    return list(pacing.take(frame(index, segment), moving_box(index)))


def ids(paced: Paced) -> list[int]:
    found_ids: list[int] = paced.tracks.ids.tolist()
    return found_ids


def test_every_frame_is_shown_as_it_comes_with_boxes_carried_to_it() -> None:
    pacing, shown = live(), []
    for index in range(40):
        shown.append(came(pacing, index))
        if index % 5 == 4:  # the detector is done with a frame that came four frames ago
            assert found(pacing, index - 4) == []
    assert [paced.frame.index for paced in shown] == list(range(40))
    assert {paced.state for paced in shown} == {"predicted"}
    assert not len(shown[4].tracks)
    for index in range(20, 40):
        assert shown[index].tracks.boxes[0, 0] == pytest.approx(index, abs=1.0)


def test_only_detected_frames_are_shown_with_the_detectors_own_boxes() -> None:
    pacing = live(every_frame=False)
    shown = [paced for index in range(0, 40, 4) for paced in found(pacing, index)]
    assert [paced.frame.index for paced in shown] == list(range(0, 40, 4))
    assert {paced.state for paced in shown} == {"detected"}
    assert all(paced.detections is not None for paced in shown)
    assert shown[-1].tracks.boxes[0, 0] == pytest.approx(36, abs=1.0)


@pytest.mark.parametrize("every_frame", [True, False])
def test_a_new_segment_starts_with_new_tracks(every_frame: bool) -> None:
    pacing = live(every_frame=every_frame)
    before = [*found(pacing, 0), *found(pacing, 1)] + [came(pacing, 2)] * every_frame
    after = [came(pacing, 3, segment=1)] * every_frame + [*found(pacing, 4, segment=1)]
    after += [came(pacing, 5, segment=1)] * every_frame
    assert ids(before[-1]) == [1]
    assert not len(after[0].tracks) or not every_frame
    assert ids(after[-1]) == [2]


@pytest.mark.parametrize("every_frame", [True, False])
def test_a_late_result_of_the_segment_before_is_ignored(every_frame: bool) -> None:
    pacing = live(every_frame=every_frame)
    found(pacing, 0)
    found(pacing, 4, segment=1)
    assert found(pacing, 1) == []
    assert found(pacing, 5, segment=1) != [] or every_frame
    (paced,) = pacing.take(frame(6, 1), None, looked=False)
    assert ids(paced) == [2]


def test_boxes_of_the_next_segment_are_not_drawn_on_a_frame_of_the_one_before() -> None:
    pacing = live()
    came(pacing, 0)
    found(pacing, 2, segment=1)  # a quick detector: the frame before it is not shown yet
    assert not len(came(pacing, 1).tracks)
    assert len(came(pacing, 2, segment=1).tracks) == 1


@pytest.mark.parametrize("every_frame", [True, False])
def test_a_result_that_others_overtook_does_not_turn_time_back(every_frame: bool) -> None:
    pacing = live(every_frame=every_frame)
    for index in (0, 1, 2, 4):
        found(pacing, index)
    assert found(pacing, 3) == []  # of another detector, which was slower
    assert ids(came(pacing, 5)) == [1]


def test_a_frame_that_the_detector_failed_on_is_shown_once() -> None:
    pacing = live()
    found(pacing, 0)
    assert came(pacing, 1).state == "predicted"
    assert list(pacing.take(frame(1), None, "no luck")) == []
    pacing = live(every_frame=False)
    found(pacing, 0)
    (paced,) = pacing.take(frame(1), None, "no luck")
    assert (paced.state, paced.cause, ids(paced)) == ("lost", "no luck", [1])


@st.composite
def live_orders(draw: st.DrawFn) -> list[tuple[str, int, int]]:
    """Frames in order, in rising segments, with results later and in any order, as several detectors give them."""
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


@given(order=live_orders(), every_frame=st.booleans())
def test_what_is_shown_never_goes_back_in_time(order: list[tuple[str, int, int]], every_frame: bool) -> None:
    pacing = live(every_frame=every_frame)
    shown: list[Paced] = []
    for what, index, segment in order:
        if what == "found":
            shown += found(pacing, index, segment)
        elif every_frame:
            shown.append(came(pacing, index, segment))
    indexes = [paced.frame.index for paced in shown]
    assert indexes == sorted(set(indexes))
    ids_by_segment: dict[int, set[int]] = {}
    for paced in shown:
        ids_by_segment.setdefault(paced.frame.segment, set()).update(ids(paced))
    all_ids = [track_id for found_ids in ids_by_segment.values() for track_id in found_ids]
    assert len(all_ids) == len(set(all_ids)), "an id lives in one segment only"
    assert list(pacing.flush()) == []
