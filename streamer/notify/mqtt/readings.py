"""The newest readings of cameras as retained messages, and the discovery messages that belong to them.

Any thread; a lock guards what is remembered. Nothing here waits.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import Any

from streamer.notify.mqtt.home_assistant import WATCHING, Discovery, platforms, topics_of
from streamer.notify.mqtt.topics import Topics
from streamer.notify.target import CameraReadings

Retained = dict[str, bytes]
"""Payloads by topic; an empty one deletes."""


class Readings:
    """What is retained for cameras.

    Args:
        topics: of the target.
        discovery: None without Home Assistant.
    """

    def __init__(self, topics: Topics, discovery: Discovery | None) -> None:
        self._topics, self._discovery = topics, discovery
        self._lock = threading.Lock()
        self._cameras: dict[str, CameraReadings] = {}
        self._begun: set[str] = set()  # cameras whose rules are known, because they have run
        self._names: Collection[str] | None = None  # of all cameras; None: unknown
        # By the topic of a device: the platforms of all entities that Home Assistant may have, and their topics.
        self._entities: dict[str, dict[str, str]] = {}
        self._topics_of: dict[str, set[str]] = {}

    def program(self) -> Retained:
        """What belongs to no camera."""
        return {} if self._discovery is None else {self._discovery.program_topic: self._discovery.program()}

    def update(self, readings: CameraReadings) -> Retained:
        """The newest readings of a camera. Those of its former rules are taken back."""
        with self._lock:
            if self._names is not None and readings.camera not in self._names:
                return {}  # of a camera that was removed, and ends late
            before = self._cameras.get(readings.camera)
            if readings.condition not in WATCHING and before is not None and not _rules(readings):
                # A camera that starts again has no readings of rules yet, and keeps those that it had.
                readings = replace(readings, watched=before.watched)
            self._cameras[readings.camera] = readings
            values = self._values(readings)
            is_new = readings.condition in WATCHING and readings.camera not in self._begun
            if is_new or before is None or _rules(before) != _rules(readings):
                gone = {} if before is None else dict.fromkeys(self._values(before), b"")
                values = gone | values
                if readings.condition in WATCHING:
                    self._begun.add(readings.camera)
                    values |= self._device(readings)
            return values

    def keep_only(self, cameras: Collection[str]) -> Retained:
        """The names of all cameras: what the broker has of others is taken back, now and when it is found later."""
        with self._lock:
            self._names = frozenset(cameras)
            found: Retained = {}
            for name in [*self._cameras]:
                if name not in self._names:
                    self._begun.discard(name)
                    found |= dict.fromkeys(self._values(self._cameras.pop(name)), b"")
                    found |= {self._topics.last_event(name): b"", self._topics.snapshot(name): b""}
            for topic in [*self._entities]:
                found |= self._taken_back(topic)
            return found

    def has(self, camera: str) -> bool:
        """Whether a camera exists, as far as it is known."""
        with self._lock:
            return self._names is None or camera in self._names

    def announced(self, topic: str, payload: bytes) -> Retained:
        """The broker has a discovery message of this target, perhaps of an earlier run: what corrects it."""
        if self._discovery is None or topic == self._discovery.program_topic or not payload:
            return {}
        with self._lock:
            self._entities[topic] = platforms(payload) | self._entities.get(topic, {})
            self._topics_of.setdefault(topic, set()).update(
                one for one in topics_of(payload) if one.startswith(f"{self._topics.begin}/cameras/")
            )
            for camera, readings in self._cameras.items():
                if self._discovery.topic(camera) == topic:
                    return self._device(readings) if camera in self._begun else {}
            return self._taken_back(topic)

    def _taken_back(self, topic: str) -> Retained:
        """A device is removed if it is of none of the cameras."""
        if self._discovery is None or self._names is None or topic in map(self._discovery.topic, self._names):
            return {}
        del self._entities[topic]
        return dict.fromkeys((topic, *self._topics_of.pop(topic, ())), b"")

    def _device(self, readings: CameraReadings) -> Retained:
        if self._discovery is None:
            return {}
        topic = self._discovery.topic(readings.camera)
        components = self._discovery.components(readings)
        known = self._entities.get(topic, {})
        removed = {name: platform for name, platform in known.items() if name not in components}
        self._entities[topic] = known | {name: one["platform"] for name, one in components.items()}
        device = self._discovery.camera(readings, removed)
        former = self._topics_of.pop(topic, set()) - topics_of(device)  # readings of rules of an earlier run
        return {topic: device, **dict.fromkeys(former, b"")}

    def _values(self, readings: CameraReadings) -> Retained:
        found = {self._topics.state(readings.camera): readings.condition.value.encode()}
        for group, name, value in _of_rules(readings):
            topic = self._topics.rule(readings.camera, group, name)
            found[topic] = json.dumps(value, separators=(",", ":")).encode()
        return found


def _of_rules(readings: CameraReadings) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """The reading of each rule: its section in the settings, its name, its value."""
    watched = readings.watched
    for line in watched.lines:
        yield "lines", line.name, {"in": line.entered, "out": line.left}
    for zone in watched.zones:
        yield "zones", zone.name, {"inside": zone.inside, "entered": zone.entered, "level": zone.level}
    for count in watched.counts:
        yield "counts", count.name, {"number": count.number, "level": count.level}
    for one in watched.presence:
        yield "presence", one.name, {"present": one.present}


def _rules(readings: CameraReadings) -> list[tuple[str, str]]:
    return [(group, name) for group, name, _ in _of_rules(readings)]
