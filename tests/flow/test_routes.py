"""The live route: the newest frame wins, nothing blocks capture, and every frame is settled once."""

from __future__ import annotations

import math
import threading
import tracemalloc
from collections import Counter, deque
from collections.abc import Callable, Iterator
from fractions import Fraction

import av
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from streamer.errors import DetectorError
from streamer.flow.frame_ledger import FrameLedger
from streamer.flow.newest import NewestRoute
from streamer.flow.playout import Playout
from streamer.flow.queues import Closed
from streamer.flow.routes import LosslessRoute
from streamer.values.delivery import Arrived, Delivery, Detected, DisplayDue
from streamer.values.frame import Frame, held_bytes
from streamer.values.states import DropCause, FrameState
from tests.pipeline.parts import DEADLINE_S
from tracking.types import Detections

PICTURE = av.VideoFrame(16, 16, "yuv420p")
DETECTORS = 2
ROOM = 2
"""The most frames, and the most results, that wait for the display thread."""


def frame(index: int, damage: str = "") -> Frame:
    return Frame(PICTURE, index, index, Fraction(1, 25), 0.0, damage=damage)


def next_frame(deliveries: Iterator[Delivery]) -> Frame:
    """The frame of the next delivery."""
    delivery = next(deliveries)
    assert not isinstance(delivery, DisplayDue)
    return delivery.frame


