"""What a connection publishes, on sessions whose broker is a script."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import pytest

from streamer.notify.mqtt.broker import Broker
from streamer.notify.mqtt.connection import Connection
from streamer.notify.mqtt.session import Acknowledged, Publication, SessionEnded
from tests.notify.mqtt.made import PATH, settings

TOPIC = "streamer/cameras/gate/zones/yard"


class ScriptedSession:
    """A session that ends after its script; each step runs in place of waiting for the broker."""

    def __init__(self, *steps: Callable[[ScriptedSession], None]) -> None:
        self._steps = list(steps)
        self.published: list[tuple[str, bytes]] = []
        self._waiting: list[Acknowledged] = []

    def publish(self, publication: Publication, acknowledged: Acknowledged) -> None:
        self.published.append((publication.topic, publication.payload))
        self._waiting.append(acknowledged)

    def acknowledge(self) -> None:
        """The broker has everything that was published so far."""
        waiting, self._waiting = self._waiting, []
        for acknowledged in waiting:
            acknowledged(None, True)

    def wait(self, _waker: socket.socket, _timeout_s: float) -> None:
        if not self._steps:
            raise SessionEnded("the script is over")
        self._steps.pop(0)(self)

    def fail(self, error: SessionEnded) -> None:
        waiting, self._waiting = self._waiting, []
        for acknowledged in waiting:
            acknowledged(error, False)


def serve(connection: Connection, *steps: Callable[[ScriptedSession], None]) -> list[tuple[str, bytes]]:
    """What the connection publishes on one session."""
    session: Any = ScriptedSession(*steps)
    connection._serve(session)
    published: list[tuple[str, bytes]] = session.published
    return published


@pytest.fixture
def connection() -> Connection:
    return Connection(Broker(settings("mqtt://127.0.0.1"), PATH), None)


def test_a_reading_that_is_taken_back_while_it_is_published_is_deleted(connection: Connection) -> None:
    connection.show({TOPIC: b"1"}, start=False)

    def take_back(session: ScriptedSession) -> None:
        connection.show({TOPIC: b""}, start=False)
        session.acknowledge()

    assert serve(connection, take_back, ScriptedSession.acknowledge) == [(TOPIC, b"1"), (TOPIC, b"")]
    assert serve(connection) == []


def test_a_reading_is_deleted_by_the_next_connection_if_the_first_one_breaks(connection: Connection) -> None:
    connection.show({TOPIC: b""}, start=False)
    assert serve(connection) == [(TOPIC, b"")]
    assert serve(connection, ScriptedSession.acknowledge) == [(TOPIC, b"")]
    assert serve(connection) == []
