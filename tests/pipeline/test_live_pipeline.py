"""A live run: no thread blocks another, every loss is counted, and it ends at once whatever hangs."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator

import pytest

from streamer.errors import DetectorError, DetectorUnreachable, Interrupted, SinkError, SourceLost
from streamer.flow.cadence import Cadence
from streamer.flow.frame_ledger import FrameLedger
from streamer.flow.sink_worker import LIVE_CAPACITY
from streamer.interfaces import Damage, Scene
from streamer.pipeline import Pipeline
from streamer.values.frame import Frame
from streamer.values.states import DropCause, FrameState
from tests.pipeline.live_parts import Gate, Run, ScriptedCamera
from tests.pipeline.parts import DEADLINE_S, ListSink, OneBox, failing_on, raising
from tracking.iou import IouTracker


@pytest.fixture
def camera() -> Iterator[ScriptedCamera]:
    camera = ScriptedCamera()
    yield camera
    camera.stop()


@pytest.fixture
def gate() -> Iterator[Gate]:
    """Blocks a detector or a sink; always opened at the end."""
    gate = Gate()
    yield gate
    gate.open()


def states(ledger: FrameLedger) -> dict[str, int]:
    """Frames by state, which must add up."""
    entered, settled = ledger.snapshot()
    assert entered == sum(settled.values())
    return {f"{state}: {cause}" if cause else state: count for (state, cause), count in settled.items()}


def give_one_by_one(camera: ScriptedCamera, run: Run, count: int, *, segment: int = 0) -> None:
    """Each frame is shown before the next one arrives, as with a fast display thread."""
    for shown in range(len(run.scenes) + 1, len(run.scenes) + 1 + count):
        camera.give(segment=segment)
        run.wait_for_shown(shown)


def test_every_frame_is_shown_while_the_detector_is_busy(camera: ScriptedCamera, gate: Gate) -> None:
    run = Run(Pipeline(camera, [OneBox(gate)], IouTracker()))
    give_one_by_one(camera, run, 1)
    assert gate.next_index() == 0
    give_one_by_one(camera, run, 49)
    gate.open()
    camera.end()
    run.join()
    assert run.error is None
    assert run.indexes == list(range(50))
    # The detector got the first frame, and then the newest one.
    assert states(run.pipeline.stats.ledger) == {"detected": 2, "predicted": 48}
    assert run.pipeline.stats.shown == 50
    assert run.pipeline.stats.ages["detector"].count == 2
    assert run.pipeline.stats.ages["shown"].count == 50


def test_overlay_detected_shows_only_detected_frames(camera: ScriptedCamera, gate: Gate) -> None:
    run = Run(Pipeline(camera, [OneBox(gate)], IouTracker(), overlay="detected"))
    camera.give()
    assert gate.next_index() == 0
    camera.give(49)
    gate.open()
    camera.end()
    run.join()
    assert [(scene.frame.index, scene.state, len(scene.detections or ())) for scene in run.scenes] == [
        (0, "detected", 1),
        (49, "detected", 1),
    ]
    assert states(run.pipeline.stats.ledger) == {"detected": 2, f"dropped: {DropCause.DETECTOR_BUSY}": 48}


def test_boxes_are_carried_from_the_detected_frame_to_later_frames(camera: ScriptedCamera, gate: Gate) -> None:
    run = Run(Pipeline(camera, [OneBox(gate)], IouTracker()))
    give_one_by_one(camera, run, 1)
    assert gate.next_index() == 0
    give_one_by_one(camera, run, 1)
    gate.release()
    assert gate.next_index() == 1  # so the first result exists
    give_one_by_one(camera, run, 1)
    camera.end()
    gate.open()
    run.join()
    assert [len(scene.tracks) for scene in run.scenes] == [0, 0, 1]
    assert [scene.state for scene in run.scenes] == ["predicted"] * 3


def test_every_nth_frame_is_offered_to_the_detector(camera: ScriptedCamera) -> None:
    seen: list[int] = []
    run = Run(Pipeline(camera, [OneBox(lambda frame: seen.append(frame.index))], IouTracker(), cadence=Cadence(5)))
    give_one_by_one(camera, run, 20)
    camera.end()
    run.join()
    assert run.indexes == list(range(20))
    assert seen
    assert all(index % 5 == 0 for index in seen)
    ledger = run.pipeline.stats.ledger
    assert states(ledger) == {"detected": len(seen), "predicted": 20 - len(seen)}


def test_a_new_segment_resets_tracks_and_ignores_late_results_of_the_old_one(
    camera: ScriptedCamera, gate: Gate
) -> None:
    run = Run(Pipeline(camera, [OneBox(gate)], IouTracker()))
    give_one_by_one(camera, run, 1)
    assert gate.next_index() == 0
    give_one_by_one(camera, run, 1, segment=1)
    gate.release()  # the result of the earlier segment
    assert gate.next_index() == 1
    give_one_by_one(camera, run, 1, segment=1)
    gate.release()
    assert gate.next_index() == 2
    give_one_by_one(camera, run, 1, segment=1)
    camera.end()
    gate.open()
    run.join()
    assert [scene.tracks.ids.tolist() for scene in run.scenes] == [[], [], [], [1]]
    assert states(run.pipeline.stats.ledger) in ({"detected": 4}, {"detected": 3, "predicted": 1})


def test_damaged_frames_are_shown_but_not_detected(camera: ScriptedCamera) -> None:
    seen: list[int] = []
    run = Run(Pipeline(camera, [OneBox(lambda frame: seen.append(frame.index))], IouTracker()))
    give_one_by_one(camera, run, 3)
    camera.give(damage="packet loss")
    run.wait_for_shown(4)
    camera.end()
    run.join()
    assert run.indexes == [0, 1, 2, 3]
    assert 3 not in seen
    assert run.pipeline.stats.ledger.causes(FrameState.CORRUPT) == {"packet loss": 1}
    assert run.pipeline.stats.ledger.in_flight == 0


def test_losses_of_the_source_are_counted_by_state_and_cause(
    camera: ScriptedCamera, caplog: pytest.LogCaptureFixture
) -> None:
    run = Run(Pipeline(camera, [OneBox()], IouTracker()))
    with caplog.at_level(logging.INFO):
        camera.give(lost=Damage("before key frame", 12))
        camera.give(lost=Damage("not taken in time", 5, state=FrameState.DROPPED))
        camera.end()
        run.join()
    ledger = run.pipeline.stats.ledger
    assert ledger.causes(FrameState.CORRUPT) == {"before key frame": 12}
    assert ledger.causes(FrameState.DROPPED)["not taken in time"] == 5
    assert ledger.entered == 19
    assert ledger.in_flight == 0
    assert caplog.messages == []  # a camera may lose frames for weeks


@pytest.mark.parametrize("overlay", ["now", "detected"])
def test_a_frame_with_a_failed_detection_is_lost_and_still_shown(camera: ScriptedCamera, overlay: str) -> None:
    failing = OneBox(failing_on({1}))
    run = Run(Pipeline(camera, [failing], IouTracker(), overlay=overlay))
    for count in range(1, 4):
        camera.give()
        run.wait_for_shown(count)
    camera.end()
    run.join()
    assert run.error is None
    assert run.indexes == [0, 1, 2]
    ledger = run.pipeline.stats.ledger
    if overlay == "detected":  # else the detector may have got a newer one instead
        assert [scene.state for scene in run.scenes] == ["detected", "lost", "detected"]
        assert states(ledger) == {"detected": 2, "lost: detector error": 1}
    else:
        assert set(states(ledger)) <= {"detected", "predicted", "lost: detector error"}


@pytest.mark.parametrize("overlay", ["now", "detected", "delayed"])
def test_three_failures_in_a_row_end_the_run(camera: ScriptedCamera, gate: Gate, overlay: str) -> None:
    def fail(frame: object) -> None:
        gate(frame)  # type: ignore[arg-type]
        raise DetectorError("no memory")

    run = Run(Pipeline(camera, [OneBox(fail)], IouTracker(), overlay=overlay))
    for _ in range(3):
        camera.give()
        gate.next_index()
        gate.release()
    run.join()
    assert isinstance(run.error, DetectorError)
    assert states(run.pipeline.stats.ledger)["lost: detector error"] == 3


def test_a_slow_display_thread_shows_the_newest_frames(camera: ScriptedCamera, gate: Gate) -> None:
    slow = Gate()
    pipeline = Pipeline(camera, [OneBox(gate)], IouTracker())
    shown: list[int] = []

    def watch() -> None:
        for scene in pipeline:
            slow(scene)
            shown.append(scene.frame.index)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    camera.give()
    assert gate.next_index() == 0
    assert slow.next_index() == 0
    camera.give(9)
    slow.open()
    gate.open()
    camera.end()
    watcher.join(DEADLINE_S)
    assert shown == [0, 8, 9]
    assert states(pipeline.stats.ledger) == {"detected": 2, "predicted": 1, f"dropped: {DropCause.OUTPUT_LATE}": 7}


def test_a_temporarily_slow_display_thread_loses_no_frame_of_a_recording(camera: ScriptedCamera, gate: Gate) -> None:
    slow, recording, window = Gate(), ListSink(), ListSink(gate)
    pipeline = Pipeline(camera, [OneBox()], IouTracker(), sinks=[recording, window], keep_all=[recording])

    def watch() -> None:
        for scene in pipeline:
            slow(scene)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    camera.give()
    assert slow.next_index() == 0
    camera.give(39)
    slow.open()
    camera.end()
    gate.open()
    watcher.join(DEADLINE_S)
    assert recording.indexes == list(range(40))
    assert set(states(pipeline.stats.ledger)) <= {"detected", "predicted"}
    assert pipeline.stats.counts["written", "list"] == 40


@pytest.mark.parametrize("overlay", ["now", "delayed"])
def test_frames_from_before_stop_are_in_the_recording(camera: ScriptedCamera, gate: Gate, overlay: str) -> None:
    slow, recording = Gate(), ListSink()
    pipeline = Pipeline(
        camera, [OneBox(gate)], IouTracker(), overlay=overlay, delay_s=0.0, sinks=[recording], keep_all=[recording]
    )
    raised: list[BaseException] = []

    def watch() -> None:
        try:
            for scene in pipeline:
                slow(scene)
        except Interrupted as error:
            raised.append(error)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    camera.give()
    assert slow.next_index() == 0
    camera.give(20)
    pipeline.stop()
    slow.open()
    watcher.join(DEADLINE_S)
    assert raised
    assert recording.indexes == list(range(21))
    assert states(pipeline.stats.ledger)


def test_a_hanging_sink_blocks_neither_the_run_nor_other_sinks(camera: ScriptedCamera, gate: Gate) -> None:
    hanging, quick = ListSink(gate), ListSink()
    run = Run(Pipeline(camera, [OneBox()], IouTracker(), sinks=[hanging, quick]))
    give_one_by_one(camera, run, 1)
    assert gate.next_index() == 0
    give_one_by_one(camera, run, 19)
    gate.open()
    camera.end()
    run.join()
    assert run.indexes == list(range(20))
    assert hanging.indexes == [0, *range(20 - LIVE_CAPACITY, 20)]
    counts = run.pipeline.stats.counts
    assert counts["skipped", "list"] == 19 - LIVE_CAPACITY
    assert len(quick.indexes) + counts.get(("skipped", "list 2"), 0) == 20


def test_the_failure_of_an_optional_sink_is_logged_and_the_others_continue(
    camera: ScriptedCamera, caplog: pytest.LogCaptureFixture
) -> None:
    failing, other = ListSink(raising(SinkError("the server is gone"))), ListSink()
    with caplog.at_level(logging.WARNING):
        run = Run(Pipeline(camera, [OneBox()], IouTracker(), sinks=[failing, other], optional=[failing]))
        give_one_by_one(camera, run, 10)
        camera.end()
        run.join()
    assert run.error is None
    assert run.indexes == list(range(10))
    assert other.indexes[-1] == 9
    assert caplog.messages == ["the server is gone; the run goes on without it"]


def test_the_failure_of_a_required_sink_ends_the_run(camera: ScriptedCamera) -> None:
    failing, other = ListSink(raising(SinkError("the disk is full"))), ListSink()
    run = Run(Pipeline(camera, [OneBox()], IouTracker(), sinks=[failing, other], optional=[other]))
    camera.give()
    run.join()
    assert isinstance(run.error, SinkError)
    assert str(run.error) == "the disk is full"
    assert run.pipeline.stats.ledger.in_flight == 0


def test_a_lost_source_ends_the_run_with_its_error(camera: ScriptedCamera) -> None:
    run = Run(Pipeline(camera, [OneBox()], IouTracker()))
    give_one_by_one(camera, run, 3)
    camera.end(SourceLost("the camera went away"))
    run.join()
    assert isinstance(run.error, SourceLost)
    assert run.pipeline.stats.ledger.in_flight == 0


def check_stopped(run: Run) -> None:
    """The run must end as stopped, with every frame settled."""
    run.join()
    assert isinstance(run.error, Interrupted)
    assert set(run.pipeline.stats.ledger.causes(FrameState.DROPPED)) <= set(DropCause)
    states(run.pipeline.stats.ledger)


def test_stopping_wakes_a_run_that_waits_for_its_camera(camera: ScriptedCamera) -> None:
    sink = ListSink()
    run = Run(Pipeline(camera, [OneBox()], IouTracker(), sinks=[sink]))
    give_one_by_one(camera, run, 2)
    run.pipeline.stop()
    check_stopped(run)
    assert sink.indexes == [0, 1]


@pytest.mark.parametrize("overlay", ["now", "detected", "delayed"])
def test_stopping_does_not_wait_for_a_detector_that_hangs(camera: ScriptedCamera, gate: Gate, overlay: str) -> None:
    sink = ListSink()
    run = Run(Pipeline(camera, [OneBox(gate)], IouTracker(), sinks=[sink], overlay=overlay))
    camera.give()
    assert gate.next_index() == 0
    if overlay == "now":
        run.wait_for_shown(1)
    camera.give()
    if overlay == "now":
        run.wait_for_shown(2)
    run.pipeline.stop()
    check_stopped(run)  # while the detector still hangs
    assert sink.indexes == run.indexes == ([0, 1] if overlay == "now" else [])


def test_stopping_does_not_wait_for_a_sink_that_hangs(
    camera: ScriptedCamera, gate: Gate, caplog: pytest.LogCaptureFixture
) -> None:
    hanging, other = ListSink(gate), ListSink()
    run = Run(Pipeline(camera, [OneBox()], IouTracker(), sinks=[hanging, other]))
    give_one_by_one(camera, run, 1)
    assert gate.next_index() == 0
    give_one_by_one(camera, run, 2)
    with caplog.at_level(logging.WARNING):
        run.pipeline.stop()
        check_stopped(run)
    assert other.indexes[-1] == 2
    assert "list did not write the last frames within 1.0 s" in caplog.messages


def test_closing_a_window_completes_the_other_outputs(camera: ScriptedCamera, gate: Gate) -> None:
    def close_at_three(scene: Scene) -> None:
        if scene.frame.index == 3:
            raise Interrupted("the window was closed")

    slow = ListSink(gate)
    run = Run(Pipeline(camera, [OneBox()], IouTracker(), sinks=[slow, ListSink(close_at_three)]))
    give_one_by_one(camera, run, 2)
    assert gate.next_index() == 0
    gate.release()
    assert gate.next_index() == 1
    camera.give(2)  # which wait for the slow sink when the window is closed
    run_ends = threading.Thread(target=check_stopped, args=(run,), daemon=True)
    run_ends.start()
    gate.open()
    run_ends.join(DEADLINE_S)
    check_stopped(run)
    assert slow.indexes == run.indexes
    assert run.indexes[:2] == [0, 1]


def test_breaking_out_of_a_live_run_leaves_no_thread(camera: ScriptedCamera, gate: Gate) -> None:
    sink = ListSink()
    pipeline = Pipeline(camera, [OneBox(gate)], IouTracker(), sinks=[sink])
    giver = threading.Thread(target=camera.give, args=(2,), daemon=True)
    scenes = iter(pipeline)
    giver.start()
    assert [next(scenes).frame.index for _ in range(2)] == [0, 1]
    scenes.close()  # type: ignore[attr-defined]
    giver.join(DEADLINE_S)
    assert sink.indexes == [0, 1]
    assert states(pipeline.stats.ledger)


def test_an_unknown_overlay_is_refused(camera: ScriptedCamera) -> None:
    with pytest.raises(ValueError, match="now, detected or delayed"):
        Pipeline(camera, [OneBox()], IouTracker(), overlay="later")


def test_an_unreachable_detector_does_not_end_a_live_run(
    camera: ScriptedCamera, caplog: pytest.LogCaptureFixture
) -> None:
    gate = Gate()

    def detect(frame: Frame) -> None:
        gate(frame)
        if 2 <= frame.index < 12:
            raise DetectorUnreachable("connection refused")

    run = Run(Pipeline(camera, [OneBox(detect)], IouTracker()))
    with caplog.at_level(logging.WARNING):
        for index in range(15):
            give_one_by_one(camera, run, 1)
            assert gate.next_index() == index
            gate.release()
        camera.end()
        gate.open()
        run.join()
    assert run.error is None
    assert run.indexes == list(range(15))
    counts = states(run.pipeline.stats.ledger)
    assert counts["lost: remote"] == 10
    assert (
        caplog.messages[0]
        == "frame 2 (0.080 s) is lost to detection: connection refused; frames are lost until it answers"
    )
    assert caplog.messages[1].endswith("10 frames were lost")
    assert len(caplog.messages) == 2
