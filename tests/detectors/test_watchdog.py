"""A detector that hangs ends the frame or the run, and no thread waits for it without a limit."""

from __future__ import annotations

import importlib.util
import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from pathlib import Path

import numpy as np
import pytest

from streamer.config.detector import DetectorSettings
from streamer.detectors.tfhub.hub import HubDetector
from streamer.detectors.watchdog import HANGS, WatchedDetector, answered
from streamer.errors import DetectorError, DetectorHung, DetectorRestarted, ModelError
from streamer.values.frame import Frame
from streamer.values.labels import LabelTable
from tests.detectors.frames import blank, frame_of
from tests.detectors.tfhub import tiny_module
from tracking.types import Detections

DEADLINE_S = 30.0
RAISES, HANGS_ON, RED = (255, 255, 0), (255, 0, 255), (255, 0, 0)


class Stuck:
    """Hangs on some frames, until `close` if `ends_on_close`, else until the end of the test."""

    labels = LabelTable(("thing",))

    def __init__(self, stuck_on: set[int], *, ends_on_close: bool = True) -> None:
        self.closed = threading.Event()
        self.released = threading.Event()
        self.returned = threading.Event()
        self._stuck_on = stuck_on
        self._ends_on_close = ends_on_close

    def detect(self, frame: Frame) -> Detections:
        if frame.index in self._stuck_on:
            assert self.released.wait(DEADLINE_S)
            self.returned.set()
        return Detections(np.array([[0, 0, frame.index, 1]]), np.array([0.5]), np.array([0]))

    def close(self) -> None:
        self.closed.set()
        if self._ends_on_close:
            self.released.set()


class Deadline:
    """Replaces the clock: some calls time out at once, all others never."""

    def __init__(self, over_at: set[int]) -> None:
        self.timeouts_s: list[float] = []
        self._over_at = over_at

    def __call__(self, answer: Future[Detections], timeout_s: float) -> bool:
        self.timeouts_s.append(timeout_s)
        if len(self.timeouts_s) - 1 in self._over_at:
            return False
        return answered(answer, DEADLINE_S)


def frame(index: int, rgb: tuple[int, int, int] = (0, 0, 0)) -> Frame:
    picture = blank(64, 48)
    picture[10:30, 10:30] = rgb
    return frame_of(picture, index=index)


def width_of(found: Detections) -> float:
    return float(found.boxes[0, 2])


def wait_until_ended(threads: Iterable[threading.Thread]) -> None:
    """Wait for abandoned models to end; those that still hang count."""
    for thread in threads:
        thread.join(DEADLINE_S)
        assert not thread.is_alive()


@pytest.fixture
def made() -> Iterator[list[Stuck]]:
    """The detectors that a test built; released at its end, so that no thread remains."""
    detectors: list[Stuck] = []
    yield detectors
    for detector in detectors:
        detector.released.set()
    for thread in threading.enumerate():
        if thread.name.startswith("streamer-model"):
            thread.join(DEADLINE_S)
            assert not thread.is_alive()


def building(made: list[Stuck], stuck_on: set[int], *, ends_on_close: bool = True) -> Callable[[], Stuck]:
    def build() -> Stuck:
        made.append(Stuck(stuck_on, ends_on_close=ends_on_close))
        return made[-1]

    return build


def test_a_detector_that_answers_is_unchanged(made: list[Stuck]) -> None:
    with_deadline = WatchedDetector(building(made, set()), DetectorSettings(timeout_s=DEADLINE_S))
    assert with_deadline.labels is made[0].labels
    assert [width_of(with_deadline.detect(frame(index))) for index in (3, 1, 2)] == [3, 1, 2]
    with_deadline.close()
    with_deadline.close()
    assert made[0].closed.wait(DEADLINE_S)
    assert len(made) == 1
    with pytest.raises(DetectorError, match="closed"):
        with_deadline.detect(frame(4))


