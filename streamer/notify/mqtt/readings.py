"""The newest readings of cameras as retained messages, and the discovery messages that belong to them.

Any thread; a lock guards what is remembered. Nothing here waits.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Collection

from streamer.notify.mqtt.home_assistant import Discovery, platforms, topics_of
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
        self._names: Collection[str] | None = None  # of all cameras; None: unknown
        # By the topic of a device: the platforms of all entities that Home Assistant may have, and their topics.
        self._entities: dict[str, dict[str, str]] = {}
        self._topics_of: dict[str, set[str]] = {}

    def program(self) -> Retained:
        """What belongs to no camera."""
        return {} if self._discovery is None else {self._discovery.program_topic: self._discovery.program()}

    def update(self, readings: CameraReadings) -> Retained:
        """The newest readings of a camera. Those of its former lines and zones are taken back."""
        with self._lock:
            before = self._cameras.get(readings.camera)
            self._cameras[readings.camera] = readings
            values = self._values(readings)
            if before is None or _rules(before) != _rules(readings):
                gone = {} if before is None else dict.fromkeys(self._values(before), b"")
                values = gone | values | self._device(readings)
            return values

    def keep_only(self, cameras: Collection[str]) -> Retained:
        """The names of all cameras: what the broker has of others is taken back, now and when it is found later."""
        with self._lock:
            self._names = frozenset(cameras)
            found: Retained = {}
            for name in [*self._cameras]:
                if name not in self._names:
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
                    return self._device(readings)
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
        return {topic: self._discovery.camera(readings, removed)}

    def _values(self, readings: CameraReadings) -> Retained:
        camera, watched = readings.camera, readings.watched
        found = {self._topics.state(camera): readings.condition.value.encode()}
        for line in watched.lines:
            found[self._topics.line(camera, line.name)] = _json({"in": line.entered, "out": line.left})
        for zone in watched.zones:
            found[self._topics.zone(camera, zone.name)] = _json({"inside": zone.inside, "entered": zone.entered})
        return found


def _rules(readings: CameraReadings) -> tuple[tuple[str, ...], tuple[str, ...]]:
    watched = readings.watched
    return tuple(line.name for line in watched.lines), tuple(zone.name for zone in watched.zones)


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
