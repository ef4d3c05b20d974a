"""The receivers: a web server that fails in several ways, and Mosquitto with a subscriber that keeps its session."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

MOSQUITTO = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin") or ""
SLOW_S = 0.6
"""How long the slow receiver waits: longer than the time limit of a request."""
_SESSION_S = 3600


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message that a receiver has acknowledged, or could not acknowledge in time.

    Attributes:
        at_s: monotonic clock.
        id: of the message.
        number: of the event.
        body: as it came.
    """

    at_s: float
    id: str
    number: int
    body: bytes

    @classmethod
    def of(cls, body: bytes) -> Arrival:
        """The arrival of a message now."""
        message = json.loads(body)
        return cls(time.monotonic(), message["id"], message["data"]["track"], body)


class WebServer:
    """Answers as `fault` says: "" (200), "500", "slow" (takes the message and answers too late), "reset".

    Attributes:
        arrivals: in order. A message that was answered with an error is not among them; a slow answer is.
        requests: of all kinds.
    """

    def __init__(self) -> None:
        self.arrivals: list[Arrival] = []
        self.requests = 0
        self.fault: Callable[[], str] = lambda: ""
        self._closing = threading.Event()
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                owner._answer(self)

            def log_message(self, format: str, *arguments: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """End it."""
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        body, fault = request.rfile.read(int(request.headers["Content-Length"])), self.fault()
        self.requests += 1
        if fault == "reset":
            linger = struct.pack("ii", 1, 0)
            request.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)  # RST in place of FIN
            request.close_connection = True
            return
        if fault != "500":
            self.arrivals.append(Arrival.of(body))
        if fault == "slow":
            self._closing.wait(SLOW_S)
        request.send_response(500 if fault == "500" else 200)
        request.send_header("Content-Length", "0")
        request.end_headers()


class Broker:
    """Mosquitto on a free port, and a subscriber. The broker keeps the session of the subscriber over restarts.

    Args:
        folder: for its files.

    Attributes:
        arrivals: in order.
    """

    def __init__(self, folder: Path) -> None:
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
            self.port = one.getsockname()[1]
        self._file = folder / "mosquitto.conf"
        self._file.write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous true\nuser root\nmax_queued_messages 0\n"
            f"persistence true\npersistence_location {folder}/\nautosave_interval 1\n"
        )
        self.arrivals: list[Arrival] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id="benchmark", protocol=MQTTProtocolVersion.MQTTv5
        )
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = lambda client, *_: client.subscribe("streamer/events/#", 1)
        self._client.on_message = lambda *given: self.arrivals.append(Arrival.of(given[2].payload))

    @property
    def url(self) -> str:
        """For a target."""
        return f"mqtt://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start the broker, and the subscriber at the first time."""
        first = self._process is None
        self._process = subprocess.Popen(
            [MOSQUITTO, "-c", str(self._file)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        if first:
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            properties.SessionExpiryInterval = _SESSION_S
            while True:
                try:
                    self._client.connect("127.0.0.1", self.port, clean_start=False, properties=properties)
                    break
                except OSError:  # it does not listen yet
                    time.sleep(0.05)
            self._client.loop_start()

    def stop(self) -> None:
        """Stop the broker; it writes its sessions to the disk."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(20)

    def close(self) -> None:
        """End the subscriber and the broker."""
        self._client.disconnect()
        self._client.loop_stop()
        self.stop()
