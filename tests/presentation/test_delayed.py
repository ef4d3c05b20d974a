"""Every frame is shown a fixed time after it arrived, with boxes from both sides."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.errors import DetectorError
from streamer.flow.observers import RunObserver
from streamer.flow.simulated_clock import Latency
from streamer.interfaces import Scene
from streamer.pipeline import Pipeline
from streamer.presentation.delayed import ShowDelayed
from streamer.presentation.presentation import Presented
from streamer.values.delivery import Arrived, Delivery, Detected, DisplayDue
from streamer.values.frame import Frame
from streamer.values.states import DropCause, FrameState
from tests.motion.drawn import FPS, Drawn, Thing, flat, frame_of, iou
from tests.pipeline.live_parts import Gate, Run, ScriptedCamera
from tests.pipeline.parts import CountingSource, OneBox
from tracking.iou import IouTracker
from tracking.types import Detections, Origin


def bend(index: int) -> tuple[float, float]:
    return 10 + 5.0 * index, 120 - 0.25 * (index - 20) ** 2


WALK = Drawn([Thing(bend)])


def found(index: int) -> Detections:
    return Detections(WALK.boxes(index).astype(np.float32), np.array([0.9]), np.array([0]))


def walk(count: int, *, segment_from: int | None = None) -> list[Frame]:
    return [
        WALK.frame(index, segment=int(segment_from is not None and index >= segment_from)) for index in range(count)
    ]


class Display:
    """The frames that a presentation shows, each with the number of frames that had arrived.

    Attributes:
        held_s: how long each of them was held back; only while frames arrive.
    """

    def __init__(self, delay_s: float | None = None) -> None:
        self.presentation = ShowDelayed(IouTracker(confirm_s=0.0), delay_s)
        self.shown: list[tuple[int, Presented]] = []
        self.held_s: list[float] = []
        self._came, self._now_s = 0, 0.0

    @property
    def indexes(self) -> list[int]:
        return [presented.frame.index for _, presented in self.shown]

    def of(self, index: int) -> Presented:
        (presented,) = (presented for _, presented in self.shown if presented.frame.index == index)
        return presented

    def come(self, frame: Frame) -> None:
        self._wait_until(frame.captured_s)
        self._came, self._now_s = self._came + 1, frame.captured_s
        self._take(self.presentation.take(Arrived(frame)))

    def look(self, frame: Frame, done_s: float, *, fails: bool = False) -> None:
        error = DetectorError("no luck") if fails else None
        result = Detected(frame, None if fails else found(frame.index), error, done_s=done_s)
        self._take(self.presentation.take(result))

    def end(self) -> None:
        self._take(self.presentation.flush())

    def _wait_until(self, now_s: float) -> None:
        while (due_s := self.presentation.next_due_s()) < now_s:
            self._now_s = max(self._now_s, due_s)
            self._take(self.presentation.take(DisplayDue(due_s)))

    def _take(self, ready: Iterator[Presented]) -> None:
        for presented in ready:
            self.shown.append((self._came, presented))
            self.held_s.append(self._now_s - presented.frame.captured_s)


def run(frames: list[Frame], *, late: int, every: int, delay_s: float | None = None) -> Display:
    """Every `every`-th frame is detected, and its result comes `late` frames later."""
    display = Display(delay_s)
    for index, one in enumerate(frames):
        if index >= late and (index - late) % every == 0:
            display.look(frames[index - late], one.captured_s)
        display.come(one)
    display.end()
    return display


def test_every_frame_is_shown_once_in_order_a_fixed_time_after_arrival() -> None:
    display = run(walk(36), late=4, every=4, delay_s=0.4)
    assert display.indexes == list(range(36))
    assert display.held_s[:23] == pytest.approx([0.4] * 23)


def test_boxes_are_interpolated_and_lie_on_the_object() -> None:
    display = run(walk(41), late=8, every=8, delay_s=0.6)
    for index in range(32):
        presented, detected = display.of(index), index % 8 == 0
        assert presented.state == ("detected" if detected else "interpolated")
        assert (presented.detections is not None) == detected
        assert presented.tracks.origin.tolist() == [Origin.DETECTED if detected else Origin.INTERPOLATED]
        assert presented.tracks.ids.tolist() == [1]
        assert iou(presented.tracks.boxes[0], WALK.box(index)) > 0.8


def test_a_delay_that_is_too_short_shows_boxes_carried_forward() -> None:
    display = run(walk(41), late=10, every=8, delay_s=0.1)
    for index in range(12, 38):
        presented = display.of(index)
        assert presented.state == "predicted"
        assert presented.tracks.origin.tolist() == [Origin.PREDICTED]
        assert iou(presented.tracks.boxes[0], WALK.box(index)) > 0.75, "and still on the object"
    assert display.indexes == list(range(41))


def test_the_delay_is_measured_logged_once_and_long_enough(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        display = run(walk(64), late=6, every=6)
    assert len([message for message in caplog.messages if "after they arrive" in message]) == 1
    # The first frame after a detected one waits for the next one, 6 frames later, whose result takes 6 frames.
    assert display.presentation.delay.chosen_s == pytest.approx(11 / FPS * 1.1 + 1 / FPS, abs=1e-6)
    assert display.indexes == list(range(64))
    steady = [presented for came, presented in display.shown if 45 < came < 64]
    assert steady
    assert {presented.state for presented in steady} == {"detected", "interpolated"}


def test_the_backlog_of_the_first_delay_does_not_flood_outputs() -> None:
    """A model takes two seconds for its first frame and 0.2 s for each of the others."""
    display, frames = Display(), walk(200)
    for index, one in enumerate(frames):
        if index == 60:
            display.look(frames[0], one.captured_s)
        elif index > 60 and index % 6 == 0:
            display.look(frames[index - 6], one.captured_s)
        display.come(one)
    delay_s = display.presentation.delay.chosen_s
    assert delay_s is not None
    assert display.indexes == list(range(len(display.indexes)))
    shown_s = [held_s + frames[index].captured_s for index, held_s in enumerate(display.held_s[:180])]
    assert np.diff(shown_s).min() == pytest.approx(0.5 / FPS, rel=0.01), "it catches up at twice the speed"
    assert display.held_s[0] > delay_s + 0.5
    assert display.held_s[160:180] == pytest.approx([delay_s] * 20)


@pytest.mark.parametrize("delay_s", [0.3, None])
def test_a_new_segment_shows_waiting_frames_and_resets_tracks(delay_s: float | None) -> None:
    display = run(walk(40, segment_from=18), late=4, every=4, delay_s=delay_s)
    assert display.indexes == list(range(40))
    assert all(came <= 19 for came, presented in display.shown if presented.frame.index < 18)
    ids: list[set[int]] = [set(), set()]
    for _, presented in display.shown:
        ids[presented.frame.segment].update(presented.tracks.ids.tolist())
    assert ids == [{1}, {2}], "an id lives in one segment only"


def test_a_late_result_of_an_earlier_segment_is_ignored() -> None:
    frames, display = walk(24, segment_from=8), Display(0.2)
    for index, one in enumerate(frames):
        if index == 12:
            display.look(frames[6], one.captured_s)
        display.come(one)
    display.end()
    assert display.indexes == list(range(24))
    assert all(len(presented.tracks) == 0 for _, presented in display.shown)


def test_nothing_is_carried_over_a_cut() -> None:
    other = Drawn([Thing(bend, seed=300)], seed=9)
    frames = [(WALK if index < 10 else other).frame(index) for index in range(20)]
    display = Display(0.7)
    for one in frames:
        display.come(one)
        if one.index in (4, 9, 16):
            display.look(one, one.captured_s)
    display.end()
    assert [display.of(index).tracks.ids.tolist() for index in range(20)] == [[1]] * 10 + [[2]] * 10
    states = [display.of(index).state for index in range(4, 17)]
    # After the last detection before the cut, nothing is interpolated.
    assert states == ["detected", *["interpolated"] * 4, "detected", *["predicted"] * 6, "detected"]
    for index in range(10, 16):
        assert display.of(index).tracks.origin.tolist() == [Origin.PREDICTED]


def test_a_result_for_a_shown_frame_still_moves_the_boxes() -> None:
    frames, display = walk(30), Display(0.1)
    for index, one in enumerate(frames):
        if index == 12:
            display.look(frames[2], one.captured_s)
        display.come(one)
    display.end()
    for index in range(30):
        tracks = display.of(index).tracks
        if index < 8:
            assert len(tracks) == 0
        if index > 10:
            assert iou(tracks.boxes[0], WALK.box(index)) > 0.75, index
            assert tracks.unseen_s == pytest.approx([(index - 2) / FPS], abs=1e-4)


def test_a_result_before_its_frame_waits_for_it() -> None:
    frames, display = walk(12), Display(0.2)
    for one in frames:
        display.look(one, one.captured_s)
        display.come(one)
    display.end()
    assert [presented.state for _, presented in display.shown] == ["detected"] * 12


def test_a_lost_frame_has_interpolated_boxes() -> None:
    frames, display = walk(20), Display(0.5)
    for index, one in enumerate(frames):
        display.come(one)
        if index % 4 == 0:
            display.look(one, one.captured_s, fails=index == 8)
    display.end()
    lost = display.of(8)
    assert (lost.state, lost.cause, lost.detections) == ("lost", "detector error", None)
    assert lost.tracks.origin.tolist() == [Origin.INTERPOLATED]
    assert iou(lost.tracks.boxes[0], WALK.box(8)) > 0.8
    assert [display.of(index).state for index in (7, 9, 12)] == ["interpolated", "interpolated", "detected"]


def test_the_delay_counts_from_arrival_not_in_media_time() -> None:
    """Frames in bursts of four."""
    frames = [replace(frame_of(flat(128), index), captured_s=0.2 * (index // 4)) for index in range(40)]
    display = Display(0.3)
    for one in frames:
        display.come(one)
    assert display.held_s == pytest.approx([0.3] * 32)


def test_frames_are_shown_on_time_if_no_other_frame_arrives() -> None:
    frames = walk(2)
    frames[1] = replace(frames[1], captured_s=60.0)
    display = Display(0.4)
    for one in frames:
        display.come(one)
    assert display.held_s == pytest.approx([0.4])


@pytest.mark.parametrize("answers", [False, True])
def test_waiting_frames_are_bounded_in_memory(monkeypatch: pytest.MonkeyPatch, answers: bool) -> None:
    """With a detector that never returns, or only once."""
    monkeypatch.setattr("streamer.presentation.delayed._MOST_BYTES", 10 * 2 * 320 * 240)
    display = Display(None)
    for one in walk(40):
        display.come(one)
        if answers and one.index == 3:
            display.look(one, one.captured_s)
    display.end()
    assert display.indexes == list(range(40))
    assert all(came - 1 - presented.frame.index <= 10 for came, presented in display.shown)
    assert len(display.of(35).tracks) == answers


def test_a_detector_that_recovers_moves_the_boxes_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamer.presentation.delayed._MOST_BYTES", 10 * 2 * 320 * 240)
    frames, display = walk(44), Display(0.1)
    for index, one in enumerate(frames):
        display.come(one)
        if index == 30:
            display.look(frames[0], one.captured_s)  # for a frame that was dropped
        if index == 32:
            display.look(frames[28], one.captured_s)
    display.end()
    assert display.indexes == list(range(44))
    assert len(display.of(28).tracks) == 0, "no detection yet"
    assert iou(display.of(40).tracks.boxes[0], WALK.box(40)) > 0.75


@st.composite
def live_events(draw: st.DrawFn) -> tuple[list[tuple[str, Frame, float]], float]:
    """Frames in any rhythm and rising segments, with results at any later time or just before."""
    picture, happened = frame_of(flat(128, 32, 32), 0).picture, list[tuple[str, Frame, float]]()
    with_detectors, now_s, segment = list[Frame](), 100.0, 0
    for index in range(draw(st.integers(0, 25))):
        now_s += draw(st.sampled_from([0.0, 0.01, 0.04, 0.1, 0.9]))
        segment += draw(st.sampled_from([0, 0, 0, 0, 1]))
        one = Frame(picture, index, index, Fraction(1, 25), now_s, segment)
        early = draw(st.sampled_from([False, False, True]))
        happened += [("found", one, now_s)] * early + [("came", one, now_s)]
        with_detectors += [one] * (not early)
        for _ in range(draw(st.integers(0, 2))):
            if with_detectors:
                looked_at = with_detectors.pop(draw(st.integers(0, len(with_detectors) - 1)))
                happened.append((draw(st.sampled_from(["found", "found", "failed"])), looked_at, now_s))
    return happened, draw(st.sampled_from([0.0, 0.04, 0.1, 0.5, 3.0]))


@settings(deadline=None, max_examples=40)
@given(live_events())
def test_every_frame_is_shown_once_and_in_time(
    happened: tuple[list[tuple[str, Frame, float]], float],
) -> None:
    steps, delay_s = happened
    display, frames = Display(delay_s), [one for what, one, _ in steps if what == "came"]
    for what, one, now_s in steps:
        if what == "came":
            display.come(one)
        else:
            display.look(one, now_s, fails=what == "failed")
    display.end()
    assert display.indexes == [one.index for one in frames]
    for (came, presented), held_s in zip(display.shown, display.held_s, strict=True):
        ended = frames[came - 1].segment != presented.frame.segment or came == len(frames)
        assert held_s == pytest.approx(delay_s) or (ended and held_s < delay_s)
        assert (presented.state == "lost") == bool(presented.cause)
        assert (presented.detections is not None) == (presented.state == "detected")


@pytest.fixture
def camera() -> Iterator[ScriptedCamera]:
    camera = ScriptedCamera()
    yield camera
    camera.stop()


class ShownTimes(RunObserver):
    """The media time at which each frame is shown."""

    def __init__(self) -> None:
        self.shown_s: list[float] = []
        self._now_s = 0.0

    def delivered(self, delivery: Delivery) -> None:
        if isinstance(delivery, Arrived):
            self._now_s = delivery.frame.captured_s
        else:
            self._now_s = delivery.at_s if isinstance(delivery, DisplayDue) else delivery.done_s

    def scene_shown(self, scene: Scene) -> None:
        assert scene.frame.index == len(self.shown_s), "in order, each once"
        self.shown_s.append(self._now_s)


@pytest.mark.slow
def test_a_run_recovers_from_a_stall_without_a_jump() -> None:
    """At minute 1, four detections take 1.4 s instead of 0.1 s."""
    interval_s, frames, times = 0.04, 25 * 180, ShownTimes()
    latency = Latency([0.1] * 500 + [1.4] * 4 + [0.1] * 3000)
    pipeline = Pipeline(
        CountingSource(frames), [OneBox()], IouTracker(), overlay="delayed", latency=latency, observers=[times]
    )
    pipeline.run()
    held_s = [shown_s - index * interval_s for index, shown_s in enumerate(times.shown_s)]
    former_s = held_s[25 * 55]
    assert max(held_s[25 * 60 : 25 * 75]) > 1.4
    assert held_s[25 * 175] < 1.2 * former_s, "less than two minutes later"
    after_the_stall = np.diff(times.shown_s[25 * 75 : 25 * 175])
    assert after_the_stall.min() >= 0.95 * interval_s - 1e-6
    assert after_the_stall.max() <= interval_s + 1e-6
    assert len(times.shown_s) == frames


def live(camera: ScriptedCamera, before: Callable[[Frame], None]) -> Run:
    return Run(Pipeline(camera, [OneBox(before)], IouTracker(), overlay="delayed", delay_s=60.0))


def test_a_live_run_shows_all_frames_at_its_end_and_settles_each(camera: ScriptedCamera) -> None:
    gate = Gate()
    run = live(camera, gate)
    for index in range(2):
        camera.give()
        assert gate.next_index() == index
        gate.release()
    camera.end()
    run.join()
    assert run.error is None
    assert run.indexes == [0, 1]
    assert [scene.state for scene in run.scenes] == ["detected"] * 2
    assert run.pipeline.stats.ledger.snapshot() == (2, {("detected", ""): 2})


def test_a_live_frame_is_shown_on_time_if_no_other_arrives(camera: ScriptedCamera) -> None:
    run = Run(Pipeline(camera, [OneBox()], IouTracker(), overlay="delayed", delay_s=0.1))
    camera.give()
    run.wait_for_shown(1)
    camera.end()
    run.join()
    assert run.indexes == [0]


def test_a_stopped_live_run_counts_the_frames_it_did_not_show(camera: ScriptedCamera) -> None:
    gate = Gate()
    run = live(camera, gate)
    camera.give()
    assert gate.next_index() == 0
    camera.give(5)
    run.pipeline.stop()
    gate.open()
    run.join()
    ledger = run.pipeline.stats.ledger
    assert run.indexes == []
    assert (ledger.entered, ledger.in_flight) == (6, 0)
    assert set(ledger.causes(FrameState.DROPPED)) <= {"interrupted", DropCause.OUTPUT_LATE, DropCause.DETECTOR_BUSY}
