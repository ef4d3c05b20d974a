"""Annotated clips that a program has not made are made by the next one."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from streamer.clips.annotated import clips
from streamer.clips.event_files import BOXES, CLIP, event_file
from streamer.config.events import StoreSettings
from streamer.config.notify import NotifySettings
from streamer.config.settings import Settings
from streamer.events.service import EventService
from streamer.store.records import EventRecord
from streamer.values.events import EventPhase
from tests.notify.messages import record


def test_annotated_clips_of_the_program_before_are_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clips, "COMMAND", ["sh", "-c", "echo > $3", "render"])
    settings = Settings.model_validate({"events": {"clip": {"annotated": True}}})
    without, before, made, other = (record(camera=name) for name in ("gate", "gate", "gate", "yard"))
    with EventService(StoreSettings(folder=tmp_path, keep_days=None), NotifySettings()) as service:
        for one in (without, before, made, other):
            service.store.save(one, EventPhase.MOMENT)
        for one in (before, made, other):
            clip = event_file(one.camera, one.id, CLIP)
            (tmp_path / clip).parent.mkdir(parents=True, exist_ok=True)
            service.store.attach(one.id, clip=clip, boxes=event_file(one.camera, one.id, BOXES))
        service.store.attach(made.id, annotated="made.mp4")
    with EventService(StoreSettings(folder=tmp_path, keep_days=None), NotifySettings()) as service:
        camera = service.camera("gate", settings)
        camera.finish_clips(threading.Event())
        service.store.flush()

        def stored(event: EventRecord) -> str:
            found = service.store.get(event.id)
            assert found is not None
            return found.annotated

        assert stored(before).endswith(f"{before.id}-annotated.mp4")
        assert [stored(one) for one in (without, made, other)] == ["", "made.mp4", ""]
        camera.close()
