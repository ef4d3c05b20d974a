"""Shows every scene to web browsers: MJPEG over HTTP, a still, a page around it and the state of health.

The server has a thread of its own (`streamer.web.server`); this end belongs to the thread that writes, which encodes a
picture once for all who watch, and not at all while nobody does.
"""

from __future__ import annotations

import ipaddress
import logging
import threading
from collections.abc import Sequence
from dataclasses import replace
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from aiohttp import web

from streamer.config.output import OutputEntry
from streamer.errors import ConfigError, SinkError
from streamer.features import SinkContext, SinkFeature
from streamer.interfaces import Scene
from streamer.sinks.mjpeg.pages import application
from streamer.sinks.mjpeg.picture import encode
from streamer.sinks.mjpeg.viewers import Gallery
from streamer.system.secrets import SECRETS, redacted
from streamer.web.server import WebServer

log = logging.getLogger(__name__)


class MjpegSink(SinkFeature):
    """Serves `/` (a page with the picture), `/stream.mjpg`, `/snapshot.jpg` and `/healthz`.

    `/stream.mjpg` is `multipart/x-mixed-replace`; each part has `X-Timestamp`, the media time, and `X-Captured`, the
    monotonic clock of this machine at the picture's arrival, both in seconds. A viewer gets the newest picture when it
    has taken the one before. `/snapshot.jpg` is the newest picture (503 before the first). `/healthz` is 200 while the
    newest picture is not older than `health_timeout_s`, else 503, with JSON that says why; it asks for no password.

    Args:
        entry: `to` is `http://[user:password@][host][:port]/`. Without a host, or with `localhost`, only this machine
            can watch; `0.0.0.0` is every address of it. Port 80 if none is given; 0 lets the system choose. With a
            user and password, viewers are asked for them (HTTP Basic authentication). `quality` is that of the JPEGs;
            at most `max_fps` pictures a second are encoded for viewers.
        context: not used.
        health_timeout_s: see above.
        viewer_timeout_s: a viewer that takes nothing for so long is disconnected.

    Raises:
        ConfigError: an address or a number that cannot work.
        SinkUnavailable: on entering, when it cannot listen there.
        SinkError: a picture that is too large for JPEG; the server ended by itself.
    """

    schemes = ("http", "https")
    stage = "mjpeg"
    main_thread = False
    wants_picture = True

    def __init__(
        self,
        entry: OutputEntry,
        context: SinkContext,  # noqa: ARG002
        *,
        health_timeout_s: float = 10.0,
        viewer_timeout_s: float = 10.0,
    ) -> None:
        host, port, credentials = _parsed(entry.to)
        self._quality = entry.quality
        self._interval_s = 0.0 if entry.max_fps is None else 1 / entry.max_fps
        self._due_s = 0.0
        self._number = 0
        self._watched = threading.Event()
        self._gallery = Gallery(entry.quality, self._watched, viewer_timeout_s)

        def build() -> web.Application:
            return application(
                self._gallery,
                health_timeout_s=health_timeout_s,
                credentials=credentials,
                this_machine_only=_is_loopback(host),
            )

        self._server = WebServer("mjpeg", redacted(entry.to), host, port, build)

    @classmethod
    def from_settings(cls, entry: OutputEntry, context: SinkContext) -> Self:
        """The sink, not yet entered."""
        return cls(entry, context)

    @property
    def address(self) -> tuple[str, int]:
        """Host and port that it listens on, once it is entered."""
        return self._server.address

    @property
    def url(self) -> str:
        """Where a browser on this machine finds it, once it is entered; without credentials."""
        return self._server.url

    @property
    def notes(self) -> Sequence[str]:
        """Nothing: what a viewer misses is gone by."""
        return ()

    def __enter__(self) -> Self:
        self._server.__enter__()
        log.info("pictures at %s", self.url)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.__exit__(kind, error, traceback)

    def write(self, scene: Scene) -> None:
        """Show the scene's picture to those who watch."""
        frame = scene.frame if scene.picture is None else replace(scene.frame, picture=scene.picture)
        number, self._number = self._number, self._number + 1
        wanted = self._watched.is_set() and self._is_due(frame.captured_s)
        jpeg = encode(number, frame, self._quality) if wanted else None
        if not self._server.call(self._gallery.take, number, frame, jpeg):
            raise SinkError("pictures are not served over HTTP: the sink is not open, or its server has ended")

    def _is_due(self, captured_s: float) -> bool:
        if not self._interval_s:
            return True
        if captured_s < self._due_s:
            return False
        # From when it was due, unless that is long ago: from now, the rate would be a whole part of the source's.
        late = captured_s - self._due_s >= self._interval_s
        self._due_s = (captured_s if late else self._due_s) + self._interval_s
        return True


def _parsed(url: str) -> tuple[str, int, tuple[str, str] | None]:
    """Host ("" where none is given), port, and user with password."""
    address, user, password = SECRETS.split(url)
    shown = redacted(url)
    if address.lower().startswith("https:"):
        raise ConfigError(f"{shown}: pictures are served over http only; put a reverse proxy with TLS in front of it")
    try:
        parts = urlsplit(address)
        port = 80 if parts.port is None else parts.port
    except ValueError as error:
        raise ConfigError(f"{shown}: no port of 0 to 65535; write http://127.0.0.1:8080/") from error
    if parts.scheme.lower() != "http" or parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ConfigError(f"{shown}: pictures are served at an address such as http://127.0.0.1:8080/, without a path")
    if bool(user) != bool(password):
        raise ConfigError(f"{shown}: viewers need a user and a password; write http://user:password@127.0.0.1:8080/")
    return parts.hostname or "", port, (user, password) if user else None


def _is_loopback(host: str) -> bool:
    if host in ("", "localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
