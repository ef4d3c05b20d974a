"""The program as a user runs it, with a Mosquitto."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from tests.cli.program import Program
from tests.cli.test_lines_and_zones import write_clip
from tests.notify.mqtt.broker import Listener, Mosquitto, free_port
from tests.notify.mqtt.home_assistant_schema import checked

SETTINGS = """
source: {{uri: clip.mp4}}
detector: {{name: seen.jsonl}}
store: {{folder: events}}
notify: {{targets: {{home: {{type: mqtt, url: "{url}"}}}}}}
analytics:
  lines: [{{name: gate, points: [[0, 0.5], [1, 0.5]]}}]
  zones: [{{name: square, points: [[0.05, 0.4], [0.95, 0.4], [0.95, 0.6], [0.05, 0.6]]}}]
"""
CAMERA = "streamer/cameras/clip.mp4"


@pytest.mark.slow
def test_a_run_publishes_its_events_and_counts(mosquitto: Mosquitto, tmp_path: Path) -> None:
    program = Program(tmp_path)
    write_clip(tmp_path)
    (tmp_path / "s.yaml").write_text(SETTINGS.format(url=mosquitto.url))
    with Listener(mosquitto.port) as listener:
        result = program("run", "--config", "s.yaml")
        assert result.code == 0, result.errors
        listener.wait_for_topic("streamer/status", b"offline")
        told = [json.loads(one.payload) for one in listener.of("streamer/events/")]
        counts = Counter((one["data"]["rule"], one["type"]) for one in told if one["type"] != "file")
        assert counts == {("gate", "crossing"): 3, ("square", "enter"): 3, ("square", "leave"): 3}
        assert [one for one in told if "snapshot" in one["files"]]
        assert len({one["id"] for one in told}) == len(told)
    with Listener(mosquitto.port) as later:
        later.wait_for_topic(f"{CAMERA}/lines/gate", b'{"in":2,"out":1}')
        later.wait_for_topic(f"{CAMERA}/zones/square", b'{"inside":0,"entered":3,"level":"normal"}')
        later.wait_for_topic(f"{CAMERA}/state", b"stopped")
        assert later.wait_for_topic(f"{CAMERA}/snapshot").payload.startswith(b"\xff\xd8")
        later.wait_for(lambda messages: sum("/device/" in one.topic for one in messages) == 2)
        devices = [checked(one.topic, bytes(one.payload)) for one in later.of("homeassistant/device/")]
        assert {one["device"]["name"] for one in devices} == {"Streamer", "clip.mp4"}


def test_a_test_message_is_published(mosquitto: Mosquitto, tmp_path: Path) -> None:
    program = Program(tmp_path)
    (tmp_path / "s.yaml").write_text(SETTINGS.format(url=mosquitto.url))
    with Listener(mosquitto.port) as listener:
        result = program("notify", "test", "home", "--config", "s.yaml")
        assert (result.code, result.errors) == (0, "")
        assert "published to streamer/events/test/test/enter" in result.output
        listener.wait_for_topic("streamer/events/test/test/enter")
        assert {one.topic for one in listener.messages} == {"streamer/events/test/test/enter"}
    mosquitto.stop()
    result = program("notify", "test", "home", "--config", "s.yaml")
    assert result.code == 1
    assert result.errors.count("\n") == 1
    assert "not delivered to home: cannot connect to mqtt://127.0.0.1" in result.errors


@pytest.mark.slow
def test_a_broker_that_is_away_is_reported_once(tmp_path: Path) -> None:
    """The connection and the messages that wait for it fail for the same reason, in either order."""
    program = Program(tmp_path)
    write_clip(tmp_path)
    (tmp_path / "s.yaml").write_text(SETTINGS.format(url=f"mqtt://127.0.0.1:{free_port()}"))
    result = program("run", "--config", "s.yaml")
    assert result.code == 0, result.errors
    told = [line for line in result.errors.splitlines() if line.startswith("warning: notify: target home: ")]
    assert len(told) == 1, told
    assert "no broker listens there" in told[0]
