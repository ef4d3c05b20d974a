"""What every target does when its receiver is away, and when it is cancelled."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from streamer.config.loading import load_settings
from streamer.config.notify import TargetSettings
from streamer.notify.notifier import build
from streamer.notify.target import DeliveryError, Target
from streamer.registry import TARGETS
from tests.notify.messages import message

AWAY: dict[str, dict[str, Any]] = {
    "webhook": {"url": "http://127.0.0.1:9/"},
    "command": {"command": ["false"]},
    "mqtt": {"url": "mqtt://127.0.0.1:9"},
    "apprise": {"url": "json://127.0.0.1:9"},
}
"""Settings of a target of each kind that cannot be reached: nobody listens on port 9, and the program fails."""


def settings_of(kind: str) -> TargetSettings:
    given = {"type": kind, "timeout_s": 5, **AWAY[kind]}
    return load_settings(None, options={"notify.targets.ops": given}).notify.targets["ops"]


@pytest.fixture(params=sorted(TARGETS.built_in))
def target(request: pytest.FixtureRequest) -> Iterator[Target]:
    built = build("ops", settings_of(request.param), None, shows_readings=False)
    yield built
    built.cancel()
    built.close()


@pytest.mark.parametrize("kind", sorted(TARGETS.built_in))
def test_the_settings_are_of_the_class_and_survive_a_copy(kind: str) -> None:
    settings = settings_of(kind)
    assert isinstance(settings, TARGETS[kind].section)
    assert type(settings).model_validate(settings.model_dump()) == settings


def test_a_receiver_that_is_away_is_told_in_one_line_and_tried_again(target: Target) -> None:
    for _ in range(2):
        with pytest.raises(DeliveryError) as caught:
            target.deliver(message())
        assert not caught.value.permanent
        assert str(caught.value)
        assert "\n" not in str(caught.value)


def test_a_cancelled_target_delivers_nothing_more(target: Target) -> None:
    target.cancel()
    with pytest.raises(DeliveryError):
        target.deliver(message())
