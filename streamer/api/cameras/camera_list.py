"""What the cameras of a site do, as the API tells it. Any thread; it reads the store and the settings file."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from streamer.api.cameras.models import Camera, Frames, LastEvent
from streamer.config.camera import CameraSettings
from streamer.flow.stats import RunStats
from streamer.serve.site import Site
from streamer.serve.status import CameraState, CameraStatus
from streamer.store.event_json import time_text
from streamer.store.event_store import EventStore
from streamer.store.records import EventFilter
from streamer.system.paths import encodable
from streamer.system.secrets import SECRETS, redacted
from streamer.values.states import FrameState


class CameraList:
    """The cameras of a site.

    Args:
        site: the site.
    """

    def __init__(self, site: Site) -> None:
        self._site = site
        self._events = LastEvents()

    def now(self) -> list[Camera]:
        """All cameras, in the order of the settings."""
        begun = {one.name: one for one in self._site.cameras()}
        cameras = [begun.get(name) or _not_begun(name, one) for name, one in self._site.settings.cameras.items()]
        service = self._site.events
        events = {} if service is None else self._events.of(service.store, [one.name for one in cameras])
        return [self._camera(one, events.get(one.name)) for one in cameras]

    def _camera(self, camera: CameraStatus, event: LastEvent | None) -> Camera:
        ledger, rates = camera.stats.ledger, self._site.rates.latest.get(camera.name)
        if not camera.is_connected:
            rates = None
        width, height = camera.frame_size or (None, None)
        return Camera(
            name=camera.name,
            source=encodable(SECRETS.hide(camera.source)),
            state=camera.shown_state,
            state_s=round(camera.state_s, 1),
            reason=_reason(camera),
            fps=None if rates is None else round(rates.shown_fps, 2),
            detected_fps=None if rates is None else round(rates.detected_fps, 2),
            age_s=_rounded(None if rates is None else rates.age_s),
            last_frame_age_s=_rounded(camera.last_frame_age_s),
            width=width,
            height=height,
            detector=None if camera.detector is None else camera.detector.name,
            frames=Frames(
                entered=ledger.entered,
                shown=camera.stats.shown,
                detected=ledger.count(FrameState.DETECTED),
                dropped=ledger.count(FrameState.DROPPED),
                corrupt=ledger.count(FrameState.CORRUPT),
            ),
            restarts=camera.restarts,
            last_event=event,
        )


class LastEvents:
    """The newest event of each camera; the store is read again only after a change."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards all below
        self._store: EventStore | None = None
        self._changes = 0
        self._events: dict[str, LastEvent | None] = {}

    def of(self, store: EventStore, cameras: Sequence[str]) -> dict[str, LastEvent | None]:
        """By the name of the camera."""
        with self._lock:
            if store is not self._store:
                self._store = store
                store.on_commit(self._forget)
            found, changes = dict(self._events), self._changes
        for name in cameras:
            if name not in found:
                found[name] = _newest(store, name)
        with self._lock:
            if changes == self._changes:
                self._events = found
        return found

    def _forget(self, _: Sequence[str]) -> None:
        with self._lock:
            self._changes += 1
            self._events = {}


def _not_begun(name: str, settings: CameraSettings) -> CameraStatus:
    """A camera before the site has started it."""
    source = redacted(settings.source.uri or "")
    return CameraStatus(name, source, CameraState.STARTING, RunStats(name), since_s=time.monotonic())


def _newest(store: EventStore, camera: str) -> LastEvent | None:
    for record in store.find(EventFilter(cameras=(camera,)), limit=1):
        start = time_text(record.start_time) or ""
        return LastEvent(id=record.id, kind=record.kind.value, label=encodable(record.label), start_time=start)
    return None


def _reason(camera: CameraStatus) -> str:
    """Why it shows no frames although it should, without its state and its address."""
    state = camera.shown_state
    fault = "" if camera.fault == state else camera.fault.removeprefix(f"{state}: ")
    return str(encodable(SECRETS.hide(fault.removeprefix(f"{camera.source}: "))))


def _rounded(duration_s: float | None) -> float | None:
    return None if duration_s is None else round(duration_s, 3)
