"""What the recorder of a run stores of its events."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from streamer.config.events import StoreSettings
from streamer.config.notify import NotifySettings
from streamer.config.settings import Settings
from streamer.errors import SourceUnavailable
from streamer.events.recorder import EventRecorder
from streamer.events.service import EventService
from streamer.flow.stats import RunStats
from streamer.interfaces import Scene
from streamer.store.records import Ending, EventRecord
from streamer.values.events import Event, EventKind, EventPhase, Watched
from tests.render.scenes import painted, scene, tracks
from tests.sinks.scenes import info

GREY = painted(np.full((48, 64, 3), 90, np.uint8))
SETTINGS = Settings.model_validate(
    {
        "analytics": {"camera": {"lost_s": 0}},
        "events": {"clip": {"enabled": False}, "snapshot": {"enabled": False}},
    }
)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[EventService]:
    with EventService(StoreSettings(folder=tmp_path), NotifySettings()) as service:
        yield service


def stored(service: EventService) -> list[EventRecord]:
    """All events, oldest first."""
    assert service.store.flush()
    return service.store.find(newest_first=False)


def crowd(kind: EventKind, phase: EventPhase, time_s: float, value: int) -> Event:
    return Event("crowd", kind, 0, "", time_s, "of the source", phase=phase, number=1, value=value)


def shown(event: Event, *, arrived: float | None = None) -> Scene:
    one = scene(GREY, tracks([]), time_s=event.time_s)
    return replace(one, frame=replace(one.frame, arrival_wall_clock_s=arrived), watched=Watched((event,)))


def opened(recorder: EventRecorder) -> EventRecorder:
    recorder.source_opened(info(size=(64, 48)), live=True)
    return recorder


def test_the_value_of_an_event_is_its_extreme(service: EventService) -> None:
    with opened(service.camera("gate", SETTINGS).recorder(RunStats())) as recorder:
        for kind, phase, value in (
            (EventKind.ABOVE, EventPhase.START, 4),
            (EventKind.ABOVE, EventPhase.UPDATE, 7),
            (EventKind.NORMAL, EventPhase.END, 1),
        ):
            recorder.scene_shown(shown(crowd(kind, phase, 1.0, value)))
    (event,) = stored(service)
    assert (event.kind, event.value, event.revision, event.ending) == (EventKind.ABOVE, 7, 3, Ending.RULE)


def test_an_event_has_the_name_of_its_camera(service: EventService) -> None:
    with opened(service.camera("gate", SETTINGS).recorder(RunStats())) as recorder:
        recorder.scene_shown(shown(crowd(EventKind.ABOVE, EventPhase.START, 1.0, 4)))
    assert [event.camera for event in stored(service)] == ["gate"]


def test_a_clock_that_is_set_back_does_not_change_how_long_an_event_lasted(service: EventService) -> None:
    with opened(service.camera("gate", SETTINGS).recorder(RunStats())) as recorder:
        recorder.scene_shown(shown(crowd(EventKind.ABOVE, EventPhase.START, 10.0, 4), arrived=1.8e9))
        recorder.scene_shown(shown(crowd(EventKind.NORMAL, EventPhase.END, 70.0, 0), arrived=1.8e9 - 3600))
    (event,) = stored(service)
    assert (event.start_time, event.end_time) == (1.8e9, 1.8e9 + 60)


def test_the_end_of_a_run_ends_its_events(service: EventService) -> None:
    with opened(service.camera("gate", SETTINGS).recorder(RunStats())) as recorder:
        recorder.scene_shown(shown(crowd(EventKind.ABOVE, EventPhase.START, 1.0, 4)))
        recorder.events_ended(shown(crowd(EventKind.NORMAL, EventPhase.END, 3.0, 4)))
    (event,) = stored(service)
    assert (event.ending, event.end_s) == (Ending.RUN, 3.0)


def test_a_file_that_can_be_opened_again_is_not_lost_any_more(service: EventService) -> None:
    saved, camera = threading.Event(), service.camera("gate", SETTINGS)
    service.store.on_commit(lambda _: saved.set())
    for _ in range(2):
        with pytest.raises(SourceUnavailable), camera.recorder(RunStats()):
            raise SourceUnavailable("clip.mp4: no such file")
    assert saved.wait(60)
    with camera.recorder(RunStats()) as recorder:
        recorder.source_opened(info(size=(64, 48)), live=False)
    (event,) = stored(service)
    assert (event.kind, event.text) == (EventKind.CAMERA_LOST, "clip.mp4: no such file")
    assert (event.ending, event.revision) == (Ending.RULE, 2)


def test_a_run_whose_source_is_never_opened_stores_nothing(service: EventService) -> None:
    camera = service.camera("gate", Settings())
    with pytest.raises(RuntimeError), camera.recorder(RunStats()):
        raise RuntimeError("the model cannot be loaded")
    camera.close()
    assert stored(service) == []
