"""Discovery messages against the documentation of Home Assistant; no broker."""

from __future__ import annotations

import json
from typing import Any

import pytest

from streamer.notify.mqtt.home_assistant import Discovery
from streamer.notify.mqtt.readings import Readings
from streamer.notify.mqtt.topics import Topics
from streamer.notify.target import CameraCondition
from streamer.values.events import EventKind, EventPhase
from tests.notify.mqtt.home_assistant_schema import checked, rendered
from tests.notify.mqtt.made import message, readings

TOPICS = Topics("streamer")
DISCOVERY = Discovery(TOPICS, "homeassistant")
GATE = readings(lines={"driveway": (3, 1)}, zones={"yard": (2, 7)}, counts={"cars": 4}, presence={"dog": True})
GATE_TOPIC = "homeassistant/device/streamer/camera_gate/config"
NAMES = ("gate", "in_gate", "Gate", "gate 1", "gate/1", "gate+1", "Tür", "门", "a" * 64, "#", "..")


def entity(name: str) -> dict[str, Any]:
    found: dict[str, Any] = checked(GATE_TOPIC, DISCOVERY.camera(GATE, {}))["components"][name]
    return found


def test_the_program_is_a_device_with_its_connection() -> None:
    device = checked(DISCOVERY.program_topic, DISCOVERY.program())
    assert device["device"]["identifiers"] == ["streamer"]
    assert device["components"]["status"]["state_topic"] == "streamer/status"


def test_a_camera_is_a_device_behind_that_of_the_program() -> None:
    device = checked(DISCOVERY.topic("gate"), DISCOVERY.camera(GATE, {}))
    assert device["device"]["name"] == "gate"
    assert device["device"]["via_device"] == "streamer"
    assert device["availability"] == [{"topic": "streamer/status"}]
    platforms = {name: one["platform"] for name, one in device["components"].items()}
    assert platforms == {
        "connection": "binary_sensor",
        "covered": "binary_sensor",
        "events": "event",
        "last_event": "sensor",
        "snapshot": "image",
        "line_driveway": "event",
        "in_driveway": "sensor",
        "out_driveway": "sensor",
        "zone_yard": "event",
        "objects_yard": "sensor",
        "occupancy_yard": "binary_sensor",
        "count_cars": "event",
        "number_cars": "sensor",
        "presence_dog": "event",
        "present_dog": "binary_sensor",
    }


@pytest.mark.parametrize("name", NAMES)
def test_any_name_of_a_camera_and_a_rule_makes_a_valid_device(name: str) -> None:
    reading = readings(name, lines={name: (0, 0)}, zones={name: (0, 0)}, counts={name: 0}, presence={name: False})
    checked(DISCOVERY.topic(name), DISCOVERY.camera(reading, {}))


def test_different_names_have_different_ids() -> None:
    assert len({DISCOVERY.topic(name) for name in NAMES}) == len(NAMES)
    reading = readings(lines=dict.fromkeys(NAMES, (0, 0)))
    components = json.loads(DISCOVERY.camera(reading, {}))["components"]
    ids = [one["unique_id"] for one in components.values()]
    assert len(set(ids)) == len(ids) == 5 + 3 * len(NAMES)


def test_two_programs_have_different_ids() -> None:
    other = Discovery(Topics("home/garage"), "homeassistant")
    ids = [{one["unique_id"] for one in found.components(GATE).values()} for found in (DISCOVERY, other)]
    assert not ids[0] & ids[1]
    assert other.topic("gate") != DISCOVERY.topic("gate")


def test_ids_are_the_same_in_every_release() -> None:
    """Another id is another entity: automations and history of users would be lost."""
    assert entity("in_driveway")["unique_id"] == "streamer_camera_gate_in_driveway"
    assert entity("objects_yard")["unique_id"] == "streamer_camera_gate_objects_yard"
    assert entity("snapshot")["unique_id"] == "streamer_camera_gate_snapshot"
    assert Discovery(Topics("home/tür"), "ha").topic("Tür 1") == "ha/device/home_t_r_7fa3de/camera_T_r_1_f6ad66/config"


def test_counts_of_a_line_become_totals() -> None:
    retained = Readings(TOPICS, None).update(GATE)
    for way, count in (("in", "3"), ("out", "1")):
        sensor = entity(f"{way}_driveway")
        assert sensor["state_class"] == "total_increasing"
        assert rendered(sensor["value_template"], retained[sensor["state_topic"]]) == count


