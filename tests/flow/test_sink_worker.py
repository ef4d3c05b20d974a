"""A sink behind its mailbox: of a live run it may be slow, hang or fail, and only what it misses is lost."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from fractions import Fraction
from types import SimpleNamespace

import av
import pytest

from streamer.errors import SinkError
from streamer.flow import sink_worker as outlet_module
from streamer.flow.queues import Closed
from streamer.flow.sink_worker import SinkWorker
from streamer.flow.stats import RunStats
from streamer.interfaces import Scene
from streamer.values.frame import Frame, held_bytes
from streamer.values.states import FrameState
from tests.pipeline.parts import DEADLINE_S, Boom, ListSink, MainThreadSink, OneBox, raising
from tracking.types import Tracks

WAIT_LIVE, WAIT_IN_A_FILE = 2, 4
"""How many scenes wait for a sink at most."""
PICTURE = av.VideoFrame(16, 16, "yuv420p")


def scene(index: int, captured_s: float = 0.0) -> Scene:
    frame = Frame(PICTURE, index, index, Fraction(1, 25), captured_s)
    return Scene(frame, Tracks.empty(), OneBox.labels, FrameState.PREDICTED)


class Hold:
    """Holds a sink at its first scene until it is let go."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.go = threading.Event()

    def __call__(self, _: Scene) -> None:
        self.reached.set()
        assert self.go.wait(DEADLINE_S)


def draining(sink_worker: SinkWorker) -> tuple[threading.Thread, list[BaseException]]:
    """The outlet's thread; the list gets what it raised."""
    raised: list[BaseException] = []

    def drain() -> None:
        try:
            sink_worker.drain()
        except (Closed, SinkError, Boom) as error:
            raised.append(error)

    thread = threading.Thread(target=drain, daemon=True)
    thread.start()
    return thread, raised


def test_a_live_sink_that_hangs_holds_nobody_and_loses_the_oldest() -> None:
    stats, hold = RunStats(), Hold()
    sink = ListSink(hold)
    sink_worker = SinkWorker(sink, "list", stats, live=True)
    thread, _ = draining(sink_worker)
    sink_worker.put(scene(0))
    assert hold.reached.wait(DEADLINE_S)
    for index in range(1, 20):
        sink_worker.put(scene(index))
    assert stats.counts["skipped", "list"] == 19 - WAIT_LIVE
    hold.go.set()
    sink_worker.finish(DEADLINE_S)
    thread.join(DEADLINE_S)
    assert sink.indexes == [0, *range(20 - WAIT_LIVE, 20)]
    assert stats.ages["list"].count == stats.stages["list"].count == 1 + WAIT_LIVE


def test_a_live_sink_that_keeps_all_is_waited_for_by_the_pictures(caplog: pytest.LogCaptureFixture) -> None:
    stats, hold = RunStats(), Hold()
    sink = ListSink(hold)
    sink_worker = SinkWorker(sink, "list", stats, live=True, keep_all=True)
    thread, _ = draining(sink_worker)
    for index in range(200):
        sink_worker.put(scene(index))
    assert hold.reached.wait(DEADLINE_S)
    hold.go.set()
    sink_worker.finish(DEADLINE_S)
    thread.join(DEADLINE_S)
    assert sink.indexes == list(range(200))
    assert stats.counts == {("written", "list"): 200}
    assert caplog.messages == []


def test_pictures_that_wait_hold_no_more_memory_than_is_allowed_and_that_is_said_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(outlet_module, "KEPT_BYTES", 10 * held_bytes(PICTURE))
    stats, hold = RunStats(), Hold()
    sink = ListSink(hold)
    sink_worker = SinkWorker(sink, "list", stats, live=True, keep_all=True)
    thread, _ = draining(sink_worker)
    sink_worker.put(scene(0))
    assert hold.reached.wait(DEADLINE_S)
    with caplog.at_level(logging.WARNING):
        for index in range(1, 50):
            sink_worker.put(scene(index))
    hold.go.set()
    sink_worker.finish(DEADLINE_S)
    thread.join(DEADLINE_S)
    assert sink.indexes == [0, *range(39, 50)]
    assert stats.counts == {("written", "list"): 12, ("skipped", "list"): 38}
    assert len(caplog.messages) == 1
    assert "list does not keep up" in caplog.messages[0]


