"""Events that last end with the run, however it ends, in outputs and for observers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from streamer.analytics.rules import Rules
from streamer.config.analytics import AnalyticsSettings
from streamer.config.output import OutputEntry
from streamer.errors import SourceLost
from streamer.features import SinkContext
from streamer.flow.observers import RunObserver
from streamer.interfaces import Scene
from streamer.pipeline import Pipeline
from streamer.sinks.text.events import EventsSink
from streamer.values.events import Event, EventPhase
from tests.pipeline.live_parts import Run, ScriptedCamera
from tests.pipeline.parts import Boom, CountingSource, ListSink, OneBox, raising
from tracking.iou import IouTracker

WHOLE = {"name": "all", "points": [[0, 0], [1, 0], [1, 1], [0, 1]], "enter_s": 0}


class Observer(RunObserver):
    """Keeps the events that it is told."""

    def __init__(self) -> None:
        self.shown: list[Event] = []
        self.ended: list[Event] = []
        self.stopped = False

    def stopping(self) -> None:
        self.stopped = True

    def scene_shown(self, scene: Scene) -> None:
        self.shown += scene.watched.events

    def events_ended(self, scene: Scene) -> None:
        self.ended += scene.watched.events


def rules() -> Rules:
    return Rules(AnalyticsSettings.model_validate({"zones": [WHOLE]}), "yard")


def run_with_sink(pipeline: Pipeline, sink: EventsSink) -> Run:
    """A run on a thread that also enters and leaves the sink, as a session does."""

    class Entered:
        def __iter__(self) -> object:
            with sink:
                yield from pipeline

    return Run(Entered())  # type: ignore[arg-type]


def sink_to(path: Path, camera: CountingSource) -> EventsSink:
    return EventsSink(OutputEntry(to=str(path), sink="events"), SinkContext(camera.info))


def phases(path: Path) -> list[tuple[str, str, int]]:
    events = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [(event["kind"], event["phase"], event["number"]) for event in events]


@pytest.mark.parametrize("end", ["complete", "interrupted", "lost"])
def test_a_track_that_is_inside_at_the_end_of_the_run_leaves(tmp_path: Path, end: str) -> None:
    camera, observer = ScriptedCamera(), Observer()
    sink = sink_to(tmp_path / "events.jsonl", camera)
    pipeline = Pipeline(
        camera, [OneBox()], IouTracker(), sinks=[sink], keep_all=[sink], observers=[observer], rules=rules()
    )
    run = run_with_sink(pipeline, sink)
    for shown in range(1, 8):
        camera.give()
        run.wait_for_shown(shown)
    if end == "interrupted":
        pipeline.stop()
    else:
        camera.end(SourceLost("the camera went away") if end == "lost" else None)
    run.join()
    assert observer.stopped == (end == "interrupted")
    assert [(event.kind, event.phase, event.number) for event in observer.ended] == [("leave", EventPhase.END, 1)]
    assert observer.ended[0].time_s == run.scenes[-1].frame.time_s
    assert phases(tmp_path / "events.jsonl") == [("enter", "start", 1), ("leave", "end", 1)]


def test_a_run_that_fails_ends_its_events_and_keeps_its_error() -> None:
    observer = Observer()
    pipeline = Pipeline(
        CountingSource(),
        [OneBox()],
        IouTracker(),
        sinks=[ListSink(lambda scene: raising(Boom("full"))(scene) if scene.frame.index == 20 else None)],
        observers=[observer],
        rules=rules(),
    )
    with pytest.raises(Boom):
        pipeline.run()
    assert [event.phase for event in (*observer.shown, *observer.ended)] == [EventPhase.START, EventPhase.END]


def test_a_run_without_open_events_has_no_end() -> None:
    observer = Observer()
    zone = {"name": "corner", "points": [[0.8, 0.8], [0.9, 0.8], [0.9, 0.9]]}
    idle = Rules(AnalyticsSettings.model_validate({"zones": [zone]}), "yard")
    Pipeline(CountingSource(), [OneBox()], IouTracker(), observers=[observer], rules=idle).run()
    assert observer.shown == observer.ended == []
