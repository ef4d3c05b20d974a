"""Events without a number are not stored: a loss of the camera, which was stored when it happened."""

from __future__ import annotations

from pathlib import Path

from streamer.config.events import StoreSettings
from streamer.config.notify import NotifySettings
from streamer.config.settings import Settings
from streamer.events.service import EventService
from streamer.flow.stats import RunStats
from streamer.values.events import Event, EventKind, EventPhase, Watched
from tests.render.scenes import noise, scene, tracks
from tests.sinks.scenes import info


def test_a_loss_that_is_found_with_the_next_frame_is_not_stored_again(tmp_path: Path) -> None:
    off = {"clip": {"enabled": False}, "snapshot": {"enabled": False}}
    lost = Event("camera", EventKind.CAMERA_LOST, 0, "", 1.0, "gate", phase=EventPhase.START)
    back = Event("camera", EventKind.CAMERA_BACK, 0, "", 20.0, "gate", phase=EventPhase.END)
    moved = Event("camera", EventKind.CAMERA_MOVED, 0, "", 20.0, "gate", number=1)
    with EventService(StoreSettings(folder=tmp_path), NotifySettings()) as service:
        camera = service.camera("gate", Settings.model_validate({"events": off}))
        with camera.recorder(RunStats()) as recorder:
            recorder.source_opened(info(size=(64, 48)), live=True)
            recorder.scene_shown(scene(noise(64, 48), tracks([]), watched=Watched((lost, back, moved))))
        camera.close()
    with EventService(StoreSettings(folder=tmp_path), NotifySettings()) as service:
        assert [record.kind for record in service.store.find()] == [EventKind.CAMERA_MOVED]
