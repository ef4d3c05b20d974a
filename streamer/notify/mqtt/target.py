"""Publishes events and the readings of cameras to an MQTT broker.

The thread of the target calls `deliver`, which returns when the broker has acknowledged the message. The connection has
a thread of its own (`streamer.notify.mqtt.connection`).
"""

from __future__ import annotations

import json
import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from typing import Any, ClassVar, Self

from streamer.config.notify import TargetSettings
from streamer.notify.mqtt.broker import Broker
from streamer.notify.mqtt.connection import Connection
from streamer.notify.mqtt.home_assistant import Discovery
from streamer.notify.mqtt.readings import Readings
from streamer.notify.mqtt.session import Publication, Received
from streamer.notify.mqtt.settings import MqttSettings
from streamer.notify.mqtt.topics import Topics
from streamer.notify.target import CameraReadings, Message, TargetContext

_BORN = b"online"
_PICTURE_ATTEMPTS = 3
"""A message that failed so often is sent without its picture."""


class MqttTarget:
    """See `Target`. The topics are in `streamer.notify.mqtt.topics`.

    Args:
        settings: of the target.
        context: see `TargetContext`.

    Raises:
        ConfigError: the password or a certificate cannot be read.
    """

    section: ClassVar[type[TargetSettings]] = MqttSettings

    def __init__(self, settings: MqttSettings, context: TargetContext) -> None:
        self._settings = settings
        self._topics = Topics(settings.topic)
        home = settings.home_assistant
        self._shows_readings = context.shows_readings
        self._discovery = Discovery(self._topics, home.prefix) if home.enabled and context.shows_readings else None
        self._readings = Readings(self._topics, self._discovery)
        self._connection = Connection(
            Broker.from_settings(settings, context.path),
            self._topics.status if context.shows_readings else None,
            () if self._discovery is None else (self._discovery.filter, home.birth_topic),
            self._received,
        )
        self._order = threading.Lock()  # readings are shown in the order in which they were made
        self._connection.show(self._readings.program(), start=False)

    @classmethod
    def from_settings(cls, name: str, settings: Any, context: TargetContext) -> Self:  # noqa: ARG003
        """See `Target`."""
        return cls(settings, context)

    def deliver(self, message: Message) -> str:
        """See `Target`."""
        publications = self._publications(message)
        has_subscribers = self._connection.deliver(publications, self._settings.timeout_s)
        return f"published to {publications[-1].topic}" + ("" if has_subscribers else ", which has no subscribers")

    def deliver_all(self, messages: Sequence[Message]) -> int:
        """See `BatchTarget`."""
        return self._connection.deliver_all([self._publications(one) for one in messages], self._settings.timeout_s)

    def _publications(self, message: Message) -> list[Publication]:
        """What is published for a message: its readings, then itself."""
        event, payload = message.event, message.payload
        body = json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")
        topic = self._topics.event(event.camera, event.rule, payload["type"])
        publications = [Publication(topic, body, key=message.key, content_type="application/json")]
        if self._shows_readings and self._readings.has(event.camera):
            publications = [*self._newest(message, body), *publications]
        return publications

    def _newest(self, message: Message, body: bytes) -> Iterator[Publication]:
        """The readings that a message changes."""
        camera = message.event.camera
        if message.phase is not None:
            yield Publication(self._topics.last_event(camera), body, retain=True, content_type="application/json")
        elif self._sends_picture(message) and message.snapshot is not None:
            with suppress(OSError):  # deleted to make room
                picture = message.snapshot.read_bytes()
                yield Publication(self._topics.snapshot(camera), picture, retain=True, content_type="image/jpeg")

    def _sends_picture(self, message: Message) -> bool:
        # With MQTT 3.1.1 a broker does not say that a message is too large, but closes the connection.
        is_new = "snapshot" in message.payload["files"] and message.attempts < _PICTURE_ATTEMPTS
        return self._settings.snapshot and is_new

    def publish(self, readings: CameraReadings) -> None:
        """See `StateTarget`."""
        with self._order:
            self._connection.show(self._readings.update(readings))

    def keep_only(self, cameras: Collection[str]) -> None:
        """See `StateTarget`."""
        with self._order:
            self._connection.show(self._readings.keep_only(cameras))

    def cancel(self) -> None:
        """See `Target`."""
        self._connection.cancel()

    def close(self) -> None:
        """See `Target`."""
        self._connection.close()

    def _received(self, message: Received) -> None:
        """The thread of the connection: a discovery message of ours, or Home Assistant has started."""
        if self._discovery is not None and message.topic == self._settings.home_assistant.birth_topic:
            if message.payload == _BORN and not message.retained:
                self._connection.repeat(self._discovery.begin)
        else:
            with self._order:
                self._connection.show(self._readings.announced(message.topic, message.payload))