class NewestMachine(RuleBasedStateMachine):
    """The calls of a capture thread, two detector threads and the display thread in any order, one at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = FrameLedger()
        self.count = 0
        self.ended = False
        self.damaged: set[int] = set()
        self.wanted: list[int] = []  # undamaged and selected frames since a detector took the last one
        self.with_detectors: list[Frame] = []
        self.results: deque[int] = deque()
        self.arrivals: deque[int] = deque()
        self.delivery: Arrived | Detected | None = None
        self.due_s = math.inf  # of a held frame
        self.held: deque[Frame] = deque()  # delivered, and shown later
        self.shown: dict[int, str] = {}
        self.ends: dict[int, tuple[str, str]] = {}  # of detected frames

    @initialize(
        overlay=st.sampled_from(["now", "detected", "delayed"]),
        detect_every=st.sampled_from([1, 1, 3]),
        keep_all=st.booleans(),
    )
    def begin(self, overlay: str, detect_every: int, keep_all: bool) -> None:
        self.keep_all = keep_all
        self.every_frame = every_frame = overlay != "detected"
        self.delayed = overlay == "delayed"
        self.detect_every = detect_every
        self.route = NewestRoute(
            self.ledger,
            lambda frame: frame.index % detect_every == 0,
            every_frame=every_frame,
            keep_all=keep_all,
            next_due_s=lambda: self.due_s,
            clock=lambda: 0.0,
        )

    @precondition(lambda self: not self.ended)
    @rule(damage=st.sampled_from(["", "", "", "packet loss"]))
    def put(self, damage: str) -> None:
        self.route.put(frame(self.count, damage))
        if damage:
            self.damaged.add(self.count)
        elif self.count % self.detect_every == 0:
            self.wanted.append(self.count)
        if self.every_frame:
            self.arrivals.append(self.count)
            if len(self.arrivals) > ROOM and not self.keep_all:
                self.arrivals.popleft()
        self.count += 1

    @precondition(lambda self: self.wanted and len(self.with_detectors) < DETECTORS)
    @rule()
    def detector_takes(self) -> None:
        taken = next(self.route.frames())
        assert taken.index == self.wanted[-1], "the newest wins"
        assert not taken.damage
        self.wanted.clear()
        self.with_detectors.append(taken)

    @precondition(lambda self: self.with_detectors and len(self.results) < ROOM)
    @rule(which=st.integers(0, DETECTORS - 1), fails=st.booleans())
    def detector_is_done(self, which: int, fails: bool) -> None:
        looked_at = self.with_detectors.pop(which % len(self.with_detectors))
        if fails:
            self.route.done(Detected(looked_at, error=DetectorError("no luck")))
        else:
            self.route.done(Detected(looked_at, Detections.empty()))
        self.ends[looked_at.index] = ("lost", "detector error") if fails else ("detected", "")
        self.results.append(looked_at.index)

    @precondition(lambda self: self.delivery is None and (self.results or self.arrivals))
    @rule()
    def display_takes(self) -> None:
        delivery = next(iter(self.route))
        assert not isinstance(delivery, DisplayDue)
        self.delivery = delivery
        assert isinstance(self.delivery, Detected) == bool(self.results), "results come before frames"
        expected = self.results.popleft() if self.results else self.arrivals.popleft()
        assert self.delivery.frame.index == expected

    @precondition(lambda self: self.delivery is not None)
    @rule()
    def display_shows(self) -> None:
        assert self.delivery is not None
        if isinstance(self.delivery, Detected) != self.every_frame:  # detected frames were shown on arrival
            if self.delayed:
                self.held.append(self.delivery.frame)
            else:
                found = isinstance(self.delivery, Detected) and self.delivery.detections is not None
                self.display_shows_as(self.delivery.frame, FrameState.DETECTED if found else FrameState.PREDICTED)
        self.delivery = None

    @precondition(lambda self: self.delivery is None and self.held)
    @rule(state=st.sampled_from([FrameState.PREDICTED, FrameState.INTERPOLATED, FrameState.DETECTED]))
    def display_shows_a_held_frame(self, state: FrameState) -> None:
        self.display_shows_as(self.held.popleft(), state)

    @precondition(lambda self: self.delivery is None and self.held and not self.results)
    @rule()
    def a_held_frame_becomes_due(self) -> None:
        self.due_s = -0.1  # earlier than all frames that arrived
        delivery = next(iter(self.route))
        assert isinstance(delivery, DisplayDue)
        assert delivery.at_s == self.due_s
        self.due_s = math.inf
        self.display_shows_as(self.held.popleft(), FrameState.PREDICTED)

    def display_shows_as(self, shown: Frame, state: FrameState) -> None:
        if state is FrameState.DETECTED and self.ends.get(shown.index) != ("detected", ""):
            state = FrameState.PREDICTED
        self.route.shown(shown, state, "")
        self.shown[shown.index] = state

    @precondition(lambda self: self.ended or self.count > 10)
    @rule()
    def end(self) -> None:
        self.route.end()
        self.ended = True

    @invariant()
    def the_ledger_balances(self) -> None:
        entered, settled = self.ledger.snapshot()
        assert entered == self.count
        open_ends = self.count - sum(settled.values())
        # Frames that wait, are in a detector, wait for the display thread, or are held by it.
        with_display = len(self.arrivals) + len(self.held) + (self.delivery is not None)
        assert 0 <= open_ends <= 1 + len(self.with_detectors) + with_display

    @invariant()
    def at_most_one_waits(self) -> None:
        if hasattr(self, "route"):
            assert self.route.waiting == bool(self.wanted)

    def teardown(self) -> None:
        if not hasattr(self, "route"):
            return
        if not self.ended:
            self.end()
        while self.wanted or self.with_detectors or self.results or self.arrivals or self.delivery is not None:
            if self.delivery is not None:
                self.display_shows()
            elif self.results or self.arrivals:
                self.display_takes()
            elif self.with_detectors:
                self.detector_is_done(0, False)
            else:
                self.detector_takes()
            self.the_ledger_balances()
        while self.held:
            self.display_shows_a_held_frame(FrameState.INTERPOLATED)
        assert list(self.route) == []
        assert list(self.route.frames()) == []
        assert self.ledger.snapshot() == (self.count, self.expected())

    def expected(self) -> Counter[tuple[str, str]]:
        return Counter(self.end_of(index) for index in range(self.count))

    def end_of(self, index: int) -> tuple[str, str]:
        if index in self.ends:
            return self.ends[index]
        if index in self.damaged:
            return "corrupt", "packet loss"
        if index in self.shown:
            return self.shown[index], ""
        return "dropped", DropCause.OUTPUT_LATE if self.every_frame else DropCause.DETECTOR_BUSY


NewestMachine.TestCase.settings = settings(max_examples=100, stateful_step_count=50, deadline=None)
TestNewestInAnyInterleaving = NewestMachine.TestCase


def newest(*, every_frame: bool = True) -> NewestRoute:
    return NewestRoute(FrameLedger(), lambda _: True, every_frame=every_frame)


def run_on_a_thread(work: Callable[[], object]) -> tuple[threading.Thread, list[object]]:
    results: list[object] = []

    def run() -> None:
        try:
            results.append(work())
        except (Closed, StopIteration) as ending:
            results.append(type(ending))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread, results


def test_capture_never_waits() -> None:
    route = newest()
    for index in range(500):
        route.put(frame(index))
    assert route.waiting == 1
    assert next(route.frames()).index == 499
    assert [next_frame(iter(route)).index for _ in range(ROOM)] == [498, 499]


@pytest.mark.parametrize("of", ["detector", "main"])
def test_a_waiting_thread_gets_the_next_frame(of: str) -> None:
    route = newest()
    thread, results = run_on_a_thread(
        lambda: next(route.frames()).index if of == "detector" else next_frame(iter(route)).index
    )
    route.put(frame(0))
    thread.join(DEADLINE_S)
    assert results == [0]


@pytest.mark.parametrize("of", ["detector", "main"])
@pytest.mark.parametrize(("ending", "raised"), [("end", StopIteration), ("close", Closed)])
def test_a_waiting_thread_is_woken_by_the_end(of: str, ending: str, raised: type[Exception]) -> None:
    route = newest()
    thread, results = run_on_a_thread(lambda: next(route.frames() if of == "detector" else iter(route)))
    getattr(route, ending)()
    thread.join(DEADLINE_S)
    assert results == [raised]


def test_a_detector_ahead_of_the_display_thread_waits_and_close_wakes_it() -> None:
    route = newest()
    for index in range(ROOM):
        route.put(frame(index))
        route.done(Detected(next(route.frames()), Detections.empty()))
    route.put(frame(ROOM))
    last = next(route.frames())
    thread, results = run_on_a_thread(lambda: route.done(Detected(last, Detections.empty())))
    route.close()
    thread.join(DEADLINE_S)
    assert results == [Closed]


def test_the_end_waits_for_the_frame_in_the_detector() -> None:
    route = newest(every_frame=False)
    route.put(frame(0))
    looked_at = next(route.frames())
    route.end()
    thread, results = run_on_a_thread(lambda: [one.frame.index for one in route if isinstance(one, Detected)])
    route.done(Detected(looked_at, Detections.empty()))
    thread.join(DEADLINE_S)
    assert results == [[0]]


def test_put_after_close_is_refused_and_frames_stay_in_flight() -> None:
    ledger = FrameLedger()
    route = NewestRoute(ledger, lambda _: True, every_frame=True)
    route.put(frame(0))
    route.close()
    with pytest.raises(Closed):
        route.put(frame(1))
    assert ledger.in_flight == ledger.entered == 2


def test_a_lossless_route_drops_no_frame() -> None:
    ledger = FrameLedger()
    route = LosslessRoute(ledger, lambda frame: frame.index % 2 == 0)

    def detect() -> None:
        for one in route.frames():
            route.done(Detected(one, Detections.empty()))

    def capture() -> None:
        for index in range(100):
            route.put(frame(index))
        route.end()

    threads = [run_on_a_thread(work)[0] for work in (detect, detect, capture)]
    shown = []
    for finished in route:
        shown.append((finished.frame.index, isinstance(finished, Detected)))
        state = FrameState.DETECTED if isinstance(finished, Detected) else FrameState.INTERPOLATED
        route.shown(finished.frame, state, "")
    for thread in threads:
        thread.join(DEADLINE_S)
    assert shown == [(index, index % 2 == 0) for index in range(100)]
    assert ledger.snapshot() == (100, {("detected", ""): 50, ("interpolated", ""): 50})


FRAMES_LONG = 6000


@pytest.mark.parametrize("state", [FrameState.DETECTED, FrameState.PREDICTED, FrameState.INTERPOLATED])
def test_the_memory_of_a_route_does_not_grow(state: FrameState) -> None:
    """Some frames are damaged, some not selected, some detections fail, and some frames are not taken."""
    every_frame = state != "detected"
    ledger = FrameLedger()
    route = NewestRoute(ledger, lambda frame: frame.index % 3 == 0, every_frame=every_frame)
    held_bytes = []
    tracemalloc.start()
    try:
        for index in range(FRAMES_LONG):
            route.put(frame(index, "packet loss" if index % 7 == 0 else ""))
            if index % 2 and route.waiting:
                looked_at = next(route.frames())
                failed = DetectorError("no luck") if index % 5 == 0 else None
                route.done(Detected(looked_at, None if failed else Detections.empty(), error=failed))
                assert next_frame(iter(route)) is looked_at
                if not every_frame:
                    route.shown(looked_at, state, "")
            if every_frame and index % 4:
                route.shown(next_frame(iter(route)), state, "")
            if index in (FRAMES_LONG // 3, FRAMES_LONG - 1):
                held_bytes.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert held_bytes[1] - held_bytes[0] < FRAMES_LONG
    assert ledger.in_flight <= 1 + ROOM
    assert {ending for ending, _ in ledger.snapshot()[1]} >= {state, "detected", "lost", "corrupt", "dropped"}


def test_a_frame_that_is_shown_after_its_detection_is_counted_once() -> None:
    ledger = FrameLedger()
    route = NewestRoute(ledger, lambda _: True, every_frame=True)
    route.put(frame(5))
    route.done(Detected(next(route.frames()), Detections.empty()))
    result, arrived = next(iter(route)), next(iter(route))
    assert isinstance(result, Detected)
    assert isinstance(arrived, Arrived)
    route.shown(arrived.frame, FrameState.INTERPOLATED, "")
    route.shown(arrived.frame, FrameState.PREDICTED, "")
    assert ledger.snapshot() == (1, {("detected", ""): 1})


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def at(index: int, captured_s: float) -> Frame:
    return Frame(PICTURE, index, index, Fraction(1, 25), captured_s)


def test_frames_are_delivered_when_due_and_the_detector_gets_the_newest_at_once() -> None:
    clock, playout = Clock(), Playout(0.2)
    for index in range(5):
        playout.due_s(at(index, 0.16))
    route = NewestRoute(FrameLedger(), lambda _: True, every_frame=True, playout=playout, clock=clock)
    clock.now_s = 0.36
    for index in range(5, 10):  # the second burst
        route.put(at(index, 0.36))
    assert next(route.frames()).index == 9
    came = iter(route)
    for index in range(5, 10):
        thread, results = run_on_a_thread(lambda: next_frame(came).index)
        clock.now_s = 0.2 + index * 0.04 + 1e-9
        route.put(at(5 + index, 900.0))  # wakes the waiting thread, as time does
        thread.join(DEADLINE_S)
        assert results == [index]


def test_frames_that_are_held_back_are_due_in_order_with_arrivals() -> None:
    clock, due_s = Clock(), deque([0.3, 0.4, 0.5, math.inf])
    route = NewestRoute(FrameLedger(), lambda _: True, every_frame=True, clock=clock, next_due_s=lambda: due_s[0])
    came = iter(route)
    route.put(at(0, 0.4))
    clock.now_s = 0.45
    first = next(came)
    assert isinstance(first, DisplayDue)
    assert first.at_s == due_s.popleft()
    assert next_frame(came).index == 0, "an arrival comes first: it shows the frames that are due, too"
    due_s.popleft()
    thread, results = run_on_a_thread(lambda: next(came))
    clock.now_s = 0.5
    route.put(at(1, 900.0))  # wakes the waiting thread, as time does
    thread.join(DEADLINE_S)
    assert [one.at_s for one in results if isinstance(one, DisplayDue)] == [0.5]


def test_with_keep_all_every_frame_is_delivered_and_late_ones_are_flagged() -> None:
    clock, ledger = Clock(), FrameLedger()
    route = NewestRoute(ledger, lambda _: True, every_frame=True, keep_all=True, clock=clock)
    for index in range(100):
        clock.now_s = index / 25
        route.put(at(index, clock.now_s))
    kept = [next(iter(route)) for _ in range(100)]
    assert [one.frame.index for one in kept if isinstance(one, Arrived)] == list(range(100))
    assert [isinstance(one, Arrived) and one.late for one in kept] == [True] * 93 + [False] * 7
    assert ledger.causes(FrameState.DROPPED) == {}


def test_waiting_frames_are_bounded_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamer.flow.newest.MOST_BYTES", 10 * held_bytes(PICTURE))
    ledger = FrameLedger()
    route = NewestRoute(ledger, lambda _: True, every_frame=True, keep_all=True, clock=lambda: 0.0)
    for index in range(30):
        route.put(at(index, 0.0))
    assert next_frame(iter(route)).index == 20
    assert ledger.causes(FrameState.DROPPED) == {DropCause.OUTPUT_LATE: 20}


def test_with_keep_all_waiting_frames_are_delivered_after_close() -> None:
    route = NewestRoute(
        FrameLedger(), lambda _: True, every_frame=True, keep_all=True, playout=Playout(5.0), clock=lambda: 0.0
    )
    for index in range(3):
        route.put(at(index, 0.0))
    route.close()
    came = iter(route)
    assert [next_frame(came).index for _ in range(3)] == [0, 1, 2]
    with pytest.raises(Closed):
        next(came)
    with pytest.raises(Closed):
        next(route.frames())


def test_a_result_wakes_the_wait_for_a_due_frame() -> None:
    route = NewestRoute(FrameLedger(), lambda _: True, every_frame=True, playout=Playout(900.0), clock=lambda: 0.0)
    route.put(at(0, 0.0))
    looked_at = next(route.frames())
    thread, results = run_on_a_thread(lambda: isinstance(next(iter(route)), Detected))
    route.done(Detected(looked_at, Detections.empty()))
    thread.join(DEADLINE_S)
    assert results == [True]
