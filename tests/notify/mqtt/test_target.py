"""The target against a Mosquitto."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from streamer.notify.target import CameraCondition
from streamer.values.events import EventKind, EventPhase
from tests.notify.mqtt.broker import Listener, Mosquitto
from tests.notify.mqtt.home_assistant_schema import checked
from tests.notify.mqtt.made import message, readings, target_at

VERSIONS = pytest.mark.parametrize("version", ["5", "3.1.1"])
EVENTS = "streamer/events/"
GATE = "streamer/cameras/gate"
DEVICE = "homeassistant/device/streamer/camera_gate/config"


@VERSIONS
def test_a_message_has_the_topic_of_its_event(mosquitto: Mosquitto, version: str) -> None:
    with Listener(mosquitto.port) as listener, target_at(mosquitto.url, version=version) as target:
        told = message()
        assert target.deliver(told) == "published to streamer/events/gate/driveway/crossing"
        received = listener.wait_for_topic("streamer/events/gate/driveway/crossing")
        assert json.loads(received.payload) == told.payload
        assert received.qos == 1
        assert not received.retain
        if version == "5":
            properties: Any = received.properties
            assert properties.UserProperty == [("key", told.key)]
            assert properties.ContentType == "application/json"


@VERSIONS
def test_messages_arrive_once_and_in_their_order(mosquitto: Mosquitto, version: str) -> None:
    with Listener(mosquitto.port, EVENTS + "#") as listener, target_at(mosquitto.url, version=version) as target:
        told = [message(number) for number in range(200)]
        for one in told:
            target.deliver(one)
        listener.wait_for(lambda messages: len(messages) >= len(told))
        assert [json.loads(one.payload)["id"] for one in listener.messages] == [one.key for one in told]


@VERSIONS
def test_several_messages_on_the_way_keep_their_order(mosquitto: Mosquitto, version: str) -> None:
    with Listener(mosquitto.port, EVENTS + "#") as listener, target_at(mosquitto.url, version=version) as target:
        told = [message(number) for number in range(200)]
        assert target.deliver_all(told) == 200
        listener.wait_for(lambda messages: len(messages) >= len(told))
        assert [json.loads(one.payload)["id"] for one in listener.messages] == [one.key for one in told]


def test_a_message_that_nobody_reads_is_delivered(mosquitto: Mosquitto) -> None:
    with target_at(mosquitto.url, home_assistant={"enabled": False}) as target:
        assert target.deliver(message()).endswith("which has no subscribers")


def test_names_cannot_leave_their_level_of_the_topic(mosquitto: Mosquitto) -> None:
    with Listener(mosquitto.port, EVENTS + "#") as listener, target_at(mosquitto.url) as target:
        target.deliver(message(camera="a/b", rule="+#%", kind=EventKind.ENTER, phase=EventPhase.START))
        target.deliver(message(camera="Tür 1", rule=""))
        target.deliver(message(camera="clip\udce4.mp4"))  # the name of a file in Latin-1
        listener.wait_for_topic("streamer/events/clip%E4.mp4/driveway/crossing")
        listener.wait_for_topic("streamer/events/a%2Fb/%2B%23%25/enter")
        listener.wait_for_topic("streamer/events/Tür 1/-/crossing")


def test_the_last_event_and_its_picture_are_retained(mosquitto: Mosquitto, tmp_path: Path) -> None:
    picture = tmp_path / "event.jpg"
    picture.write_bytes(bytes(range(256)) * 1000)
    with target_at(mosquitto.url) as target:
        target.deliver(message(1))
        target.deliver(message(2))
        target.deliver(message(1, phase=None, snapshot=picture))
        with Listener(mosquitto.port, f"{GATE}/#") as listener:
            assert json.loads(listener.wait_for_topic(f"{GATE}/last_event").payload) == message(2).payload
            assert listener.wait_for_topic(f"{GATE}/snapshot").payload == picture.read_bytes()


@pytest.mark.parametrize("wanted", [True, False])
def test_a_picture_that_was_deleted_or_is_not_wanted_is_left_out(
    mosquitto: Mosquitto, tmp_path: Path, wanted: bool
) -> None:
    picture = tmp_path / "event.jpg"
    if not wanted:
        picture.write_bytes(b"picture")
    with Listener(mosquitto.port) as listener, target_at(mosquitto.url, snapshot=wanted) as target:
        target.deliver(message(phase=None, snapshot=picture))
        listener.wait_for_topic(f"{EVENTS}gate/driveway/file")
        assert not listener.of(f"{GATE}/snapshot")


def test_readings_are_retained(mosquitto: Mosquitto) -> None:
    with target_at(mosquitto.url) as target, Listener(mosquitto.port) as listener:
        target.publish(readings(lines={"drive": (1, 0)}, zones={"yard": (1, 1)}))
        listener.wait_for_topic(f"{GATE}/zones/yard", b'{"inside":1,"entered":1,"level":"normal"}')
        target.publish(readings(lines={"drive": (2, 0)}, zones={"yard": (0, 1)}, condition=CameraCondition.LOST))
        listener.wait_for_topic(f"{GATE}/lines/drive", b'{"in":2,"out":0}')
        listener.wait_for_topic(f"{GATE}/state", b"lost")
        with Listener(mosquitto.port) as later:
            later.wait_for_topic("streamer/status", b"online")
            later.wait_for_topic(f"{GATE}/state", b"lost")
            later.wait_for_topic(f"{GATE}/lines/drive", b'{"in":2,"out":0}')
            assert later.wait_for_topic(f"{GATE}/zones/yard", b'{"inside":0,"entered":1,"level":"normal"}').retain


def test_unchanged_readings_are_not_published_again(mosquitto: Mosquitto) -> None:
    with Listener(mosquitto.port) as listener, target_at(mosquitto.url) as target:
        for count in (1, 1, 1, 2):
            target.publish(readings(lines={"drive": (count, 0)}))
        listener.wait_for_topic(f"{GATE}/lines/drive", b'{"in":2,"out":0}')
        listener.wait_for_topic(f"{GATE}/state")
        assert len(listener.of(f"{GATE}/state")) == 1
        assert len(listener.of(f"{GATE}/lines")) <= 2


def test_the_end_of_the_program_is_told(mosquitto: Mosquitto) -> None:
    with Listener(mosquitto.port, "streamer/status") as listener:
        with target_at(mosquitto.url) as target:
            target.publish(readings())
            listener.wait_for_topic("streamer/status", b"online")
        listener.wait_for_topic("streamer/status", b"offline")


def test_a_killed_program_is_told_by_the_broker(mosquitto: Mosquitto) -> None:
    """The last will."""
    code = (
        "import sys; from tests.notify.mqtt.made import *\n"
        "with target_at(sys.argv[1]) as target:\n"
        "    target.deliver(message()); print('delivered', flush=True); sys.stdin.read()"
    )
    with Listener(mosquitto.port, "streamer/status") as listener:
        program = subprocess.Popen(
            [sys.executable, "-c", code, mosquitto.url], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert program.stdout is not None
        assert program.stdout.readline() == b"delivered\n"
        listener.wait_for_topic("streamer/status", b"online")
        program.kill()
        program.communicate()
        listener.wait_for_topic("streamer/status", b"offline")


def test_a_test_message_changes_no_reading(mosquitto: Mosquitto) -> None:
    with Listener(mosquitto.port) as listener:
        with target_at(mosquitto.url, shows_readings=False) as target:
            target.deliver(message())
        with target_at(mosquitto.url, shows_readings=False, topic="other") as target:
            target.deliver(message())
        listener.wait_for_topic("other/events/gate/driveway/crossing")
        assert {one.topic.partition("/")[2] for one in listener.messages} == {"events/gate/driveway/crossing"}


def test_the_devices_fit_the_documentation_of_home_assistant(mosquitto: Mosquitto) -> None:
    with target_at(mosquitto.url) as target:
        target.publish(readings("gate", lines={"drive way": (1, 2)}, zones={"yard": (1, 1)}))
        target.publish(readings("Garage/2", zones={"door": (0, 0)}))
        target.deliver(message())
        with Listener(mosquitto.port, "homeassistant/#") as listener:
            listener.wait_for(lambda messages: len(messages) >= 3)
            devices = [checked(one.topic, bytes(one.payload)) for one in listener.messages if one.retain]
            assert {one["device"]["name"] for one in devices} == {"Streamer", "gate", "Garage/2"}
            assert len({one["device"]["identifiers"][0] for one in devices}) == 3


def test_home_assistant_gets_all_devices_again_after_its_start(mosquitto: Mosquitto) -> None:
    with Listener(mosquitto.port) as listener, target_at(mosquitto.url) as target:
        target.publish(readings())
        listener.wait_for_topic(DEVICE)
        listener.clear()
        listener.publish("homeassistant/status", b"offline")
        listener.publish("homeassistant/status", b"online")
        listener.wait_for_topic(DEVICE)
        listener.wait_for_topic("homeassistant/device/streamer/program/config")


def test_a_camera_that_no_longer_exists_is_removed(mosquitto: Mosquitto) -> None:
    with Listener(mosquitto.port) as listener:
        with target_at(mosquitto.url) as target:
            target.publish(readings("gate", lines={"drive": (1, 2)}))
            target.publish(readings("yard"))
            target.deliver(message())
            listener.wait_for_topic(DEVICE)
        with target_at(mosquitto.url) as target:  # the next run
            target.keep_only(["yard"])
            target.publish(readings("yard"))
            for topic in ("state", "lines/drive", "last_event"):
                listener.wait_for_topic(f"{GATE}/{topic}", b"")
            listener.wait_for_topic(DEVICE, b"")
            target.deliver(message())  # an event of the camera that waited in the outbox
            listener.wait_for_topic("streamer/events/gate/driveway/crossing")
    with Listener(mosquitto.port) as later:
        later.wait_for_topic("homeassistant/device/streamer/camera_yard/config")
        later.wait_for_topic("streamer/cameras/yard/state")
        assert not [one.topic for one in later.messages if "gate" in one.topic]


def test_home_assistant_can_be_left_out(mosquitto: Mosquitto) -> None:
    with Listener(mosquitto.port) as listener, target_at(mosquitto.url, home_assistant={"enabled": False}) as target:
        target.publish(readings())
        target.deliver(message())
        listener.wait_for_topic(f"{GATE}/state")
        listener.wait_for_topic("streamer/events/gate/driveway/crossing")
        assert not listener.of("homeassistant")
