"""Settings are shown without passwords, and what comes back keeps them."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from streamer.errors import ConfigError
from streamer.serve.settings_file.passwords import restored, shown

CANARIES = ("swordfish", "barracuda", "mackerel", "anchovy", "sardine")
SETTINGS: dict[str, Any] = {
    "source": {
        "uri": "rtsp://me:swordfish@192.0.2.10/1?token=barracuda&channel=2",
        "password": "mackerel",
        "password_file": "/run/secrets/camera",
        "options": {"headers": "Authorization: Basic anchovy"},
        "low_latency": True,
    },
    "outputs": [{"to": "front.jsonl"}, {"to": "rtsp://me:sardine@192.0.2.20/front", "segment_s": 5}],
}


def test_no_password_is_shown_and_all_come_back() -> None:
    seen = shown(SETTINGS)
    assert not [one for one in CANARIES if one in json.dumps(seen)]
    assert seen["source"]["uri"] == "rtsp://me:***@192.0.2.10/1?token=***&channel=2"
    assert seen["source"]["password_file"] == "/run/secrets/camera"
    assert restored(seen, SETTINGS, "cameras.front") == SETTINGS


def test_an_address_that_changes_keeps_its_password_and_token() -> None:
    seen = shown(SETTINGS)
    seen["source"]["uri"] = seen["source"]["uri"].replace("192.0.2.10/1", "192.0.2.11/2")
    found = restored(seen, SETTINGS, "cameras.front")
    assert found["source"]["uri"] == "rtsp://me:swordfish@192.0.2.11/2?token=barracuda&channel=2"


def test_outputs_that_move_keep_their_passwords() -> None:
    seen = shown(SETTINGS)
    seen["outputs"].reverse()
    assert restored(seen, SETTINGS, "cameras.front")["outputs"] == SETTINGS["outputs"][::-1]


def test_new_passwords_replace_the_old_ones() -> None:
    seen = shown(SETTINGS)
    seen["source"] |= {"uri": "rtsp://you:trout@192.0.2.10/1", "password": "salmon"}
    wanted = copy.deepcopy(SETTINGS)
    wanted["source"] |= {"uri": "rtsp://you:trout@192.0.2.10/1", "password": "salmon"}
    assert restored(seen, SETTINGS, "cameras.front") == wanted


@pytest.mark.parametrize(
    ("settings", "path"),
    [
        ({"source": {"uri": "rtsp://me:***@192.0.2.10/1"}}, "source.uri"),
        ({"source": {"password": "***"}}, "source.password"),
        ({"outputs": [{"to": "rtsp://me:***@192.0.2.30/x"}]}, "outputs.0.to"),
    ],
)
def test_stars_without_a_password_are_refused(settings: dict[str, Any], path: str) -> None:
    with pytest.raises(ConfigError, match=rf"^cameras.front.{path}: \*\*\* stands for a password that is not known"):
        restored(settings, {"source": {"uri": "a.mp4"}}, "cameras.front")
