"""The event of a lost camera has the last picture before the loss."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np

from streamer.config.events import StoreSettings
from streamer.config.notify import NotifySettings
from streamer.config.settings import Settings
from streamer.events.service import EventService
from streamer.flow.stats import RunStats
from streamer.store.records import EventRecord
from streamer.values.events import EventKind
from tests.render.scenes import painted, scene, tracks
from tests.sinks.scenes import info

DEADLINE_S = 60.0


def test_a_lost_camera_has_its_last_picture(tmp_path: Path) -> None:
    settings = Settings.model_validate({"analytics": {"camera": {"lost_s": 0}}, "events": {"clip": {"enabled": False}}})
    changed = threading.Condition()

    def wake(_: Sequence[str]) -> None:
        with changed:
            changed.notify_all()

    with EventService(StoreSettings(folder=tmp_path), NotifySettings()) as service:
        service.store.on_commit(wake)
        camera = service.camera("gate", settings)
        with camera.recorder(RunStats()) as recorder:
            recorder.source_opened(info(size=(64, 48)), live=True)
            for grey in (40, 200):
                recorder.scene_shown(scene(painted(np.full((48, 64, 3), grey, np.uint8)), tracks([])))
        camera.source_changed("gate: connection refused", time.monotonic())

        def found() -> EventRecord | None:
            [*records] = service.store.find()
            return records[0] if records and records[0].snapshot else None

        with changed:
            record = changed.wait_for(found, DEADLINE_S)
        assert record is not None
        camera.close()
    assert record.kind is EventKind.CAMERA_LOST
    with av.open(str(tmp_path / record.snapshot)) as read:
        picture = next(read.decode(video=0)).to_ndarray(format="gray")
    assert abs(float(picture.mean()) - 200) < 6
