"""A sink with its queue: in a live run it may be slow, hang or fail, and only its own scenes are lost."""

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
"""The most scenes that wait for a sink."""
PICTURE = av.VideoFrame(16, 16, "yuv420p")


def scene(index: int, captured_s: float = 0.0) -> Scene:
    frame = Frame(PICTURE, index, index, Fraction(1, 25), captured_s)
    return Scene(frame, Tracks.empty(), OneBox.labels, FrameState.PREDICTED)


class Hold:
    """Blocks a sink at its first scene until it is released."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.go = threading.Event()

    def __call__(self, _: Scene) -> None:
        self.reached.set()
        assert self.go.wait(DEADLINE_S)


def draining(sink_worker: SinkWorker) -> tuple[threading.Thread, list[BaseException]]:
    """The thread of the worker; its error is appended to the list."""
    raised: list[BaseException] = []

    def drain() -> None:
        try:
            sink_worker.drain()
        except (Closed, SinkError, Boom) as error:
            raised.append(error)

    thread = threading.Thread(target=drain, daemon=True)
    thread.start()
    return thread, raised


def test_a_hanging_live_sink_blocks_nothing_and_loses_the_oldest_scenes() -> None:
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


def test_scenes_wait_for_a_live_sink_that_keeps_all(caplog: pytest.LogCaptureFixture) -> None:
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


def test_waiting_scenes_are_bounded_in_memory_and_skips_are_logged_once(
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


def test_finish_waits_for_a_sink_that_keeps_all_while_it_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    """One scene is written during each wait of `finish`; after the last one the queue is empty."""
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


def test_the_sink_of_a_file_blocks_the_run_and_loses_nothing() -> None:
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


def test_the_failure_of_an_optional_sink_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
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
def test_the_failure_of_a_required_sink_is_raised(live: bool, required: bool) -> None:
    sink_worker = SinkWorker(
        ListSink(raising(SinkError("the disk is full"))), "list", RunStats(), live=live, required=required
    )
    sink_worker.put(scene(0))
    thread, raised = draining(sink_worker)
    thread.join(DEADLINE_S)
    assert [str(error) for error in raised] == ["the disk is full"]
    sink_worker.close()  # as the run does
    with pytest.raises(Closed):
        sink_worker.put(scene(1))


def test_sinks_are_required_by_default() -> None:
    sink_worker = SinkWorker(ListSink(raising(SinkError("the disk is full"))), "list", RunStats(), live=True)
    sink_worker.put(scene(0))
    thread, raised = draining(sink_worker)
    thread.join(DEADLINE_S)
    assert [str(error) for error in raised] == ["the disk is full"]


def test_a_bug_in_an_optional_sink_is_raised() -> None:
    sink_worker = SinkWorker(ListSink(raising(Boom("a mistake"))), "list", RunStats(), live=True, required=False)
    sink_worker.put(scene(0))
    thread, raised = draining(sink_worker)
    thread.join(DEADLINE_S)
    assert [str(error) for error in raised] == ["a mistake"]


def test_finish_waits_no_longer_than_its_deadline(caplog: pytest.LogCaptureFixture) -> None:
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


def test_close_discards_waiting_scenes() -> None:
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
def test_a_window_is_written_by_the_display_thread(live: bool) -> None:
    sink = MainThreadSink()
    sink_worker = SinkWorker(sink, "window", RunStats(), live=live)
    sink_worker.put(scene(0))
    assert sink.indexes == [0]
    assert sink.thread_names == {threading.current_thread().name}
    sink_worker.finish(0.0)


def test_the_failure_of_an_optional_window_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    failing: Callable[[object], None] = raising(SinkError("no display any more"))
    stats = RunStats()
    sink_worker = SinkWorker(MainThreadSink(failing), "window", stats, live=True, required=False)
    with caplog.at_level(logging.WARNING):
        for index in range(3):
            sink_worker.put(scene(index))
    assert caplog.messages == ["no display any more; the run goes on without it"]
    assert stats.counts["skipped", "window"] == 2


class Server(ListSink):
    """Skips scenes while its server is not connected."""

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
    """Each scene is written before the next one is queued."""
    for each in scenes:
        sink_worker.put(each)


def test_connection_and_skipped_scenes_are_counted() -> None:
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


def test_a_sink_without_a_connection_has_no_connection_figure() -> None:
    stats = RunStats()
    written(SinkWorker(MainThreadSink(), "window", stats, live=True), scene(0))
    assert ("sink_connected", "window") not in stats.gauges


@pytest.mark.parametrize(("live", "ages"), [(True, {"window": 2}), (False, {})])
def test_write_times_and_ages_of_frames_are_measured(
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


def test_the_queue_depth_is_measured() -> None:
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


def test_a_sink_that_waits_for_a_person_is_released() -> None:
    sink = Paused()
    SinkWorker(sink, "window", RunStats(), live=True).release()
    assert sink.released == 1
    SinkWorker(ListSink(), "list", RunStats()).release()  # a sink that never waits
