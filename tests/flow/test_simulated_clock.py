"""Runs on a simulated clock: identical every time, and determined by the latency."""

from __future__ import annotations

import threading
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.errors import ConfigError, DetectorError, Interrupted
from streamer.flow.cadence import Cadence
from streamer.flow.frame_ledger import FrameLedger
from streamer.flow.queues import Closed
from streamer.flow.simulated_clock import Latency, SimulatedRoute
from streamer.interfaces import Detector, Scene
from streamer.pipeline import Pipeline
from streamer.values.delivery import Detected
from streamer.values.frame import Frame
from streamer.values.labels import LabelTable
from streamer.values.states import DropCause, FrameState
from tests.motion.drawn import Drawn, Thing, camera, iou
from tests.pipeline.live_parts import Gate, Run
from tests.pipeline.parts import DEADLINE_S, Boom, CountingSource, OneBox, failing_on, raising
from tracking.iou import IouTracker
from tracking.types import Detections

FPS = 25
OVERLAYS = ["now", "detected", "delayed"]


class Clip(CountingSource):
    """Frames at 25 fps, grey or with an object that walks past."""

    def __init__(self, frames: int, drawn: Drawn | None = None, damaged: Container[int] = ()) -> None:
        super().__init__(frames)
        self._drawn = drawn
        self._damaged = damaged

    def __iter__(self) -> Iterator[Frame]:
        for frame in super().__iter__():
            index = frame.index
            one = frame if self._drawn is None else self._drawn.frame(index, fps=FPS)
            # The simulated clock must not depend on arrival times.
            yield replace(one, captured_s=float(-index), damage="packet loss" if index in self._damaged else "")


class ExactDetector:
    """Detects the object exactly."""

    labels = LabelTable(("thing",))

    def __init__(self, drawn: Drawn) -> None:
        self._drawn = drawn

    def detect(self, frame: Frame) -> Detections:
        return Detections(self._drawn.boxes(frame.index).astype(np.float32), np.array([0.9]), np.array([0]))

    def close(self) -> None:
        return None


def make(
    source: Clip, latency: list[float], overlay: str, detectors: Sequence[Detector] = (), every: int = 1
) -> Pipeline:
    return Pipeline(
        source,
        detectors or [OneBox()],
        IouTracker(confirm_s=0.0),
        overlay=overlay,
        latency=Latency(latency),
        cadence=Cadence(every),
    )


def run(
    frames: int, latency: list[float], overlay: str, detector: OneBox | None = None, every: int = 1
) -> tuple[list[Scene], Pipeline]:
    pipeline = make(Clip(frames), latency, overlay, [detector or OneBox()], every)
    return list(pipeline), pipeline


def looked_at(frames: int, durations_s: list[float]) -> list[int]:
    """The frames that a detector gets if it takes the newest one whenever it is free, by exact arithmetic."""
    taken, free, turn = [], Fraction(0), 0
    frame = 0
    while frame < frames:
        taken.append(frame)
        free = max(free, Fraction(frame, FPS)) + Fraction(str(durations_s[turn % len(durations_s)]))
        turn += 1
        frame = max(frame + 1, min(int(free * FPS), frames - 1))
    return taken


@settings(deadline=None, max_examples=25)
@given(
    frames=st.integers(0, 40),
    durations_ms=st.lists(st.integers(0, 400), min_size=1, max_size=4),
    overlay=st.sampled_from(OVERLAYS),
)
def test_the_latency_selects_the_detected_frames_and_every_frame_is_settled(
    frames: int, durations_ms: list[int], overlay: str
) -> None:
    durations_s = [duration / 1000 for duration in durations_ms]
    seen: list[int] = []
    scenes, pipeline = run(frames, durations_s, overlay, OneBox(lambda frame: seen.append(frame.index)))
    assert seen == looked_at(frames, durations_s)
    ledger = pipeline.stats.ledger
    assert (ledger.entered, ledger.in_flight) == (frames, 0)
    assert ledger.count(FrameState.DETECTED) == len(seen)
    shown = [scene.frame.index for scene in scenes]
    assert shown == (seen if overlay == "detected" else list(range(frames)))


