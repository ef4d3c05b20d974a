"""A sink of events misses none of them, also when the run fails."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from streamer.flow.queues import Closed
from streamer.flow.sink_worker import SinkWorker
from streamer.flow.stats import RunStats
from streamer.interfaces import Scene
from streamer.values.events import Event, EventKind, Watched
from tests.flow.test_sink_worker import scene
from tests.pipeline.parts import Boom, ListSink, raising


class EventListSink(ListSink):
    """Keeps the indexes of scenes with final events apart."""

    def __init__(self, before: Callable[[Scene], None] = lambda _: None) -> None:
        super().__init__(before)
        self.final: list[int] = []

    def write_end(self, scene: Scene) -> None:
        self.final.append(scene.frame.index)


def with_event(index: int) -> Scene:
    return replace(scene(index), watched=Watched((Event("gate", EventKind.CROSSING, 1, "Car", 0.0, "front"),)))


def test_a_sink_of_events_gets_those_that_waited_when_the_run_failed() -> None:
    sink = EventListSink()
    sink_worker = SinkWorker(sink, "events", RunStats(), live=True, keep_all=True)
    for one in (scene(0), with_event(1), scene(2), with_event(3)):
        sink_worker.put(one)
    sink_worker.close()
    with pytest.raises(Closed):
        sink_worker.drain()
    sink_worker.write_end(with_event(4))
    sink_worker.write_end(None)
    assert (sink.indexes, sink.final) == ([1, 3], [4])


def test_a_sink_of_events_that_failed_gets_no_more() -> None:
    sink = EventListSink(raising(Boom("a bug")))
    sink_worker = SinkWorker(sink, "events", RunStats())
    sink_worker.put(with_event(0))
    with pytest.raises(Boom):
        sink_worker.drain()
    sink_worker.write_end(with_event(1))
    assert sink.final == []
