"""The pool: one detector at a time for a stream, turns by policy, and streams that come and go."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from functools import partial
from typing import ClassVar

import av
import pytest

from streamer.errors import DetectorError
from streamer.flow.frame_ledger import FrameLedger
from streamer.flow.newest import NewestRoute
from streamer.flow.queues import Closed
from streamer.inference.policies import RoundRobin
from streamer.inference.policy import Candidate
from streamer.inference.pool import DetectorPool
from streamer.inference.shared_detector import SharedDetector
from streamer.interfaces import Detector
from streamer.values.delivery import Detected
from streamer.values.frame import Frame
from streamer.values.labels import LabelTable
from tests.pipeline.parts import DEADLINE_S
from tracking.types import Detections

PICTURE = av.VideoFrame(16, 16, "yuv420p")


def frame(index: int) -> Frame:
    return Frame(PICTURE, index, index, Fraction(1, 25), 0.0)


class CountingDetector(Detector):
    """Counts the threads inside it. `gate` holds `detect` until it is set."""

    def __init__(self, names: tuple[str, ...] = ("thing",)) -> None:
        self._labels = LabelTable(names)
        self.inside = self.most = 0
        self.closed = False
        self.seen: list[int] = []
        self.gate = threading.Event()
        self.gate.set()
        self.error: Exception | None = None
        self._lock = threading.Lock()

    @property
    def labels(self) -> LabelTable:
        return self._labels

    def detect(self, frame: Frame) -> Detections:
        with self._lock:
            self.inside += 1
            self.most = max(self.most, self.inside)
            self.seen.append(frame.index)
        assert self.gate.wait(DEADLINE_S)
        with self._lock:
            self.inside -= 1
        if self.error is not None:
            raise self.error
        return Detections.empty()

    def close(self) -> None:
        self.closed = True


class LastNumber:
    """Prefers the stream that joined last."""

    name: ClassVar[str] = "last"

    def choose(self, candidates: Sequence[Candidate], workers: int) -> Candidate:
        assert workers == 1
        return max(candidates, key=lambda one: one.stream)


def pool_of(*detectors: Detector) -> DetectorPool:
    return DetectorPool(detectors, RoundRobin(), detect_s=0.01)


def wait_for(happened: Callable[[], bool]) -> None:
    """Wait until it is true."""
    pause = threading.Event()
    for _ in range(int(DEADLINE_S / 0.002)):
        if happened():
            return
        pause.wait(0.002)
    raise AssertionError("it did not happen")


@contextmanager
def running(*works: Callable[[], None]) -> Iterator[None]:
    threads = [threading.Thread(target=work, daemon=True) for work in works]
    for thread in threads:
        thread.start()
    yield
    for thread in threads:
        thread.join(DEADLINE_S)
        assert not thread.is_alive()


def detect_one(stream: SharedDetector, index: int = 0) -> None:
    with stream.turn():
        stream.detect(frame(index))


def test_each_detector_has_one_stream_at_a_time() -> None:
    detectors = [CountingDetector(), CountingDetector()]
    pool = pool_of(*detectors)

    def work(stream: SharedDetector) -> None:
        for index in range(50):
            detect_one(stream, index)

    streams = [pool.join(f"camera{number}") for number in range(6)]
    with running(*(partial(work, stream) for stream in streams)):
        pass
    assert max(one.most for one in detectors) == 1
    assert sum(len(one.seen) for one in detectors) == 300
    assert [stream.turns.turns for stream in streams if stream.turns] == [50] * 6


def test_the_policy_chooses_among_the_streams_that_wait() -> None:
    detector = CountingDetector()
    pool = DetectorPool([detector], LastNumber(), detect_s=0.01)
    first, *others = [pool.join(str(number)) for number in range(4)]
    detector.gate.clear()
    with running(lambda: detect_one(first, 0)):
        wait_for(lambda: detector.inside == 1)
        with running(*(partial(detect_one, one, index) for index, one in enumerate(others, 1))):
            wait_for(lambda: pool.waiting == 3)
            detector.gate.set()
    assert detector.seen == [0, 3, 2, 1]


def test_a_stream_that_leaves_while_it_waits_is_woken() -> None:
    detector = CountingDetector()
    pool = pool_of(detector)
    busy, waits = pool.join("busy"), pool.join("waits")
    detector.gate.clear()
    ended: list[type[BaseException]] = []

    def wait() -> None:
        try:
            detect_one(waits)
        except Closed:
            ended.append(Closed)

    with running(lambda: detect_one(busy)):
        wait_for(lambda: detector.inside == 1)
        with running(wait):
            wait_for(lambda: pool.waiting == 1)
            waits.cancel()
        assert ended == [Closed]
        detector.gate.set()
    with pytest.raises(Closed):
        detect_one(waits)


def test_a_stream_that_leaves_during_its_turn_leaves_the_detector_to_the_others() -> None:
    detector = CountingDetector()
    pool = pool_of(detector)
    leaves, stays = pool.join("leaves"), pool.join("stays")
    detector.gate.clear()
    with running(lambda: detect_one(leaves, 0), lambda: detect_one(stays, 1)):
        wait_for(lambda: detector.inside == 1)
        leaves.close()
        detector.gate.set()
    assert 1 in detector.seen


def test_a_failed_detection_ends_the_turn_and_reaches_its_own_stream() -> None:
    detector = CountingDetector()
    pool = pool_of(detector)
    unlucky, other = pool.join("unlucky"), pool.join("other")
    detector.error = DetectorError("no memory")
    with pytest.raises(DetectorError, match="no memory"):
        detect_one(unlucky)
    detector.error = None
    detect_one(other, 1)
    assert detector.seen == [0, 1]


def test_the_detector_is_free_while_a_result_waits_for_its_display_thread() -> None:
    pool = pool_of(CountingDetector())
    slow, other = pool.join("slow"), pool.join("other")
    with slow.turn():
        slow.detect(frame(0))
        detect_one(other, 1)  # would wait forever if the turn lasted until the result was taken


def test_new_detectors_replace_the_old_ones_while_streams_go_on() -> None:
    old, new = CountingDetector(), CountingDetector()
    pool = pool_of(old)
    stream, other = pool.join("stream"), pool.join("other")
    old.gate.clear()
    with running(lambda: detect_one(stream, 0)):
        wait_for(lambda: old.inside == 1)
        pool.replace([new])
        detect_one(other, 1)
        assert not old.closed
        old.gate.set()
    assert old.closed
    assert (old.seen, new.seen, new.closed) == ([0], [1], False)
    with pytest.raises(ValueError, match="same classes"):
        pool.replace([CountingDetector(("other",))])
    pool.close()
    assert new.closed


def test_a_live_stream_detects_the_newest_frame_at_its_turn() -> None:
    detector = CountingDetector()
    pool = pool_of(detector)
    other, stream = pool.join("other"), pool.join("stream")
    ledger = FrameLedger()
    route = NewestRoute(ledger, lambda _: True, every_frame=False, turns=stream)
    detector.gate.clear()

    def work() -> None:
        for one in route.frames():
            route.done(Detected(one, stream.detect(one)))

    with running(lambda: detect_one(other, 100)):
        wait_for(lambda: detector.inside == 1)
        with running(work):
            route.put(frame(0))
            wait_for(lambda: pool.waiting == 1)
            route.put(frame(1))
            route.put(frame(2))
            detector.gate.set()
            wait_for(lambda: detector.seen[1:] == [2])
            route.end()


def test_a_stream_whose_route_closes_while_it_waits_ends() -> None:
    detector = CountingDetector()
    pool = pool_of(detector)
    other, stream = pool.join("other"), pool.join("stream")
    route = NewestRoute(FrameLedger(), lambda _: True, every_frame=True, turns=stream)
    route.put(frame(0))
    detector.gate.clear()
    ended: list[str] = []

    def work() -> None:
        try:
            for _ in route.frames():
                ended.append("frame")
        except Closed:
            ended.append("closed")

    with running(lambda: detect_one(other)):
        wait_for(lambda: detector.inside == 1)
        with running(work):
            wait_for(lambda: pool.waiting == 1)
            route.close()
        detector.gate.set()
    assert ended == ["closed"]


def test_a_closed_pool_takes_no_stream() -> None:
    pool = pool_of(CountingDetector())
    stream = pool.join("stream")
    pool.close()
    pool.close()
    with pytest.raises(Closed):
        detect_one(stream)
    with pytest.raises(Closed):
        pool.join("late")
