"""The broker of the tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.notify.mqtt.broker import PROGRAM, Mosquitto


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    """A running broker without logins; the tests that use it get the marker `system`."""
    if not PROGRAM:
        pytest.skip("no mosquitto; install it: apt-get install mosquitto")
    with Mosquitto(tmp_path) as broker:
        yield broker
