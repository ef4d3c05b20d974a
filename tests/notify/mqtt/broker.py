"""A Mosquitto of the test on a free port of 127.0.0.1, and a client that listens to it."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

PROGRAM = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin") or ""
"""Debian installs it where only root looks for programs."""
DEADLINE_S = 20.0


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


class Mosquitto:
    """A broker; without persistence a restart loses what was retained, and all sessions.

    Args:
        folder: of its configuration.
        lines: of the configuration, besides the listener; logins are optional if there are none.
        persistent: it keeps everything over `stop(signal.SIGTERM)`.
    """

    def __init__(
        self, folder: Path, lines: Sequence[str] = ("allow_anonymous true",), *, persistent: bool = False
    ) -> None:
        self.port = free_port()
        self._file = folder / f"mosquitto-{self.port}.conf"
        self._log = folder / f"mosquitto-{self.port}.log"
        kept = f"persistence {str(persistent).lower()}", f"persistence_location {folder}/"
        listener = (f"listener {self.port} 127.0.0.1", "max_queued_messages 1000000", *kept)
        # As root it would become another user, who cannot read the files of the test.
        self._file.write_text("\n".join((*listener, "user root", *lines)) + "\n")
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, and wait until it listens."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen([PROGRAM, "-c", str(self._file)], stdout=log, stderr=log)
        until_s = time.monotonic() + DEADLINE_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                assert self._process.poll() is None, self._log.read_text()
                assert time.monotonic() < until_s
                time.sleep(0.02)

    def stop(self, by: int = signal.SIGKILL) -> None:
        """End it; it says goodbye to nobody."""
        if self._process is not None:
            self._process.send_signal(by)
            self._process.wait(DEADLINE_S)
            self._process = None

    def hang(self) -> None:
        """It answers nothing until `go_on`."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """See `hang`."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)


class Listener:
    """A subscriber with QoS 1, which connects again when the broker comes back, and continues its session.

    Args:
        port: of the broker.
        topic: a filter.
        user, password: its login.

    Attributes:
        messages: those received so far. Any thread, with `changed`.
    """

    def __init__(self, port: int, topic: str = "#", user: str = "", password: str = "") -> None:
        self.changed = threading.Condition()
        self.messages: list[paho.MQTTMessage] = []
        self._subscribed = threading.Event()
        self._client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"listener-{secrets.token_hex(4)}",
            protocol=MQTTProtocolVersion.MQTTv5,
        )
        self._client.reconnect_delay_set(1, 1)
        if user:
            self._client.username_pw_set(user, password)
        self._client.on_connect = lambda client, *_: client.subscribe(topic, 1)
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_disconnect = lambda *_: self._subscribed.clear()
        self._client.on_message = self._received
        session = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        session.SessionExpiryInterval = 600
        self._client.connect_async("127.0.0.1", port, clean_start=False, properties=session)

    def __enter__(self) -> Self:
        self._client.loop_start()
        self.wait_until_subscribed()
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def wait_until_subscribed(self) -> None:
        """Until its subscription is active."""
        assert self._subscribed.wait(DEADLINE_S)

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Publish a message, and wait until the broker has it."""
        self._client.publish(topic, payload, 1, retain).wait_for_publish(DEADLINE_S)

    def wait_for(self, fits: Callable[[list[paho.MQTTMessage]], Any]) -> Any:
        """Until a function of all messages is true; returns what it returns."""
        with self.changed:
            found: list[Any] = [None]

            def test() -> bool:
                found[0] = fits(self.messages)
                return bool(found[0])

            assert self.changed.wait_for(test, DEADLINE_S), [(m.topic, m.payload[:80]) for m in self.messages]
            return found[0]

    def wait_for_topic(self, topic: str, payload: bytes | None = None) -> paho.MQTTMessage:
        """The last message on a topic, with this payload if it is given."""

        def last(messages: list[paho.MQTTMessage]) -> paho.MQTTMessage | None:
            found = [one for one in messages if one.topic == topic and payload in (None, one.payload)]
            return found[-1] if found else None

        message: paho.MQTTMessage = self.wait_for(last)
        return message

    def clear(self) -> None:
        """Forget what has come."""
        with self.changed:
            self.messages.clear()

    def of(self, begin: str) -> list[paho.MQTTMessage]:
        """The messages whose topic begins so."""
        with self.changed:
            return [one for one in self.messages if one.topic.startswith(begin)]

    def _received(self, _: Any, __: Any, message: paho.MQTTMessage) -> None:
        with self.changed:
            self.messages.append(message)
            self.changed.notify_all()
