"""The frame path: no frame is lost or out of order, and every failure ends the run with its own error."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

import av
import pytest

from streamer.errors import DetectorError, Interrupted, SinkError, SourceLost
from streamer.flow.cadence import Cadence
from streamer.flow.routes import CAPTURED_CAPACITY, DELIVERY_CAPACITY
from streamer.flow.sink_worker import SINK_CAPACITY
from streamer.flow.stats import RunStats
from streamer.interfaces import Damage, Scene
from streamer.pipeline import Pipeline
from streamer.values.drawable import Drawable
from streamer.values.frame import Frame
from streamer.values.states import FrameState
from tests.pipeline.parts import DEADLINE_S, FRAMES, Boom, CountingSource, ListSink, MainThreadSink, OneBox, raising
from tracking.iou import IouTracker
from tracking.types import Detections, Motion, Tracks


class FailingTracker(IouTracker):
    """Fails on the first update."""

    def update(self, detections: Detections, time_s: float, motion: Motion | None = None) -> Tracks:
        raise Boom(f"no tracking {len(detections)} boxes at {time_s} with {motion}")


class FailingAnnotator:
    """Fails to draw."""

    def draw(self, canvas: Drawable, scene: Scene) -> None:
        raise Boom(f"no drawing on {canvas} at {scene.frame.index}")


def test_every_frame_reaches_every_sink_in_order() -> None:
    sinks = [ListSink(), ListSink(), MainThreadSink()]
    pipeline = Pipeline(CountingSource(), [OneBox()], IouTracker(), sinks=sinks)
    scenes = [scene.frame.index for scene in pipeline]
    assert scenes == list(range(FRAMES))
    assert [sink.indexes for sink in sinks] == [scenes] * 3
    assert [sink.thread_names for sink in sinks] == [{"streamer-sink"}] * 2 + [{threading.current_thread().name}]
    assert pipeline.stats.ledger.count(FrameState.DETECTED) == pipeline.stats.ledger.entered == FRAMES
    assert [pipeline.stats.stages[name].count for name in ("list", "list 2", "list 3")] == [FRAMES] * 3


def test_several_detectors_in_parallel_keep_the_frame_order() -> None:
    both = threading.Barrier(2)  # released only when two detectors have a frame at the same time

    def meet(_: Frame) -> None:
        both.wait(DEADLINE_S)

    detectors = [OneBox(meet), OneBox(meet)]
    sink = ListSink()
    Pipeline(CountingSource(), detectors, IouTracker(), sinks=[sink]).run()
    assert sink.indexes == list(range(FRAMES))


@pytest.mark.parametrize("every", [1, 3, 7])
def test_detecting_every_nth_frame_shows_all(every: int) -> None:
    seen: list[int] = []
    pipeline = Pipeline(
        CountingSource(), [OneBox(lambda frame: seen.append(frame.index))], IouTracker(), cadence=Cadence(every)
    )
    states = [scene.state for scene in pipeline]
    assert seen == list(range(0, FRAMES, every))
    assert len(states) == FRAMES
    assert states.count(FrameState.DETECTED) == len(seen)
    assert pipeline.stats.ledger.in_flight == 0


def test_only_selected_detections_are_kept() -> None:
    def count(label: int) -> list[int]:
        pipeline = Pipeline(
            CountingSource(5), [OneBox(label=1)], IouTracker(), select=lambda found: found.select(found.labels == label)
        )
        return [len(scene.detections or ()) for scene in pipeline]

    assert count(1) == [1] * 5
    assert count(0) == [0] * 5


def test_the_source_never_runs_far_ahead_of_a_slow_sink() -> None:
    go = threading.Event()
    source = CountingSource(frames=500)
    first = threading.Event()

    def hold(_: Scene) -> None:
        first.set()
        assert go.wait(DEADLINE_S)

    sink = ListSink(hold)
    pipeline = Pipeline(source, [OneBox(), OneBox()], IouTracker(), sinks=[sink])
    runner = threading.Thread(target=pipeline.run)
    runner.start()
    assert first.wait(DEADLINE_S)
    # At most: one in the source, the queues, one in each detector, one in the display thread, one in the sink.
    most = 1 + CAPTURED_CAPACITY + 2 + DELIVERY_CAPACITY + 1 + SINK_CAPACITY + 1
    ahead = source.captured
    go.set()
    runner.join(DEADLINE_S)
    assert ahead <= most
    assert sink.indexes == list(range(500))


def test_lost_input_is_counted_with_its_cause() -> None:
    pipeline = Pipeline(CountingSource(damage=Damage("decode error", 3)), [OneBox()], IouTracker())
    pipeline.run()
    ledger = pipeline.stats.ledger
    assert ledger.causes(FrameState.CORRUPT) == {"decode error": 3}
    assert ledger.entered == FRAMES + 3
    assert ledger.in_flight == 0


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Pipeline(CountingSource(fail_at=5), [OneBox()], IouTracker()), SourceLost, "camera went away"),
        (
            lambda: Pipeline(CountingSource(None), [OneBox(raising(DetectorError("no memory")))], IouTracker()),
            DetectorError,
            "no memory",
        ),
        (lambda: Pipeline(CountingSource(None), [OneBox()], FailingTracker()), Boom, "no tracking"),
        (
            lambda: Pipeline(
                CountingSource(None), [OneBox()], IouTracker(), annotators=[FailingAnnotator()], draw=True
            ),
            Boom,
            "no drawing",
        ),
        (
            lambda: Pipeline(
                CountingSource(None), [OneBox()], IouTracker(), sinks=[ListSink(raising(SinkError("full")))]
            ),
            SinkError,
            "full",
        ),
        (
            lambda: Pipeline(
                CountingSource(None), [OneBox()], IouTracker(), sinks=[MainThreadSink(raising(SinkError("full")))]
            ),
            SinkError,
            "full",
        ),
    ],
    ids=["source", "detector", "tracker", "annotator", "sink", "main thread sink"],
)
def test_a_failure_ends_the_run_with_its_own_error(
    make: Callable[[], Pipeline], error: type[Exception], message: str
) -> None:
    pipeline = make()
    with pytest.raises(error, match=message):
        pipeline.run()
    assert pipeline.stats.ledger.in_flight == 0
    assert pipeline.stats.ledger.entered >= 0


def test_stopping_does_not_wait_for_a_detection() -> None:
    entered, release = threading.Event(), threading.Event()

    def hang(frame: Frame) -> None:
        if frame.index == 5:
            entered.set()
            assert release.wait(DEADLINE_S)

    sink = ListSink()
    pipeline = Pipeline(CountingSource(None), [OneBox(hang)], IouTracker(), sinks=[sink])

    def stop() -> None:
        assert entered.wait(DEADLINE_S)
        pipeline.stop()

    stopper = threading.Thread(target=stop)
    stopper.start()
    with pytest.raises(Interrupted):
        pipeline.run()
    assert not release.is_set()
    release.set()
    ledger = pipeline.stats.ledger
    assert sink.indexes == list(range(ledger.count(FrameState.DETECTED)))
    assert ledger.causes(FrameState.DROPPED) == {"interrupted": ledger.entered - ledger.count(FrameState.DETECTED)}
    stopper.join(DEADLINE_S)


def test_stopping_from_another_thread_completes_the_shown_frames() -> None:
    sink = ListSink()
    pipeline = Pipeline(CountingSource(None), [OneBox()], IouTracker(), sinks=[sink])
    shown: list[int] = []

    def watch() -> None:
        for scene in pipeline:
            shown.append(scene.frame.index)
            if len(shown) == 20:
                stopper = threading.Thread(target=pipeline.stop)
                stopper.start()
                stopper.join(DEADLINE_S)

    with pytest.raises(Interrupted):
        watch()
    assert sink.indexes == shown
    ledger = pipeline.stats.ledger
    assert ledger.in_flight == 0
    assert ledger.count(FrameState.DETECTED) == len(shown)
    assert ledger.entered == len(shown) + sum(ledger.causes(FrameState.DROPPED).values())


def test_stopping_wakes_a_run_that_waits_for_its_detector() -> None:
    entered, release = threading.Event(), threading.Event()

    def hang(_: Frame) -> None:
        entered.set()
        release.wait(DEADLINE_S)

    pipeline = Pipeline(CountingSource(None), [OneBox(hang)], IouTracker())

    def stop() -> None:
        entered.wait(DEADLINE_S)
        pipeline.stop()
        release.set()

    stopper = threading.Thread(target=stop)
    stopper.start()
    with pytest.raises(Interrupted):
        pipeline.run()
    stopper.join(DEADLINE_S)


def test_closing_a_window_completes_the_other_sinks() -> None:
    def close_at_ten(scene: Scene) -> None:
        if scene.frame.index == 10:
            raise Interrupted("the window was closed")

    sink = ListSink()
    pipeline = Pipeline(CountingSource(None), [OneBox()], IouTracker(), sinks=[sink, MainThreadSink(close_at_ten)])
    with pytest.raises(Interrupted, match="window was closed"):
        pipeline.run()
    assert sink.indexes == list(range(11))
    assert pipeline.stats.ledger.count(FrameState.DETECTED) == 11
    assert pipeline.stats.ledger.in_flight == 0


def test_breaking_out_of_a_run_leaves_no_thread() -> None:
    sink = ListSink()
    pipeline = Pipeline(CountingSource(None), [OneBox()], IouTracker(), sinks=[sink])
    scenes = iter(pipeline)
    assert [next(scenes).frame.index for _ in range(3)] == [0, 1, 2]
    scenes.close()  # type: ignore[attr-defined]
    assert sink.indexes == [0, 1, 2]
    assert pipeline.stats.ledger.in_flight == 0


def test_the_picture_is_drawn_only_if_needed() -> None:
    plain = [scene.picture for scene in Pipeline(CountingSource(2), [OneBox()], IouTracker())]
    drawn = [scene.picture for scene in Pipeline(CountingSource(2), [OneBox()], IouTracker(), draw=True)]
    assert plain == [None, None]
    assert all(isinstance(picture, av.VideoFrame) for picture in drawn)


def test_a_pipeline_without_a_detector_is_refused() -> None:
    with pytest.raises(ValueError, match="detector"):
        Pipeline(CountingSource(), [], IouTracker())


def test_a_scene_is_immutable() -> None:
    scene = next(iter(Pipeline(CountingSource(1), [OneBox()], IouTracker())))
    with pytest.raises(AttributeError):
        scene.state = FrameState.LOST  # type: ignore[misc]
    assert replace(scene, state=FrameState.LOST).state == "lost"


def test_frames_and_scenes_carry_the_name_of_their_stream() -> None:
    seen: list[str] = []
    pipeline = Pipeline(
        CountingSource(3),
        [OneBox(lambda frame: seen.append(frame.stream))],
        IouTracker(),
        stats=RunStats("yard"),
    )
    assert [scene.stream for scene in pipeline] == seen == ["yard"] * 3