@pytest.mark.parametrize("kind", [DetectorError, ValueError, TimeoutError])
def test_errors_of_the_detector_are_raised_and_are_no_hangs(kind: type[Exception]) -> None:
    error = kind("out of memory")

    class Failing(Stuck):
        def detect(self, frame: Frame) -> Detections:
            if frame.index:
                return super().detect(frame)
            raise error from KeyError("the cause")

    watched = WatchedDetector(lambda: Failing(set()), DetectorSettings(timeout_s=DEADLINE_S))
    with pytest.raises(kind) as caught:
        watched.detect(frame(0))
    assert caught.value is error
    assert isinstance(caught.value.__cause__, KeyError)
    assert width_of(watched.detect(frame(5))) == 5
    watched.close()


def test_a_hang_ends_the_run_with_the_frame_and_the_remedy(made: list[Stuck]) -> None:
    deadline = Deadline({1})
    watched = WatchedDetector(building(made, {40}, ends_on_close=False), DetectorSettings(timeout_s=90), wait=deadline)
    watched.detect(frame(39))
    with pytest.raises(DetectorHung, match=r"no answer for 90 s on frame 40 \(1.600 s\); .*timeout_s.*on_hang") as hung:
        watched.detect(frame(40))
    assert hung.value.exit_code == 1
    assert not isinstance(hung.value, DetectorError)  # which would end the frame only
    assert deadline.timeouts_s == [90, 90]
    assert not made[0].returned.is_set()  # it was not waited for
    assert made[0].closed.wait(DEADLINE_S)  # closing ends a graph in an endless loop
    watched.close()


def test_a_restart_loses_only_the_frame(made: list[Stuck], caplog: pytest.LogCaptureFixture) -> None:
    watched = WatchedDetector(
        building(made, {40}, ends_on_close=False),
        DetectorSettings(timeout_s=90, on_hang="restart"),
        wait=Deadline({1, 5}),
    )
    labels = watched.labels
    watched.detect(frame(39))
    with caplog.at_level(logging.WARNING), pytest.raises(DetectorRestarted, match="90 s") as lost:
        watched.detect(frame(40))
    assert "no answer for 90 s on frame 40 (1.600 s)" in caplog.text
    assert lost.value.cause == "detector hung"
    assert len(made) == 1  # the model is loaded for the next frame
    with caplog.at_level(logging.WARNING):
        assert [width_of(watched.detect(frame(index))) for index in (41, 42, 43)] == [41, 42, 43]
    assert len(made) == 2
    assert "loaded again after" in caplog.text
    assert watched.labels is labels
    made[0].released.set()  # a late result is ignored
    assert made[0].returned.wait(DEADLINE_S)
    with pytest.raises(DetectorRestarted):
        watched.detect(frame(40))
    assert width_of(watched.detect(frame(44))) == 44
    watched.close()
    assert all(detector.closed.wait(DEADLINE_S) for detector in made)


def test_the_third_hang_in_a_row_ends_the_run(made: list[Stuck]) -> None:
    before = set(threading.enumerate())
    watched = WatchedDetector(
        building(made, {7}), DetectorSettings(timeout_s=1, on_hang="restart"), wait=Deadline({0, 2, 3, 4})
    )
    with pytest.raises(DetectorRestarted):
        watched.detect(frame(7))
    wait_until_ended(set(threading.enumerate()) - before)
    watched.detect(frame(8))  # which resets the count
    for _ in range(HANGS - 1):
        with pytest.raises(DetectorRestarted):
            watched.detect(frame(7))
        wait_until_ended(set(threading.enumerate()) - before)
    with pytest.raises(DetectorHung, match=r"frame 7 .* after 2 restarts"):
        watched.detect(frame(7))
    assert len(made) == 1 + HANGS
    watched.close()


def test_the_number_of_hanging_models_is_limited(made: list[Stuck]) -> None:
    even = set(range(0, 100, 2))
    watched = WatchedDetector(
        building(made, even, ends_on_close=False), DetectorSettings(timeout_s=1, on_hang="restart"), wait=Deadline(even)
    )
    for index in range(2 * (HANGS - 1)):
        if index in even:
            with pytest.raises(DetectorRestarted):
                watched.detect(frame(index))
        else:
            assert width_of(watched.detect(frame(index))) == index
    with pytest.raises(DetectorHung):
        watched.detect(frame(2 * (HANGS - 1)))
    watched.close()


