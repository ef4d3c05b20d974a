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
    seen["source"]["uri"] = seen["source"]["uri"].replace("192.0.2.10/1", "192.0.2.10:8554/2")
    found = restored(seen, SETTINGS, "cameras.front")
    assert found["source"]["uri"] == "rtsp://me:swordfish@192.0.2.10:8554/2?token=barracuda&channel=2"
    assert found["source"]["password"] == "mackerel"


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"uri": "rtsp://me:***@192.0.2.66/1?token=barracuda"}, "source.uri"),
        ({"uri": "rtsp://192.0.2.66/1?token=***"}, "source.uri"),
        ({"uri": "rtsp://192.0.2.66/1", "options": {}}, "source.password"),
        ({"uri": "rtsp://192.0.2.66/1", "password": ""}, "source.options.headers"),
        ({"uri": "rtsp://192.0.2.10/1", "options": {"http_proxy": "http://192.0.2.66"}}, "source.password"),
        ({"uri": "rtsp://192.0.2.10@192.0.2.66/1", "options": {}}, "source.password"),
        ({"uri": "rtsp://me:***@192.0.2.10:x@192.0.2.66/1", "options": {}}, "source.uri"),
    ],
)
def test_no_password_is_sent_to_another_host(change: dict[str, Any], path: str) -> None:
    seen = shown(SETTINGS)
    seen["source"] |= change
    with pytest.raises(ConfigError, match=rf"^cameras.front.{path}: \*\*\* stands for a password"):
        restored(seen, SETTINGS, "cameras.front")


def test_a_password_does_not_move_to_another_output() -> None:
    seen = shown(SETTINGS)
    seen["outputs"] = [{"to": "rtsp://me:***@192.0.2.66/front"}]
    with pytest.raises(ConfigError, match=r"^cameras.front.outputs.0.to: \*\*\* stands for a password"):
        restored(seen, SETTINGS, "cameras.front")


def test_the_password_of_a_proxy_is_not_sent_to_another_one() -> None:
    settings = {"source": {"uri": "http://192.0.2.10/", "options": {"http_proxy": "http://me:swordfish@192.0.2.9:81"}}}
    seen = shown(settings)
    assert restored(seen, settings, "") == settings
    seen["source"]["options"]["http_proxy"] = "http://me:***@192.0.2.66"
    with pytest.raises(ConfigError, match="another host"):
        restored(seen, settings, "")


def test_a_password_of_digits_comes_back() -> None:
    settings = {"source": {"uri": "http://192.0.2.10/", "options": {"token": 4711}}}
    assert shown(settings)["source"]["options"] == {"token": "***"}
    assert restored(shown(settings), settings, "")["source"]["options"] == {"token": "4711"}


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