@pytest.mark.parametrize(("inside", "occupied"), [(0, "OFF"), (1, "ON"), (5, "ON")])
def test_a_zone_has_a_number_of_objects_and_an_occupancy(inside: int, occupied: str) -> None:
    retained = Readings(TOPICS, None).update(readings(zones={"yard": (inside, 9)}))
    objects, occupancy = entity("objects_yard"), entity("occupancy_yard")
    assert objects["state_class"] == "measurement"
    assert rendered(objects["value_template"], retained[objects["state_topic"]]) == str(inside)
    assert rendered(occupancy["value_template"], retained[occupancy["state_topic"]]) == occupied


@pytest.mark.parametrize(("number", "present", "shown"), [(0, False, "OFF"), (4, True, "ON")])
def test_counts_and_presence_are_shown(number: int, present: bool, shown: str) -> None:
    retained = Readings(TOPICS, None).update(readings(counts={"cars": number}, presence={"dog": present}))
    cars, dog = entity("number_cars"), entity("present_dog")
    assert rendered(cars["value_template"], retained[cars["state_topic"]]) == str(number)
    assert rendered(dog["value_template"], retained[dog["state_topic"]]) == shown


@pytest.mark.parametrize(
    ("condition", "connection", "covered", "zones"),
    [
        (CameraCondition.STARTING, "OFF", "OFF", "offline"),
        (CameraCondition.RUNNING, "ON", "OFF", "online"),
        (CameraCondition.COVERED, "ON", "ON", "online"),
        (CameraCondition.LOST, "OFF", "OFF", "offline"),
        (CameraCondition.STOPPED, "OFF", "OFF", "offline"),
    ],
)
def test_the_state_of_a_camera_is_shown(condition: CameraCondition, connection: str, covered: str, zones: str) -> None:
    retained = Readings(TOPICS, None).update(readings(condition=condition))
    state = retained["streamer/cameras/gate/state"]
    assert rendered(entity("connection")["value_template"], state) == connection
    assert rendered(entity("covered")["value_template"], state) == covered
    program, camera = entity("objects_yard")["availability"]
    assert program == {"topic": "streamer/status"}
    assert rendered(camera["value_template"], state) == zones


@pytest.mark.parametrize(
    ("entity_id", "rule", "kind", "phase", "event_type"),
    [
        ("line_driveway", "driveway", EventKind.CROSSING, EventPhase.MOMENT, "crossing"),
        ("zone_yard", "yard", EventKind.ENTER, EventPhase.START, "enter"),
        ("zone_yard", "yard", EventKind.ENTER, EventPhase.UPDATE, "dwell"),
        ("zone_yard", "yard", EventKind.ENTER, EventPhase.END, "leave"),
        ("events", "camera", EventKind.CAMERA_LOST, EventPhase.END, "camera_back"),
    ],
)
def test_a_message_is_an_event_of_its_entity(
    entity_id: str, rule: str, kind: EventKind, phase: EventPhase, event_type: str
) -> None:
    told = message(rule=rule, kind=kind, phase=phase)
    event = entity(entity_id)
    levels = TOPICS.event("gate", rule, told.payload["type"]).split("/")
    for one, other in zip(event["state_topic"].split("/"), levels, strict=True):
        assert one in ("+", other)
    shown = json.loads(rendered(event["value_template"], json.dumps(told.payload).encode()))
    assert shown["event_type"] == event_type
    assert event_type in event["event_types"]
    assert shown["label"] == "Person"
    assert shown["message_id"] == told.key


def test_a_message_about_a_file_is_no_event() -> None:
    body = json.dumps(message(phase=None).payload).encode()
    assert rendered(entity("events")["value_template"], body) == ""


def test_the_last_event_has_its_fields_as_attributes() -> None:
    body = json.dumps(message().payload).encode()
    sensor = entity("last_event")
    assert rendered(sensor["value_template"], body) == "crossing"
    assert json.loads(rendered(sensor["json_attributes_template"], body))["rule"] == "driveway"


