"""Asks a running site through its control socket. Used by the commands `reload` and `cameras`, on one thread.

`http.client` of the standard library, because a command that imports aiohttp starts later.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from streamer.errors import ConfigError, StreamerError

_CONNECT_S = 5.0
_LIST_S = 10.0


class NoSite(ConfigError):
    """No program listens on the socket."""


class SiteClient:
    """The site behind a control socket.

    Args:
        path: of the socket.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def cameras(self) -> list[dict[str, Any]]:
        """The state of each camera: see `streamer.serve.control.server.to_dict`. Raises as `reload`."""
        found: list[dict[str, Any]] = self._ask("GET", "/cameras")["cameras"]
        return found

    def add(self, name: str, settings: Mapping[str, Any]) -> None:
        """Add a camera; the settings are those of its section in the site's file. Raises as `reload`."""
        self._ask("POST", "/cameras", name, settings)

    def remove(self, name: str) -> None:
        """End a camera. Raises as `reload`."""
        self._ask("DELETE", "/cameras", name)

    def restart(self, name: str) -> None:
        """End a camera's run and begin another. Raises as `reload`."""
        self._ask("POST", "/cameras/restart", name)

    def reload(self) -> str:
        """Read the site's file again; returns one line that says what changed. Waits until it is applied.

        Raises:
            NoSite: no program listens on the socket, or this user may not connect.
            ConfigError: the site refuses, and has changed nothing.
            StreamerError: the answer did not arrive.
        """
        try:
            return str(self._ask("POST", "/reload")["text"])
        except NoSite:
            raise
        except ConfigError as error:
            raise ConfigError(f"{error}; nothing is changed") from error

    def _ask(self, method: str, path: str, name: str = "", body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        target = f"{path}?{urlencode({'name': name}, errors='surrogateescape')}" if name else path
        connection = _UnixConnection(self._path)
        try:
            connection.connect()
            connection.sock.settimeout(_LIST_S if method == "GET" else None)  # a change may load a model
        except PermissionError as error:
            raise NoSite(f"{self._path} belongs to another user; run the command as that user, or with sudo") from error
        except OSError as error:
            raise NoSite(f"no 'streamer serve' is running at {self._path} ({error.strerror or error})") from error
        try:
            connection.request(method, target, None if body is None else json.dumps(body))
            response = connection.getresponse()
            answer = json.loads(response.read())
        except TimeoutError as error:
            raise StreamerError(f"the site at {self._path} does not answer within {_LIST_S:g} s") from error
        except (OSError, http.client.HTTPException) as error:
            raise StreamerError(f"the site at {self._path} ended before it answered") from error
        except ValueError as error:
            raise StreamerError(f"{self._path} does not answer like 'streamer serve'; restart the site") from error
        finally:
            connection.close()
        if response.status != http.HTTPStatus.OK:
            raise (ConfigError if response.status < 500 else StreamerError)(answer["error"])
        return dict(answer)


class _UnixConnection(http.client.HTTPConnection):
    """HTTP on a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost")
        self._path = path

    def connect(self) -> None:
        """Connect. Raises OSError."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(_CONNECT_S)
        self.sock.connect(os.fspath(self._path))