def test_the_end_waits_for_a_sink_that_keeps_all_as_long_as_it_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each wait of the end passes while one picture is written; the last one sees that all are."""
    stats, steps, taken = RunStats(), threading.Semaphore(0), threading.Semaphore(0)

    def one_step(_: Scene) -> None:
        taken.release()
        assert steps.acquire(timeout=DEADLINE_S)

    sink = ListSink(one_step)
    sink_worker = SinkWorker(sink, "list", stats, live=True, keep_all=True)
    for index in range(20):
        sink_worker.put(scene(index))
    thread, _ = draining(sink_worker)
    assert taken.acquire(timeout=DEADLINE_S)

    def passes(_: float | None) -> bool:
        steps.release()
        if len(sink.indexes) < 18:
            assert taken.acquire(timeout=DEADLINE_S)
            return False
        steps.release(20)
        thread.join(DEADLINE_S)
        return True

    monkeypatch.setattr(sink_worker._drained, "wait", passes)
    sink_worker.finish(0.01)
    assert sink.indexes == list(range(20))


def test_the_sink_of_a_file_holds_the_run_and_loses_nothing() -> None:
    stats, hold = RunStats(), Hold()
    sink = ListSink(hold)
    sink_worker = SinkWorker(sink, "list", stats)
    thread, _ = draining(sink_worker)
    sink_worker.put(scene(0))
    assert hold.reached.wait(DEADLINE_S)

    depths: queue.Queue[float] = queue.Queue()

    def put_all() -> None:
        for index in range(1, 20):
            sink_worker.put(scene(index))
            depths.put(stats.gauges["queue_depth", "list"])

    putter = threading.Thread(target=put_all, daemon=True)
    putter.start()
    assert [depths.get(timeout=DEADLINE_S) for _ in range(WAIT_IN_A_FILE)] == [1, 2, 3, 4]
    hold.go.set()
    putter.join(DEADLINE_S)
    sink_worker.finish()
    thread.join(DEADLINE_S)
    assert sink.indexes == list(range(20))
    assert max(depths.get() for _ in range(19 - WAIT_IN_A_FILE)) <= WAIT_IN_A_FILE
    assert stats.counts == {}
    assert stats.ages == {}


def test_an_optional_sink_that_fails_is_said_once_and_the_run_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    stats = RunStats()
    sink_worker = SinkWorker(
        ListSink(raising(SinkError("the server is gone"))), "list", stats, live=True, required=False
    )
    sink_worker.put(scene(0))
    with caplog.at_level(logging.WARNING):
        thread, raised = draining(sink_worker)
        thread.join(DEADLINE_S)
        for index in range(1, 10):
            sink_worker.put(scene(index))
    sink_worker.finish(DEADLINE_S)
    assert raised == []
    assert caplog.messages == ["the server is gone; the run goes on without it"]
    assert stats.counts["skipped", "list"] == 9


@pytest.mark.parametrize(("live", "required"), [(True, True), (False, True), (False, False)])
def test_a_sink_that_must_not_fail_ends_the_run(live: bool, required: bool) -> None:
    sink_worker = SinkWorker(
        ListSink(raising(SinkError("the disk is full"))), "list", RunStats(), live=live, required=required
    )
    sink_worker.put(scene(0))
    thread, raised = draining(sink_worker)
    thread.join(DEADLINE_S)
    assert [str(error) for error in raised] == ["the disk is full"]
    sink_worker.close()  # as the run does then
    with pytest.raises(Closed):
        sink_worker.put(scene(1))


def test_what_is_not_said_to_be_optional_must_not_fail() -> None:
    sink_worker = SinkWorker(ListSink(raising(SinkError("the disk is full"))), "list", RunStats(), live=True)
    sink_worker.put(scene(0))
    thread, raised = draining(sink_worker)
    thread.join(DEADLINE_S)
    assert [str(error) for error in raised] == ["the disk is full"]


def test_a_mistake_in_an_optional_sink_is_not_taken_for_its_failure() -> None:
    sink_worker = SinkWorker(ListSink(raising(Boom("a mistake"))), "list", RunStats(), live=True, required=False)
    sink_worker.put(scene(0))
    thread, raised = draining(sink_worker)
    thread.join(DEADLINE_S)
    assert [str(error) for error in raised] == ["a mistake"]


def test_finish_waits_no_longer_than_it_is_told(caplog: pytest.LogCaptureFixture) -> None:
    hold = Hold()
    sink = ListSink(hold)
    sink_worker = SinkWorker(sink, "list", RunStats(), live=True)
    thread, _ = draining(sink_worker)
    sink_worker.put(scene(0))
    sink_worker.put(scene(1))
    assert hold.reached.wait(DEADLINE_S)
    with caplog.at_level(logging.WARNING):
        sink_worker.finish(0.01)
    assert caplog.messages == ["list did not write the last frames within 0.0 s"]
    hold.go.set()
    thread.join(DEADLINE_S)
    assert sink.indexes == [0, 1]


def test_close_leaves_what_waits() -> None:
    hold = Hold()
    sink = ListSink(hold)
    sink_worker = SinkWorker(sink, "list", RunStats(), live=True)
    thread, raised = draining(sink_worker)
    sink_worker.put(scene(0))
    assert hold.reached.wait(DEADLINE_S)
    sink_worker.put(scene(1))
    sink_worker.close()
    hold.go.set()
    thread.join(DEADLINE_S)
    assert sink.indexes == [0]
    assert isinstance(raised[0], Closed)


@pytest.mark.parametrize("live", [True, False])
def test_a_sink_of_the_main_thread_is_written_there(live: bool) -> None:
    sink = MainThreadSink()
    sink_worker = SinkWorker(sink, "window", RunStats(), live=live)
    sink_worker.put(scene(0))
    assert sink.indexes == [0]
    assert sink.thread_names == {threading.current_thread().name}
    sink_worker.finish(0.0)


def test_an_optional_sink_of_the_main_thread_that_fails_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    failing: Callable[[object], None] = raising(SinkError("no display any more"))
    stats = RunStats()
    sink_worker = SinkWorker(MainThreadSink(failing), "window", stats, live=True, required=False)
    with caplog.at_level(logging.WARNING):
        for index in range(3):
            sink_worker.put(scene(index))
    assert caplog.messages == ["no display any more; the run goes on without it"]
    assert stats.counts["skipped", "window"] == 2


class Server(ListSink):
    """What is written to a server that may be away; what comes then is skipped."""

    def __init__(self) -> None:
        super().__init__()
        self.connected = True
        self.skipped = 0

    def write(self, scene: Scene) -> None:
        if self.connected:
            super().write(scene)
        else:
            self.skipped += 1


def written(sink_worker: SinkWorker, *scenes: Scene) -> None:
    """Each scene is written before the next is handed over."""
    for each in scenes:
        sink_worker.put(each)


def test_it_tells_whether_a_server_is_there_and_what_it_missed() -> None:
    stats, sink = RunStats(), Server()
    sink.main_thread = True
    sink_worker = SinkWorker(sink, "stream", stats, live=True, required=False)
    written(sink_worker, scene(0))
    assert stats.gauges["sink_connected", "stream"] == 1
    assert ("skipped", "stream") not in stats.counts
    sink.connected = False
    written(sink_worker, scene(1), scene(2))
    assert stats.gauges["sink_connected", "stream"] == 0
    assert stats.counts["skipped", "stream"] == 2
    sink.connected = True
    written(sink_worker, scene(3), scene(4))
    assert stats.gauges["sink_connected", "stream"] == 1
    assert stats.counts["skipped", "stream"] == 2
    sink.connected = False
    written(sink_worker, scene(5))
    assert stats.counts["skipped", "stream"] == 3
    assert sink.indexes == [0, 3, 4]


def test_a_sink_that_cannot_be_away_is_not_told_of() -> None:
    stats = RunStats()
    written(SinkWorker(MainThreadSink(), "window", stats, live=True), scene(0))
    assert ("sink_connected", "window") not in stats.gauges


@pytest.mark.parametrize(("live", "ages"), [(True, {"window": 2}), (False, {})])
def test_how_long_writing_took_and_how_old_pictures_were_then(
    live: bool, ages: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    busy_s, now_s = [50.0], [900.0]
    clocks = SimpleNamespace(perf_counter=lambda: busy_s[0], monotonic=lambda: now_s[0])
    monkeypatch.setattr(outlet_module, "time", clocks)

    def takes_a_while(_: Scene) -> None:
        busy_s[0] += 0.25
        now_s[0] += 0.3

    stats = RunStats()
    sink_worker = SinkWorker(MainThreadSink(takes_a_while), "window", stats, live=live)
    written(sink_worker, scene(0, captured_s=899.0), scene(1, captured_s=899.5))
    assert stats.stages["window"].count == 2
    assert stats.stages["window"].total_s == pytest.approx(0.5)
    assert {name: times.count for name, times in stats.ages.items()} == ages
    if live:
        assert stats.ages["window"].total_s == pytest.approx(1.3 + 1.1)


def test_it_tells_how_many_scenes_wait() -> None:
    stats, hold = RunStats(), Hold()
    sink_worker = SinkWorker(ListSink(hold), "list", stats)
    thread, _ = draining(sink_worker)
    sink_worker.put(scene(0))
    assert hold.reached.wait(DEADLINE_S)
    written(sink_worker, *map(scene, (1, 2, 3)))
    assert stats.gauges["queue_depth", "list"] == 3
    hold.go.set()
    sink_worker.finish()
    thread.join(DEADLINE_S)


class Paused(MainThreadSink):
    """Waits for a person until it is released."""

    def __init__(self) -> None:
        super().__init__()
        self.released = 0

    def release(self) -> None:
        self.released += 1


def test_a_sink_that_waits_for_a_person_is_released_when_the_run_ends() -> None:
    sink = Paused()
    SinkWorker(sink, "window", RunStats(), live=True).release()
    assert sink.released == 1
    SinkWorker(ListSink(), "list", RunStats()).release()  # waits for nobody
