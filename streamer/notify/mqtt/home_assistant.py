"""What Home Assistant is told about the program and its cameras: MQTT device discovery.

One device for the program, one for each camera. Source: https://www.home-assistant.io/integrations/mqtt/#device-discovery-payload
and the pages of its sensor, binary_sensor, event and image platforms, read on 2026-11-26. Pure functions; any thread.

    <prefix>/device/<node>/<object id>/config        retained; empty removes the device
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from importlib import metadata
from typing import Any

from streamer.notify.mqtt.topics import Topics
from streamer.notify.payload import FILE
from streamer.notify.target import CameraCondition, CameraReadings
from streamer.values.events import EventKind, LineState, ZoneState

NAME = "Streamer"
_NOT_IN_AN_ID = re.compile(r"[^a-zA-Z0-9_-]")
_PROGRAM = "program"
WATCHING = (CameraCondition.RUNNING, CameraCondition.COVERED)
"""The rules of a camera have readings in these conditions."""
_LEVELS = (EventKind.ABOVE, EventKind.BELOW, EventKind.NORMAL)
_EVENT_TEMPLATE = (
    f"{{% if value_json.type != '{FILE}' %}}"
    "{{ dict(value_json.data, event_type=value_json.type, message_id=value_json.id) | to_json }}"
    "{% endif %}"
)
"""Home Assistant needs a flat object with `event_type`, whose other keys become attributes. It ignores an empty text:
messages about files would be further events, for what has happened once."""

Components = dict[str, dict[str, Any]]


def identifier(name: str) -> str:
    """A name as an id: letters, digits, - and _. Different names have different ids, which never change."""
    fitting = _NOT_IN_AN_ID.sub("_", name)
    if fitting == name:
        return name
    digest = hashlib.sha256(name.encode(errors="surrogateescape")).hexdigest()
    return f"{fitting}_{digest[:6]}"


class Discovery:
    """The discovery messages of one target.

    Args:
        topics: of the target.
        prefix: the discovery prefix.

    Attributes:
        begin: what the topics of all its messages begin with.
    """

    def __init__(self, topics: Topics, prefix: str) -> None:
        self._topics = topics
        self._node = identifier(topics.begin)
        self.begin = f"{prefix}/device/{self._node}"

    @property
    def filter(self) -> str:
        """The topics of all devices of this target."""
        return f"{self.begin}/+/config"

    def topic(self, camera: str) -> str:
        """The topic of the device of a camera."""
        return f"{self.begin}/{self._camera_id(camera)}/config"

    @property
    def program_topic(self) -> str:
        """The topic of the device of the program."""
        return f"{self.begin}/{_PROGRAM}/config"

    def program(self) -> bytes:
        """The device of the program."""
        status: dict[str, Any] = {
            "platform": "binary_sensor",
            "unique_id": f"{self._node}_status",
            "name": "Status",
            "device_class": "connectivity",
            "entity_category": "diagnostic",
            "state_topic": self._topics.status,
            "payload_on": "online",
            "payload_off": "offline",
        }
        device = {"identifiers": [self._node], "name": _titled(self._topics.begin), **_maker()}
        return _json({"device": device, "origin": _origin(), "components": {"status": status}})

    def camera(self, readings: CameraReadings, removed: Mapping[str, str]) -> bytes:
        """The device of a camera.

        Args:
            readings: its rules become entities.
            removed: platforms of entities that Home Assistant has, and that do not exist any more, by their id.
        """
        device = {
            "identifiers": [f"{self._node}_{self._camera_id(readings.camera)}"],
            "name": readings.camera,
            "via_device": self._node,
            **_maker(),
        }
        # An entity with nothing but its platform is removed.
        gone: Components = {name: {"platform": platform} for name, platform in removed.items()}
        components = gone | self.components(readings)
        return _json(
            {
                "device": device,
                "origin": _origin(),
                "availability": [{"topic": self._topics.status}],
                "components": components,
            }
        )

    def components(self, readings: CameraReadings) -> Components:
        """The entities of a camera by their id in its device."""
        camera = readings.camera
        found = self._of_camera(camera)
        for line in readings.watched.lines:
            found |= self._of_line(camera, line)
        for zone in readings.watched.zones:
            found |= self._of_zone(camera, zone)
        for count in readings.watched.counts:
            found |= self._of_count(camera, count.name)
        for one in readings.watched.presence:
            found |= self._of_presence(camera, one.name)
        begin = f"{self._node}_{self._camera_id(camera)}"
        for name, component in found.items():
            component["unique_id"] = f"{begin}_{name}"
        return found

    def _of_camera(self, camera: str) -> Components:
        last = self._topics.last_event(camera)
        return {
            "connection": {**self._condition(camera, "Connection", *WATCHING), "entity_category": "diagnostic"},
            "covered": self._condition(camera, "Covered", CameraCondition.COVERED) | {"device_class": "tamper"},
            "events": self._events("Events", camera, None, EventKind),
            "last_event": {
                "platform": "sensor",
                "name": "Last event",
                "icon": "mdi:history",
                "state_topic": last,
                "value_template": "{{ value_json.type }}",
                "json_attributes_topic": last,
                "json_attributes_template": "{{ value_json.data | to_json }}",
            },
            "snapshot": {
                "platform": "image",
                "name": "Last snapshot",
                "content_type": "image/jpeg",
                "image_topic": self._topics.snapshot(camera),
            },
        }

    def _condition(self, camera: str, name: str, *conditions: CameraCondition) -> dict[str, Any]:
        return {
            "platform": "binary_sensor",
            "name": name,
            "device_class": "connectivity",
            "state_topic": self._topics.state(camera),
            "value_template": f"{{{{ 'ON' if value in {_names(*conditions)} else 'OFF' }}}}",
        }

    def _of_line(self, camera: str, line: LineState) -> Components:
        topic, name = self._topics.rule(camera, "lines", line.name), identifier(line.name)
        counts = {
            f"{way}_{name}": {
                "platform": "sensor",
                "name": f"{line.name} {way}",
                "icon": icon,
                "state_class": "total_increasing",
                "state_topic": topic,
                "value_template": f"{{{{ value_json['{way}'] }}}}",
            }
            for way, icon in (("in", "mdi:arrow-right-bold"), ("out", "mdi:arrow-left-bold"))
        }
        return counts | {f"line_{name}": self._events(line.name, camera, line.name, [EventKind.CROSSING])}

    def _of_zone(self, camera: str, zone: ZoneState) -> Components:
        name, kinds = identifier(zone.name), (EventKind.ENTER, EventKind.DWELL, EventKind.LEAVE, *_LEVELS)
        state = self._momentary(camera, "zones", zone.name)
        return {
            f"objects_{name}": _number(f"{zone.name} objects", "inside") | state,
            f"occupancy_{name}": _occupancy(f"{zone.name} occupancy", "value_json.inside > 0") | state,
            f"zone_{name}": self._events(zone.name, camera, zone.name, kinds),
        }

    def _of_count(self, camera: str, name: str) -> Components:
        state = self._momentary(camera, "counts", name)
        return {
            f"number_{identifier(name)}": _number(f"{name} objects", "number") | state,
            f"count_{identifier(name)}": self._events(name, camera, name, _LEVELS),
        }

    def _of_presence(self, camera: str, name: str) -> Components:
        state = self._momentary(camera, "presence", name)
        return {
            f"present_{identifier(name)}": _occupancy(f"{name} presence", "value_json.present") | state,
            f"presence_{identifier(name)}": self._events(name, camera, name, (EventKind.APPEAR, EventKind.DISAPPEAR)),
        }

    def _momentary(self, camera: str, group: str, name: str) -> dict[str, Any]:
        """The topic of what is true only while the camera runs: nobody knows who is there while it is lost."""
        watching = f"{{{{ 'online' if value in {_names(*WATCHING)} else 'offline' }}}}"
        return {
            "availability": [
                {"topic": self._topics.status},
                {"topic": self._topics.state(camera), "value_template": watching},
            ],
            "availability_mode": "all",
            "state_topic": self._topics.rule(camera, group, name),
        }

    def _events(self, name: str, camera: str, rule: str | None, kinds: Iterable[EventKind]) -> dict[str, Any]:
        return {
            "platform": "event",
            "name": name,
            "icon": "mdi:motion-sensor",
            "state_topic": self._topics.events_of(camera, rule),
            "event_types": [kind.value for kind in kinds],
            "value_template": _EVENT_TEMPLATE,
        }

    def _camera_id(self, camera: str) -> str:
        return f"camera_{identifier(camera)}"


def platforms(payload: bytes) -> dict[str, str]:
    """The platforms of the entities of a discovery message by their id; empty if it is none."""
    try:
        components = json.loads(payload)["components"]
        return {name: one["platform"] for name, one in components.items() if len(one) > 1}
    except (ValueError, TypeError, KeyError, AttributeError):
        return {}


def topics_of(payload: bytes) -> set[str]:
    """The topics without wildcards in a discovery message."""
    try:
        components = json.loads(payload)["components"].values()
        found = {value for one in components for key, value in one.items() if key.endswith("topic")}
        return {topic for topic in found if isinstance(topic, str) and "+" not in topic}
    except (ValueError, TypeError, KeyError, AttributeError):
        return set()


def _number(name: str, key: str) -> dict[str, Any]:
    return {
        "platform": "sensor",
        "name": name,
        "icon": "mdi:counter",
        "state_class": "measurement",
        "value_template": f"{{{{ value_json.{key} }}}}",
    }


def _occupancy(name: str, condition: str) -> dict[str, Any]:
    return {
        "platform": "binary_sensor",
        "name": name,
        "device_class": "occupancy",
        "value_template": f"{{{{ 'ON' if {condition} else 'OFF' }}}}",
    }


def _names(*conditions: CameraCondition) -> str:
    return str([condition.value for condition in conditions])


def _titled(begin: str) -> str:
    return NAME if begin == NAME.lower() else f"{NAME} {begin}"


def _maker() -> dict[str, str]:
    return {"manufacturer": NAME, "sw_version": _version()}


def _origin() -> dict[str, str]:
    return {"name": NAME, "sw_version": _version()}


def _version() -> str:
    try:
        return metadata.version("streamer-video")
    except metadata.PackageNotFoundError:  # run from a checkout
        return "unknown"


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")
