"""Failed detections: each frame is shown, counted and logged, and three in a row end the run."""

from __future__ import annotations

import logging
import threading

import pytest

from streamer.errors import (
    DetectorError,
    DetectorHung,
    DetectorRestarted,
    DetectorUnreachable,
    InvalidOutput,
    ModelError,
)
from streamer.flow.cadence import Cadence
from streamer.pipeline import Pipeline
from streamer.values.frame import Frame
from streamer.values.states import FrameState
from tests.pipeline.parts import DEADLINE_S, FRAMES, Boom, CountingSource, ListSink, OneBox, failing_on
from tracking.iou import IouTracker


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("every", [1, 2])
@pytest.mark.parametrize("lost", [{0}, {0, 2}, {10}, {10, 12, 16}, {38}, {36, 38}, set(range(0, FRAMES, 4))], ids=str)
def test_a_frame_with_a_failed_detection_is_shown_and_counted_as_lost(workers: int, every: int, lost: set[int]) -> None:
    sink = ListSink()
    detectors = [OneBox(failing_on(lost)) for _ in range(workers)]
    pipeline = Pipeline(CountingSource(), detectors, IouTracker(), sinks=[sink], cadence=Cadence(every))
    scenes = list(pipeline)
    assert sink.indexes == [scene.frame.index for scene in scenes] == list(range(FRAMES))
    assert {scene.frame.index for scene in scenes if scene.state == "lost"} == lost
    assert all((scene.detections is None) == (scene.state != "detected") for scene in scenes)
    between = [scene for scene in scenes if scene.state == "lost" and 2 < scene.frame.index < 34]
    assert all(len(scene.tracks) == 1 for scene in between)
    ledger = pipeline.stats.ledger
    assert ledger.causes(FrameState.LOST) == {"detector error": len(lost)}
    assert pipeline.stats.shown == ledger.entered == FRAMES
    assert pipeline.stats.stages["detect"].count == FRAMES // every


def test_three_failures_in_a_row_end_the_run_with_the_first() -> None:
    shown: list[int] = []
    pipeline = Pipeline(CountingSource(None), [OneBox(failing_on({4, 5, 8, 10, 11, 12}))], IouTracker())
    with pytest.raises(DetectorError, match="no luck with 10") as caught:
        shown.extend(scene.frame.index for scene in pipeline)
    assert isinstance(caught.value.__cause__, Boom)
    assert str(caught.value.__cause__) == "the cause at 10"
    ledger = pipeline.stats.ledger
    assert shown == list(range(13))  # lost frames too
    assert ledger.causes(FrameState.LOST) == {"detector error": 6}
    assert ledger.count(FrameState.DETECTED) == 7
    assert ledger.in_flight == 0
    assert set(ledger.causes(FrameState.DROPPED)) <= {"error"}


@pytest.mark.parametrize(("first_failure", "kind"), [(0, ModelError), (1, InvalidOutput)])
def test_a_model_whose_first_outputs_are_invalid_is_a_bad_model(first_failure: int, kind: type[Exception]) -> None:
    def fail(frame: Frame) -> None:
        if frame.index >= first_failure:
            raise InvalidOutput("scores in 80..90")

    with pytest.raises(kind, match=r"scores in 80\.\.90") as caught:
        Pipeline(CountingSource(None), [OneBox(fail)], IouTracker()).run()
    assert type(caught.value) is kind


def test_only_frames_selected_for_detection_count_as_a_row() -> None:
    pipeline = Pipeline(CountingSource(None), [OneBox(failing_on({5, 10, 15}))], IouTracker(), cadence=Cadence(5))
    with pytest.raises(DetectorError, match="no luck with 5"):
        pipeline.run()
    ledger = pipeline.stats.ledger
    assert ledger.causes(FrameState.LOST) == {"detector error": 3}
    assert pipeline.stats.shown == 16


@pytest.mark.parametrize(("lost", "ends"), [({3, 4, 5}, True), ({3, 4, 6, 7}, False)])
def test_failures_in_a_row_are_counted_in_frame_order(lost: set[int], ends: bool) -> None:
    last_failed = threading.Event()  # the last frame of the row fails before the first one

    def hold(frame: Frame) -> None:
        if frame.index == min(lost):
            assert last_failed.wait(DEADLINE_S)
        elif frame.index == max(lost):
            last_failed.set()
        failing_on(lost)(frame)

    pipeline = Pipeline(CountingSource(), [OneBox(hold), OneBox(hold)], IouTracker())
    if ends:
        with pytest.raises(DetectorError, match="no luck with 3"):
            pipeline.run()
    else:
        pipeline.run()
        assert pipeline.stats.ledger.causes(FrameState.LOST) == {"detector error": len(lost)}


def test_a_detector_restart_has_its_own_cause_and_counts_for_the_row() -> None:
    def fail(frame: Frame) -> None:
        if frame.index in (3, 20, 22):
            raise DetectorRestarted("no answer")
        failing_on({4, 21})(frame)

    pipeline = Pipeline(CountingSource(None), [OneBox(fail)], IouTracker())
    with pytest.raises(DetectorRestarted, match="no answer"):
        pipeline.run()
    assert pipeline.stats.ledger.causes(FrameState.LOST) == {"detector error": 2, "detector hung": 3}


@pytest.mark.parametrize("kind", [DetectorHung, Boom])
def test_any_other_error_of_a_detector_ends_the_run_at_once(kind: type[Exception]) -> None:
    seen, error = list[int](), kind("no answer")

    def fail(frame: Frame) -> None:
        seen.append(frame.index)
        if frame.index == 7:
            raise error

    pipeline = Pipeline(CountingSource(None), [OneBox(fail)], IouTracker())
    with pytest.raises(kind) as caught:
        pipeline.run()
    assert caught.value is error
    assert seen == list(range(8))
    assert pipeline.stats.ledger.count(FrameState.LOST) == 0
    assert pipeline.stats.ledger.in_flight == 0


def test_the_first_failures_are_logged_and_later_ones_less_often(caplog: pytest.LogCaptureFixture) -> None:
    every_other = range(1, 400, 2)
    with caplog.at_level(logging.WARNING):
        Pipeline(CountingSource(400), [OneBox(failing_on(every_other))], IouTracker()).run()
    lines = caplog.messages
    assert lines[0] == "frame 1 (0.040 s) is lost to detection: no luck with 1"
    assert [line.split()[1] for line in lines] == ["1", "3", "5", "7", "9", "19", "199"]
    assert "100 so far" in lines[-1]


def test_an_unreachable_detector_ends_the_run_of_a_file() -> None:
    def fail(frame: Frame) -> None:
        if frame.index >= 4:
            raise DetectorUnreachable("connection refused")

    pipeline = Pipeline(CountingSource(None), [OneBox(fail)], IouTracker())
    with pytest.raises(DetectorUnreachable, match="connection refused"):
        pipeline.run()
    assert pipeline.stats.ledger.causes(FrameState.LOST) == {"remote": 3}