def test_a_camera_that_starts_again_keeps_its_entities() -> None:
    """It has no readings of its rules until its first frame. An entity that is removed loses its history."""
    kept = Readings(TOPICS, DISCOVERY)
    first = kept.update(GATE)
    for condition in (CameraCondition.LOST, CameraCondition.STOPPED, CameraCondition.STARTING):
        again = kept.update(readings(condition=condition))
        assert again == {topic: first[topic] for topic in again if topic != "streamer/cameras/gate/state"} | {
            "streamer/cameras/gate/state": condition.value.encode()
        }
    assert kept.update(GATE) == {topic: payload for topic, payload in first.items() if topic != GATE_TOPIC}


def test_a_program_that_starts_again_keeps_the_entities_of_its_cameras() -> None:
    kept = Readings(TOPICS, DISCOVERY)
    kept.keep_only(["gate"])
    assert GATE_TOPIC not in kept.update(readings(condition=CameraCondition.STARTING))
    assert kept.announced(GATE_TOPIC, DISCOVERY.camera(GATE, {})) == {}
    assert kept.update(GATE)[GATE_TOPIC] == DISCOVERY.camera(GATE, {})


def test_a_rule_that_goes_away_is_removed() -> None:
    kept = Readings(TOPICS, DISCOVERY)
    kept.update(GATE)
    retained = kept.update(readings(lines={"street": (0, 0)}))
    components = checked(GATE_TOPIC, retained[GATE_TOPIC])["components"]
    assert components["in_driveway"] == {"platform": "sensor"}
    assert components["occupancy_yard"] == {"platform": "binary_sensor"}
    assert components["in_street"]["platform"] == "sensor"
    assert retained["streamer/cameras/gate/lines/driveway"] == b""
    assert retained["streamer/cameras/gate/lines/street"] == b'{"in":0,"out":0}'


def test_a_rule_of_an_earlier_run_is_removed() -> None:
    kept = Readings(TOPICS, DISCOVERY)
    kept.update(readings())
    retained = kept.announced(GATE_TOPIC, DISCOVERY.camera(GATE, {"zone_old": "event"}))
    components = checked(GATE_TOPIC, retained[GATE_TOPIC])["components"]
    assert components["in_driveway"] == {"platform": "sensor"}
    assert "zone_old" not in components  # it was removed before
    assert retained["streamer/cameras/gate/lines/driveway"] == b""
    assert "streamer/cameras/gate/state" not in retained


def test_a_camera_of_an_earlier_run_is_removed_once_all_cameras_are_known() -> None:
    kept = Readings(TOPICS, DISCOVERY)
    assert kept.announced(GATE_TOPIC, DISCOVERY.camera(GATE, {})) == {}
    removed = {
        GATE_TOPIC,
        "streamer/cameras/gate/state",
        "streamer/cameras/gate/last_event",
        "streamer/cameras/gate/snapshot",
        "streamer/cameras/gate/lines/driveway",
        "streamer/cameras/gate/zones/yard",
        "streamer/cameras/gate/counts/cars",
        "streamer/cameras/gate/presence/dog",
    }
    assert kept.keep_only(["yard"]) == dict.fromkeys(removed, b"")
    assert kept.announced(GATE_TOPIC, DISCOVERY.camera(GATE, {})) == dict.fromkeys(removed, b"")


def test_a_removed_camera_that_ends_late_stays_removed() -> None:
    kept = Readings(TOPICS, DISCOVERY)
    kept.update(GATE)
    assert kept.keep_only(["yard"])[GATE_TOPIC] == b""
    assert kept.update(readings(condition=CameraCondition.STOPPED)) == {}


def test_a_camera_that_starts_later_keeps_its_device() -> None:
    kept = Readings(TOPICS, DISCOVERY)
    kept.keep_only(["gate"])
    assert kept.announced(GATE_TOPIC, DISCOVERY.camera(GATE, {})) == {}
    assert kept.update(GATE)[GATE_TOPIC] == DISCOVERY.camera(GATE, {})


@pytest.mark.parametrize("payload", [b"{", b"[]", b"3", b'{"components": 3}', b'{"components": {"a": 1}}', b"\xff"])
def test_foreign_discovery_messages_are_ignored(payload: bytes) -> None:
    kept = Readings(TOPICS, DISCOVERY)
    assert kept.announced(GATE_TOPIC, payload) == {}
    assert kept.keep_only(["yard"]) == {GATE_TOPIC: b""}
