"""What Home Assistant accepts as MQTT device discovery, as a JSON schema, and its templates.

Written on 2026-11-26 from the documentation: https://www.home-assistant.io/integrations/mqtt/ (device discovery
payload, discovery topic, availability) and the pages of the platforms, such as
https://www.home-assistant.io/integrations/sensor.mqtt/. Keys are the full ones; it also knows abbreviations. It drops
unknown keys without a word, so they are refused here.
"""

from __future__ import annotations

import json
import re
from typing import Any

import jinja2
import jsonschema

TOPIC = re.compile(r"homeassistant/device/(?:[a-zA-Z0-9_-]+/)?[a-zA-Z0-9_-]+/config")
"""`<discovery_prefix>/device/[<node_id>/]<object_id>/config`."""

_TEXT = {"type": "string", "minLength": 1}
_TEMPLATE = {"type": "string", "pattern": r"\{\{.*\}\}"}
# A filter: + and # stand for whole levels, # for the last one only.
_TOPIC = {"type": "string", "pattern": r"^(?:[^+#\u0000]+|\+)(?:/(?:[^/+#\u0000]*|\+))*(?:/#)?$", "maxLength": 65535}
_AVAILABILITY = {
    "availability": {
        "type": "array",
        "items": {
            "type": "object",
            "properties": {
                "topic": _TOPIC,
                "payload_available": _TEXT,
                "payload_not_available": _TEXT,
                "value_template": _TEMPLATE,
            },
            "required": ["topic"],
            "additionalProperties": False,
        },
    },
    "availability_mode": {"enum": ["all", "any", "latest"]},
    "availability_topic": _TOPIC,
    "availability_template": _TEMPLATE,
    "payload_available": _TEXT,
    "payload_not_available": _TEXT,
}
_ENTITY = {
    **_AVAILABILITY,
    "unique_id": _TEXT,
    "name": {"type": ["string", "null"]},
    "default_entity_id": _TEXT,
    "enabled_by_default": {"type": "boolean"},
    "encoding": {"type": "string"},
    "entity_category": {"const": "diagnostic"},  # `config` is for entities that can be changed
    "entity_picture": _TEXT,
    "icon": {"type": "string", "pattern": "^mdi:[a-z0-9-]+$"},
    "json_attributes_topic": _TOPIC,
    "json_attributes_template": _TEMPLATE,
    "qos": {"enum": [0, 1, 2]},
}
_BINARY_SENSOR_CLASSES = (
    "battery battery_charging carbon_monoxide cold connectivity door garage_door gas heat light lock moisture motion "
    "moving occupancy opening plug power presence problem running safety smoke sound tamper update vibration window"
)


def _platform(name: str, required: list[str], **own: Any) -> dict[str, Any]:
    return {
        "properties": {"platform": {"const": name}, **_ENTITY, **own},
        "required": ["platform", "unique_id", *required],
        "additionalProperties": False,
    }


_SENSOR = _platform(
    "sensor",
    ["state_topic"],
    state_topic=_TOPIC,
    value_template=_TEMPLATE,
    device_class={"type": ["string", "null"]},
    state_class={"enum": ["measurement", "measurement_angle", "total", "total_increasing"]},
    unit_of_measurement=_TEXT,
    suggested_display_precision={"type": "integer", "minimum": 0},
    expire_after={"type": "integer", "minimum": 0},
    force_update={"type": "boolean"},
    last_reset_value_template=_TEMPLATE,
    options={"type": "array", "items": _TEXT},
)
_BINARY_SENSOR = _platform(
    "binary_sensor",
    ["state_topic"],
    state_topic=_TOPIC,
    value_template=_TEMPLATE,
    device_class={"enum": _BINARY_SENSOR_CLASSES.split()},
    payload_on=_TEXT,
    payload_off=_TEXT,
    off_delay={"type": "integer", "minimum": 0},
    expire_after={"type": "integer", "minimum": 0},
    force_update={"type": "boolean"},
)
_EVENT = _platform(
    "event",
    ["state_topic", "event_types"],
    state_topic=_TOPIC,
    value_template=_TEMPLATE,
    device_class={"enum": ["button", "doorbell", "motion"]},
    event_types={"type": "array", "items": _TEXT, "minItems": 1, "uniqueItems": True},
)
_IMAGE = _platform(
    "image",
    ["image_topic"],
    image_topic=_TOPIC,
    content_type={"type": "string", "pattern": "^image/"},
    image_encoding={"const": "b64"},
)
_REMOVED = {
    "properties": {"platform": {"enum": ["sensor", "binary_sensor", "event", "image"]}},
    "required": ["platform"],
    "additionalProperties": False,
}
"""A component that has nothing but its platform is removed."""
_DEVICE = {
    "type": "object",
    "properties": {
        "identifiers": {"type": ["array", "string"], "items": _TEXT, "minItems": 1},
        "connections": {"type": "array"},
        "name": _TEXT,
        "manufacturer": _TEXT,
        "model": _TEXT,
        "model_id": _TEXT,
        "serial_number": _TEXT,
        "hw_version": _TEXT,
        "sw_version": _TEXT,
        "suggested_area": _TEXT,
        "configuration_url": {"type": "string", "pattern": "^(https?|homeassistant)://"},
        "via_device": _TEXT,
    },
    "anyOf": [{"required": ["identifiers"]}, {"required": ["connections"]}],
    "additionalProperties": False,
}
_ORIGIN = {
    "type": "object",
    "properties": {
        "name": _TEXT,
        "sw_version": _TEXT,
        "support_url": {"type": "string", "pattern": "^https?://"},
    },
    "required": ["name"],
    "additionalProperties": False,
}
SCHEMA = {
    "type": "object",
    "properties": {
        "device": _DEVICE,
        "origin": _ORIGIN,
        "components": {
            "type": "object",
            "propertyNames": {"pattern": "^[a-zA-Z0-9_-]+$"},
            "additionalProperties": {"oneOf": [_SENSOR, _BINARY_SENSOR, _EVENT, _IMAGE, _REMOVED]},
            "minProperties": 1,
        },
        **_AVAILABILITY,
        "state_topic": _TOPIC,
        "command_topic": _TOPIC,
        "qos": {"enum": [0, 1, 2]},
        "encoding": {"type": "string"},
    },
    "required": ["device", "origin", "components"],
    "additionalProperties": False,
}


def checked(topic: str, payload: bytes) -> dict[str, Any]:
    """A discovery message as JSON, after it was compared with the documentation."""
    assert TOPIC.fullmatch(topic), topic
    device: dict[str, Any] = json.loads(payload)
    jsonschema.validate(device, SCHEMA)
    return device


def rendered(template: str, payload: bytes) -> str:
    """The result of a value template for a message, as Home Assistant makes it."""
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined)
    environment.filters["to_json"] = json.dumps
    text = payload.decode()
    try:
        value_json = json.loads(text)
    except ValueError:
        value_json = None
    return environment.from_string(template).render(value=text, value_json=value_json)