@pytest.mark.parametrize("overlay", OVERLAYS)
@pytest.mark.parametrize("detectors", [1, 3])
def test_every_run_is_identical(overlay: str, detectors: int) -> None:
    drawn = Drawn([Thing(lambda index: (20.0 + 3 * index, 60 + index))], camera(x=-1))

    def once() -> list[tuple[int, str, float, bytes, bytes]]:
        pipeline = make(Clip(24, drawn), [0.13, 0.31], overlay, [ExactDetector(drawn) for _ in range(detectors)])
        return [
            (one.frame.index, one.state, one.frame.captured_s, one.tracks.ids.tobytes(), one.tracks.boxes.tobytes())
            for one in pipeline
        ]

    first = once()
    assert any(ids for *_, ids, _ in first)
    assert once() == first


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_speed_of_the_machine_makes_no_difference(overlay: str) -> None:
    """Detector and display thread take turns at being slow."""
    turn = threading.Semaphore(0)

    def wait(frame: Frame) -> None:
        if frame.index % 2:
            turn.acquire(timeout=0.01)

    def once(detector: OneBox) -> list[tuple[int, str, bytes]]:
        scenes, _ = run(40, [0.1, 0.02], overlay, detector)
        return [(one.frame.index, one.state, one.tracks.boxes.tobytes()) for one in scenes]

    assert once(OneBox(wait)) == once(OneBox())


# A result that needs more than `CATCH_UP_STRIDES` strides is shown one frame later.
@pytest.mark.parametrize(("latency_s", "catching_up"), [(0.2, 0), (0.48, 1)])
def test_the_display_depends_on_the_latency(latency_s: float, catching_up: int) -> None:
    """The box of the last detected frame, carried to where the object is."""
    drawn = Drawn([Thing(lambda index: (20.0 + 3 * index, 40 + index))])
    scenes = list(make(Clip(60, drawn), [latency_s], "now", [ExactDetector(drawn)]))
    late = round(latency_s * FPS)
    first = late + catching_up
    assert [len(scene.tracks) for scene in scenes] == [0] * first + [1] * (60 - first)
    for scene in scenes[first:]:
        index = scene.frame.index
        assert iou(scene.tracks.boxes[0], drawn.box(index)) > 0.8
        found_on = (index - catching_up) // late * late - late
        assert scene.tracks.unseen_s == pytest.approx([(index - found_on) / FPS], abs=1e-4)


def test_a_detector_without_latency_is_never_late() -> None:
    scenes, pipeline = run(20, [0.0], "now")
    assert [scene.found_pts.tolist() for scene in scenes if scene.found_pts is not None] == [[i] for i in range(20)]
    assert pipeline.stats.ledger.snapshot() == (20, {("detected", ""): 20})


@pytest.mark.parametrize(("overlay", "state"), [("now", "predicted"), ("detected", "dropped"), ("delayed", "")])
def test_every_frame_has_the_expected_state(overlay: str, state: str) -> None:
    _, pipeline = run(41, [0.2], overlay)  # every fifth frame is detected
    entered, settled = pipeline.stats.ledger.snapshot()
    assert entered == 41
    assert settled.pop((FrameState.DETECTED, "")) == 9
    if state:
        assert settled == {(state, DropCause.DETECTOR_BUSY if overlay == "detected" else ""): 32}
    else:
        assert set(settled) <= {("interpolated", ""), ("predicted", "")}
        assert sum(settled.values()) == 32


def test_delayed_frames_are_interpolated_once_the_delay_is_known() -> None:
    drawn = Drawn([Thing(lambda index: (20.0 + 3 * index, 40 + index))])
    scenes = list(make(Clip(70, drawn), [0.2], "delayed", [ExactDetector(drawn)]))
    assert [scene.frame.index for scene in scenes] == list(range(70))
    assert [scene.state for scene in scenes[:65]] == ["interpolated" if i % 5 else "detected" for i in range(65)]
    for scene in scenes[:65]:
        assert iou(scene.tracks.boxes[0], drawn.box(scene.frame.index)) > 0.85
        assert scene.frame.captured_s == scene.frame.time_s, "it arrives at its media time"


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_damaged_frames_are_shown_but_not_detected(overlay: str) -> None:
    seen: list[int] = []
    pipeline = make(Clip(30, damaged={0, 5, 12}), [0.2], overlay, [OneBox(lambda frame: seen.append(frame.index))])
    shown = [scene.frame.index for scene in pipeline]
    assert shown == (seen if overlay == "detected" else list(range(30)))
    assert seen == [1, 6, 11, 16, 21, 26, 29]
    ledger = pipeline.stats.ledger
    assert ledger.causes(FrameState.CORRUPT) == {"packet loss": 3}
    assert (ledger.count(FrameState.DETECTED), ledger.in_flight) == (len(seen), 0)