def test_a_model_that_cannot_be_loaded_again_ends_the_run(made: list[Stuck]) -> None:
    def build() -> Stuck:
        if made:
            raise ModelError("the folder is gone")
        return building(made, {0})()

    watched = WatchedDetector(build, DetectorSettings(timeout_s=1, on_hang="restart"), wait=Deadline({0}))
    with pytest.raises(DetectorRestarted):
        watched.detect(frame(0))
    with pytest.raises(DetectorHung, match="cannot be loaded again: the folder is gone") as hung:
        watched.detect(frame(1))
    assert isinstance(hung.value.__cause__, ModelError)
    watched.close()


def test_close_wakes_the_thread_that_waits_for_a_result(made: list[Stuck]) -> None:
    waiting, woken = threading.Event(), threading.Event()

    def until_woken(answer: Future[Detections], timeout_s: float) -> bool:
        waiting.set()
        return answered(answer, timeout_s)

    watched = WatchedDetector(
        building(made, {0}, ends_on_close=False), DetectorSettings(timeout_s=1000), wait=until_woken
    )

    def detect() -> None:
        with pytest.raises(DetectorError, match="closed"):
            watched.detect(frame(0))
        woken.set()

    thread = threading.Thread(target=detect)
    thread.start()
    assert waiting.wait(DEADLINE_S)
    watched.close()
    assert woken.wait(DEADLINE_S)
    assert not made[0].returned.is_set()
    thread.join(DEADLINE_S)


def test_close_does_not_wait_for_a_model_that_cannot_be_closed() -> None:
    never, closing = threading.Event(), threading.Event()

    class Unclosable(Stuck):
        def close(self) -> None:
            closing.set()
            assert never.wait(DEADLINE_S)

    watched = WatchedDetector(lambda: Unclosable(set()), DetectorSettings(timeout_s=1))
    watched.close()
    assert closing.wait(DEADLINE_S)
    assert not never.is_set()
    never.set()


def test_a_model_that_loads_while_the_run_ends_is_closed(made: list[Stuck]) -> None:
    loading, go_on = threading.Event(), threading.Event()

    def build() -> Stuck:
        if made:
            loading.set()
            assert go_on.wait(DEADLINE_S)
        return building(made, {0})()

    watched = WatchedDetector(build, DetectorSettings(timeout_s=1, on_hang="restart"), wait=Deadline({0}))
    with pytest.raises(DetectorRestarted):
        watched.detect(frame(0))

    def detect() -> None:
        with pytest.raises(DetectorError, match="closed"):
            watched.detect(frame(1))

    thread = threading.Thread(target=detect)
    thread.start()
    assert loading.wait(DEADLINE_S)
    watched.close()
    go_on.set()
    thread.join(DEADLINE_S)
    assert len(made) == 2
    assert made[1].closed.wait(DEADLINE_S)


def test_a_graph_in_an_endless_loop_is_abandoned_and_ended(tmp_path: Path) -> None:
    if not importlib.util.find_spec("tensorflow"):
        pytest.skip("TensorFlow is not installed")
    module = tiny_module.write(tmp_path / "module", raises_on=RAISES, hangs_on=HANGS_ON)
    hangs = False

    def wait_longer_only_where_it_ends(answer: Future[Detections], _: float) -> bool:
        return answered(answer, 0.3 if hangs else DEADLINE_S)

    watched = WatchedDetector(
        lambda: HubDetector(module),
        DetectorSettings(timeout_s=60, on_hang="restart"),
        wait=wait_longer_only_where_it_ends,
    )
    car = watched.labels.names.index("Car")
    for _ in range(2):
        assert watched.detect(frame(0, RED)).labels.tolist() == [car]
        with pytest.raises(DetectorError, match="TensorFlow failed") as failed:
            watched.detect(frame(1, RAISES))
        assert failed.value.cause == "detector error"
        models = [thread for thread in threading.enumerate() if thread.name == "streamer-model"]
        hangs = True
        with pytest.raises(DetectorRestarted):
            watched.detect(frame(2, HANGS_ON))
        hangs = False
        for model in models:  # closing its session cancels the loop
            model.join(DEADLINE_S)
            assert not model.is_alive()
    watched.close()
