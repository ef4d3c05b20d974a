"""Shows every scene to web browsers: MJPEG over HTTP, a snapshot, a page and the state of health.

The web server has its own thread (`streamer.web.server`). The thread that writes the sink encodes a frame once for all
viewers, and not at all while there is none.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from streamer.config.output import OutputEntry
from streamer.errors import ConfigError, SinkError
from streamer.features import SinkContext, SinkFeature
from streamer.interfaces import Scene
from streamer.sinks.mjpeg.jpeg import encode
from streamer.sinks.mjpeg.rate_limit import RateLimit
from streamer.system.secrets import SECRETS, redacted
from streamer.web.address import Address

_QUALITY = 80
_PATH = re.compile(r"(/[\w.~-]+)*/?", re.ASCII)


class MjpegSink(SinkFeature):
    """Serves a page with the live frames, and beside it `stream.mjpg`, `snapshot.jpg` and `healthz`.

    `stream.mjpg` is `multipart/x-mixed-replace`; each part has the headers `X-Timestamp`, the media time, and
    `X-Captured`, the monotonic clock of this machine at the frame's arrival, both in seconds. A viewer gets the newest
    frame once it has taken the one before. `snapshot.jpg` is the newest frame (503 before the first). `healthz` is 200
    while the newest frame is not older than `health_timeout_s`, else 503, with JSON that gives the reason; it needs no
    password.

    Args:
        entry: `to` is `http://[user:password@][host][:port]/[path]`. Without a host, or with `localhost`, only this
            machine can watch; `0.0.0.0` stands for all its addresses. The port is 80 by default; 0 lets the system
            choose. Outputs with the same host and port and different paths share a server. With a user and password,
            viewers must log in (HTTP Basic authentication). At most `max_fps` frames per second are encoded for
            viewers, with `quality`.
        context: not used.
        health_timeout_s: see above.
        viewer_timeout_s: a viewer that takes no data for so long is disconnected.

    Raises:
        ConfigError: an invalid address or number; on entering, a path that another output has.
        SinkUnavailable: on entering, when the server cannot listen there.
        SinkError: a frame is too large for JPEG, or the server failed.
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
        host, port, path, credentials = _parse(entry.to)
        self._quality = entry.quality or _QUALITY
        self._limit = RateLimit(entry.max_fps)
        self._number = 0
        self._watched = threading.Event()
        # Imported by runs that serve pages only: aiohttp takes 0.1 s.
        from streamer.sinks.mjpeg.pages import Pages
        from streamer.sinks.mjpeg.viewers import Broadcaster
        from streamer.web.server import WebPages

        self._this_machine_only = Address(host, port).is_loopback
        self._broadcaster = Broadcaster(self._quality, self._watched, viewer_timeout_s)
        pages = Pages(
            self._broadcaster,
            path,
            health_timeout_s=health_timeout_s,
            credentials=credentials,
            this_machine_only=self._this_machine_only,
        )
        self._server = WebPages(redacted(entry.to), host, port, pages.routes(), self._broadcaster.end)

    @property
    def address(self) -> tuple[str, int]:
        """Host and port that the server listens on, once it is entered."""
        return self._server.address

    @property
    def url(self) -> str:
        """The page for a browser on this machine, once it is entered; without credentials."""
        return self._server.url

    @property
    def destination(self) -> str:
        """The address of the page, for the start of a run."""
        others = "" if self._this_machine_only else f", from other machines at port {self.address[1]} of this one"
        return f"view at {self.url}{others}"

    @property
    def files(self) -> Sequence[Path]:
        """Always empty."""
        return ()

    @property
    def notes(self) -> Sequence[str]:
        """Always empty."""
        return ()

    def __enter__(self) -> Self:
        self._server.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: object) -> None:
        self._server.__exit__(kind, error, traceback)

    def write(self, scene: Scene) -> None:
        """Show the scene to all viewers."""
        frame = replace(scene.frame, picture=scene.shown)
        number, self._number = self._number, self._number + 1
        wanted = self._watched.is_set() and self._limit.takes(frame.captured_s)
        jpeg = encode(number, frame, self._quality) if wanted else None
        if not self._server.call(self._broadcaster.put, number, frame, jpeg):
            raise SinkError("the MJPEG output is not open, or its web server has failed")


def _parse(url: str) -> tuple[str, int, str, tuple[str, str] | None]:
    """Host (empty if not given), port, path without a slash at its end, and user with password."""
    address, user, password = SECRETS.split(url)
    shown = redacted(url)
    if address.lower().startswith("https:"):
        raise ConfigError(f"{shown}: MJPEG is served over http only; put a reverse proxy with TLS in front of it")
    try:
        parts = urlsplit(address)
        port = 80 if parts.port is None else parts.port
    except ValueError as error:
        raise ConfigError(f"{shown}: no port of 0 to 65535; write http://127.0.0.1:8080/") from error
    if parts.scheme.lower() != "http" or parts.query or parts.fragment:
        raise ConfigError(f"{shown}: MJPEG is served at an address such as http://127.0.0.1:8080/ or with a /NAME")
    if not _PATH.fullmatch(parts.path):
        raise ConfigError(f"{shown}: the path may contain letters, digits, '-', '_', '.' and '~' between slashes")
    if bool(user) != bool(password):
        raise ConfigError(f"{shown}: a login needs user and password; write http://user:password@127.0.0.1:8080/")
    return parts.hostname or "", port, parts.path.rstrip("/"), (user, password) if user else None