def test_a_result_is_shown_on_the_first_frame_at_or_after_it() -> None:
    scenes, _ = run(30, [0.2], "now")
    counts = [len(scene.tracks) for scene in scenes]
    assert counts[:5] == [0] * 5
    assert counts[5:] == [1] * 25  # frame 0 is detected at 0.2 s, the time of frame 5
    assert [scene.found_pts.tolist() for scene in scenes[5:10] if scene.found_pts is not None] == [[0]] * 5
    assert scenes[10].found_pts is not None
    assert scenes[10].found_pts.tolist() == [5]


def test_only_selected_frames_are_detected() -> None:
    seen: list[int] = []
    run(40, [0.1], "now", OneBox(lambda frame: seen.append(frame.index)), every=8)
    assert seen == [0, 8, 16, 24, 32]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_frame_with_a_failed_detection_is_counted_as_lost(overlay: str) -> None:
    scenes, pipeline = run(30, [0.2], overlay, OneBox(failing_on({5, 15})))
    assert pipeline.stats.ledger.count(FrameState.LOST) == 2
    assert pipeline.stats.ledger.in_flight == 0
    assert scenes[-1].frame.index == 29


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_three_failures_in_a_row_end_the_run_with_the_first(overlay: str) -> None:
    pipeline = make(Clip(100), [0.2], overlay, [OneBox(failing_on({10, 15, 20}))])
    with pytest.raises(DetectorError, match="no luck with 10"):
        pipeline.run()
    ledger = pipeline.stats.ledger
    assert ledger.causes(FrameState.LOST) == {"detector error": 3}
    assert ledger.in_flight == 0


def test_any_other_error_of_a_detector_ends_the_run_at_once() -> None:
    pipeline = make(Clip(100), [0.2], "now", [OneBox(raising(Boom("no answer")))])
    with pytest.raises(Boom, match="no answer"):
        pipeline.run()
    assert pipeline.stats.ledger.in_flight == 0


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_stopping_wakes_a_run_that_waits_for_its_detector(overlay: str) -> None:
    gate = Gate()
    run = Run(make(Clip(500), [0.1], overlay, [OneBox(gate)]))
    assert gate.next_index() == 0
    run.pipeline.stop()
    run.join()  # while the detector still hangs
    gate.open()
    assert isinstance(run.error, Interrupted)
    ledger = run.pipeline.stats.ledger
    assert ledger.in_flight == 0
    assert set(ledger.causes(FrameState.DROPPED)) <= {"interrupted", DropCause.DETECTOR_BUSY}


@pytest.mark.parametrize("waits", ["capture", "detector", "main"])
def test_closing_wakes_every_waiting_thread(waits: str) -> None:
    route = SimulatedRoute(FrameLedger(), lambda _: True, Latency([0.1]), every_frame=True)
    (frame,) = Clip(1)

    def fill() -> None:
        while True:
            route.put(frame)

    waiting: dict[str, Callable[[], object]] = {
        "capture": fill,
        "detector": lambda: next(route.frames()),
        "main": lambda: next(iter(route)),
    }

    def wait() -> None:
        with pytest.raises(Closed):
            waiting[waits]()
        woken.set()

    woken = threading.Event()
    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    route.close()
    assert woken.wait(DEADLINE_S)
    with pytest.raises(Closed):
        route.done(Detected(frame, Detections.empty()))


def test_breaking_out_of_a_run_on_a_simulated_clock() -> None:
    pipeline = Pipeline(Clip(500), [OneBox()], IouTracker(), overlay="now", latency=Latency([0.1]))
    for scene in pipeline:
        if scene.frame.index == 7:
            break
    ledger = pipeline.stats.ledger
    assert ledger.in_flight == 0
    assert ledger.entered < 500


@pytest.mark.parametrize("text", ["", "soon", "-1", "nan", "inf", "no/such/file"])
def test_an_invalid_latency_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="latency"):
        Latency.parse(text)


def test_latencies_from_a_file_are_repeated(tmp_path: Path) -> None:
    file = tmp_path / "durations.txt"
    file.write_text("0.1\n\n0.25\n")
    latency = Latency.parse(str(file))
    assert [latency.next_s() for _ in range(5)] == [0.1, 0.25, 0.1, 0.25, 0.1]
    file.write_text("0.1\nlong\n")
    with pytest.raises(ConfigError, match="line 2: 'long'"):
        Latency.parse(str(file))
    file.write_text("\n")
    with pytest.raises(ConfigError, match="no durations"):
        Latency.parse(str(file))
