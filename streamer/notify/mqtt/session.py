"""One connection to a broker, from CONNECT to its end. Owned by the thread that opened it.

The thread drives paho's client itself (`loop_read`, `loop_write`, `loop_misc`). paho's own thread (`loop_start`) sleeps
between attempts, so it cannot be ended at once, has no context of ours, and resends messages that the outbox resends,
too. A new client for each connection has nothing to resend.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from streamer.notify.mqtt.broker import Broker
from streamer.notify.mqtt.refusals import NO_SUBSCRIBERS, not_published, not_reached, refused
from streamer.notify.target import DeliveryError

ONLINE, OFFLINE = b"online", b"offline"
_QOS = 1
_CLOSE_S = 1.0
_MOST_IN_FLIGHT = 20
"""Messages without an acknowledgement; brokers accept at least as many by default (Receive Maximum of Mosquitto)."""
_MAXIMUM_PACKET_SIZE = 268_435_455
_HEADER_BYTES = 1024
"""More than the header of a PUBLISH with our topics and properties, beside the topic itself."""

Acknowledged = Callable[[DeliveryError | None, bool], None]
"""Called once for each message: an error, and whether a subscriber matches (always true with MQTT 3.1.1)."""


class SessionEnded(DeliveryError):
    """The connection is closed; whether messages without an acknowledgement have arrived is unknown."""


@dataclass(frozen=True, slots=True)
class Publication:
    """One message to a topic, QoS 1.

    Attributes:
        topic: without wildcards.
        payload: bytes; empty and retained deletes what is retained.
        retain: the broker gives it to later subscribers.
        key: user property `key` of MQTT 5; empty for none.
        content_type: of MQTT 5; empty for none.
    """

    topic: str
    payload: bytes
    retain: bool = False
    key: str = ""
    content_type: str = ""


@dataclass(frozen=True, slots=True)
class Received:
    """A message from the broker; `retained`: it was published before the subscription."""

    topic: str
    payload: bytes
    retained: bool


def ready(readable: Sequence[socket.socket], writable: Sequence[socket.socket], timeout_s: float) -> dict[Any, int]:
    """Wait for sockets like `select.select`, which fails in a program with a thousand open files.

    Returns:
        `selectors.EVENT_READ` and `EVENT_WRITE` of those that are ready.
    """
    with selectors.DefaultSelector() as selector:
        for one in readable:
            selector.register(one, selectors.EVENT_READ | (selectors.EVENT_WRITE if one in writable else 0))
        return {key.fileobj: events for key, events in selector.select(timeout_s)}


def _send_at_once(connection: Any) -> None:
    """Else the system holds back a small message until the broker has confirmed the one before (Nagle's algorithm)."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class Session:
    """An open connection.

    Args:
        broker: to connect to.
        status_topic: of `online`, and of `offline` as the last will; None: it says neither.
        on_message: called with each message of the subscriptions.

    Raises:
        DeliveryError: the broker is not reached, or refuses the connection.
    """

    def __init__(self, broker: Broker, status_topic: str | None, on_message: Callable[[Received], None]) -> None:
        self._broker, self._settings, self._status_topic = broker, broker.settings, status_topic
        self._on_message = on_message
        self._queued: deque[tuple[Publication, Acknowledged]] = deque()
        self._waiting: dict[int, tuple[Publication, Acknowledged]] = {}
        self._most_in_flight = _MOST_IN_FLIGHT
        self._maximum_packet_size = _MAXIMUM_PACKET_SIZE
        self._connected = False
        self._error = ""
        self._client = self._new_client()
        try:
            self._open()
        except BaseException:
            self._drop()
            raise

    def _new_client(self) -> paho.Client:
        settings = self._settings
        five = settings.version == "5"
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=settings.client_id,
            protocol=MQTTProtocolVersion.MQTTv5 if five else MQTTProtocolVersion.MQTTv311,
            clean_session=None if five else True,
            reconnect_on_failure=False,
        )
        client.connect_timeout = settings.timeout_s
        client.max_inflight_messages_set(0)  # `_send_queued` limits them: the broker says the limit only in its answer
        if self._status_topic is not None:
            client.will_set(self._status_topic, OFFLINE, qos=_QOS, retain=True)
        if settings.user or self._broker.password:
            client.username_pw_set(settings.user, self._broker.password or None)
        if self._broker.tls is not None:
            client.tls_set_context(self._broker.tls)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_message = lambda _, __, message: self._on_message(
            Received(message.topic, bytes(message.payload), bool(message.retain))
        )
        client.on_socket_open = lambda _, __, connection: _send_at_once(connection)
        # paho then leaves writing to `wait` in place of doing it inside of `publish`.
        client.on_socket_register_write = lambda *_: None
        return client

    def _open(self) -> None:
        settings = self._settings
        deadline_s = time.monotonic() + settings.timeout_s
        try:
            self._client.connect(settings.host, settings.port, settings.keepalive_s)
            while not self._connected:
                left_s = deadline_s - time.monotonic()
                if left_s <= 0:
                    raise TimeoutError
                self.wait(None, left_s)
        except DeliveryError:
            raise
        except (OSError, ValueError, paho.WebsocketConnectionError) as error:
            raise not_reached(error, self._broker) from error
        self._say(ONLINE)

    def _say(self, status: bytes) -> None:
        if self._status_topic is not None:
            self.publish(Publication(self._status_topic, status, retain=True), lambda *_: None)

    def subscribe(self, *filters: str) -> None:
        """Get the messages of these topics; a refusal is ignored, they are only hints."""
        self._client.subscribe([(one, 0) for one in filters])

    def publish(self, publication: Publication, acknowledged: Acknowledged) -> None:
        """Send a message in its turn; `wait` calls `acknowledged`."""
        size = len(publication.payload) + len(publication.topic.encode()) + _HEADER_BYTES
        if size > self._maximum_packet_size:
            limit = f"{len(publication.payload)} bytes on {publication.topic} exceed its limit"
            error = DeliveryError(f"{self._broker}: {limit} of {self._maximum_packet_size}", permanent=True)
            acknowledged(error, False)
            return
        self._queued.append((publication, acknowledged))
        self._send_queued()

    def _send_queued(self) -> None:
        while self._queued and len(self._waiting) < self._most_in_flight:
            publication, acknowledged = self._queued.popleft()
            info = self._client.publish(
                publication.topic, publication.payload, _QOS, publication.retain, self._properties(publication)
            )
            self._waiting[info.mid] = publication, acknowledged

    def _properties(self, publication: Publication) -> Properties | None:
        if self._settings.version != "5" or not (publication.key or publication.content_type):
            return None
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        if publication.content_type:
            properties.ContentType = publication.content_type
        if publication.key:
            properties.UserProperty = [("key", publication.key)]
        return properties

    def wait(self, waker: socket.socket | None, timeout_s: float) -> None:
        """Read and write until something has arrived, the waker can be read, or the time is over.

        Raises:
            SessionEnded: the connection is closed.
        """
        connection: Any = self._client.socket()
        if connection is None:
            raise self._lost()
        readable = [connection] if waker is None else [connection, waker]
        writable = [connection] if self._client.want_write() else []
        if getattr(connection, "pending", int)():
            timeout_s = 0
        events = ready(readable, writable, timeout_s).get(connection, 0)
        if events & selectors.EVENT_READ or timeout_s == 0:
            self._client.loop_read()  # first: it may say why the broker accepts nothing more
        if events & selectors.EVENT_WRITE:
            self._client.loop_write()
        self._client.loop_misc()
        self._send_queued()
        if self._client.socket() is None:
            raise self._lost()

    def close(self) -> None:
        """Say `offline` and end the connection, within a second."""
        deadline_s = time.monotonic() + _CLOSE_S
        with contextlib.suppress(DeliveryError, OSError, ValueError):
            self._say(OFFLINE)
            while (self._queued or self._waiting) and time.monotonic() < deadline_s:
                self.wait(None, deadline_s - time.monotonic())
            self._client.disconnect()
            while self._client.want_write() and time.monotonic() < deadline_s:
                self.wait(None, deadline_s - time.monotonic())
        self._drop()

    def _drop(self) -> None:
        connection = self._client.socket()
        if connection is not None:
            connection.close()

    def fail(self, error: SessionEnded) -> None:
        """End the connection: all messages without an acknowledgement have this error."""
        self._drop()
        waiting = [*self._waiting.values(), *self._queued]
        self._waiting.clear()
        self._queued.clear()
        for _, acknowledged in waiting:
            acknowledged(error, False)

    def _on_connect(self, _: Any, __: Any, ___: Any, reason: Any, properties: Any) -> None:
        if reason.is_failure:
            self._error = refused(reason.value, str(reason), self._broker)
            return
        self._connected = True
        self._maximum_packet_size = getattr(properties, "MaximumPacketSize", _MAXIMUM_PACKET_SIZE)
        self._most_in_flight = min(getattr(properties, "ReceiveMaximum", _MOST_IN_FLIGHT), _MOST_IN_FLIGHT)

    def _on_disconnect(self, _: Any, __: Any, flags: Any, reason: Any, ___: Any) -> None:
        if flags.is_disconnect_packet_from_server and reason.is_failure and not self._error:
            self._error = refused(reason.value, str(reason), self._broker)

    def _on_publish(self, _: Any, __: Any, mid: int, reason: Any, ___: Any) -> None:
        waiting = self._waiting.pop(mid, None)
        if waiting is None:
            return
        publication, acknowledged = waiting
        error = None
        if reason.is_failure:
            error = not_published(reason.value, str(reason), publication.topic, self._broker)
        acknowledged(error, reason.value != NO_SUBSCRIBERS)

    def _lost(self) -> SessionEnded:
        if self._error:
            return SessionEnded(self._error)
        if self._connected:
            return SessionEnded(f"{self._broker}: the broker closed the connection")
        return SessionEnded(f"{self._broker}: no MQTT broker answers there; check the address and the port")
