"""Targets, readings and messages of the tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from streamer.config.section import validated
from streamer.notify.mqtt.settings import MqttSettings
from streamer.notify.mqtt.target import MqttTarget
from streamer.notify.payload import payload_of
from streamer.notify.target import CameraCondition, CameraReadings, Message, TargetContext
from streamer.store.records import EventRecord
from streamer.values.events import CountState, EventKind, EventPhase, LineState, PresenceState, Watched, ZoneState

PATH = "notify.targets.home"
CORNERS = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0))


def settings(url: str, **values: Any) -> MqttSettings:
    """Settings of a target at a broker."""
    return validated(MqttSettings, {"type": "mqtt", "url": url, **values}, PATH)


@contextmanager
def target_at(url: str, *, shows_readings: bool = True, **values: Any) -> Iterator[MqttTarget]:
    """A target, closed at the end."""
    context = TargetContext(PATH, shows_readings=shows_readings)
    target = MqttTarget.from_settings("home", settings(url, **values), context)
    try:
        yield target
    finally:
        target.cancel()
        target.close()


def readings(
    camera: str = "gate",
    *,
    condition: CameraCondition = CameraCondition.RUNNING,
    lines: dict[str, tuple[int, int]] | None = None,
    zones: dict[str, tuple[int, int]] | None = None,
    counts: dict[str, int] | None = None,
    presence: dict[str, bool] | None = None,
) -> CameraReadings:
    """Readings with lines (in, out), zones (inside, entered), numbers of objects, and whether one is present."""
    watched = Watched(
        lines=tuple(LineState(name, CORNERS[:2], *counts) for name, counts in (lines or {}).items()),
        zones=tuple(ZoneState(name, CORNERS, *counts) for name, counts in (zones or {}).items()),
        counts=tuple(CountState(name, number) for name, number in (counts or {}).items()),
        presence=tuple(PresenceState(name, present) for name, present in (presence or {}).items()),
    )
    return CameraReadings(camera, condition, watched)


def message(
    number: int = 1,
    *,
    camera: str = "gate",
    rule: str = "driveway",
    kind: EventKind = EventKind.CROSSING,
    phase: EventPhase | None = EventPhase.MOMENT,
    snapshot: Path | None = None,
) -> Message:
    """A message about an event of a person."""
    event = EventRecord(
        id=f"01JDABCDEFGHJKMNPQRSTV{number:04}",
        camera=camera,
        rule=rule,
        kind=kind,
        start_time=1_795_733_281.0 + number,
        start_s=float(number),
        track=number,
        label="Person",
        direction="in" if kind is EventKind.CROSSING else "",
        score=0.8,
    )
    key = f"{event.id}-{event.revision}"
    files = ("snapshot",) if phase is None else ()
    return Message(event, phase, key, payload_of(event, phase, key, files), snapshot=snapshot)
