"""The control socket: HTTP with JSON on a Unix socket, for the commands `reload` and `cameras`.

Requests are handled on the thread of the web server. A change of the site runs on another thread, because it waits for
cameras and detectors. The permissions of the socket's file decide who may use it.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol, Self

from aiohttp import web

from streamer.errors import ConfigError, StreamerError
from streamer.serve.control.paths import listen
from streamer.serve.health import health_of
from streamer.serve.settings_file.passwords import remember
from streamer.serve.status import CameraStatus
from streamer.system.paths import encodable
from streamer.system.secrets import SECRETS
from streamer.values.states import FrameState
from streamer.web.server import WebPages

log = logging.getLogger(__name__)


class ControlledSite(Protocol):
    """What the control socket needs of a site. The methods are called by any thread.

    A method that changes the site raises StreamerError if it changes nothing: with the reason, in one line.
    """

    def cameras(self) -> Sequence[CameraStatus]:
        """The state of all cameras."""
        ...

    def reload(self) -> Any:
        """Read the settings again and apply them; returns a dataclass whose text says what changed."""
        ...

    def add(self, name: str, settings: Mapping[str, Any]) -> None:
        """Add a camera, with the settings of its section in the site's file; those that are missing have the defaults
        of the site."""
        ...

    def remove(self, name: str) -> None:
        """End a camera."""
        ...

    def restart(self, name: str) -> None:
        """End a camera's run and begin another."""
        ...


class ControlSocket:
    """Serves the requests from entering to leaving, then removes the socket.

    | request | answer |
    |---|---|
    | `GET /cameras` | `{"cameras": [...]}`, one object per camera |
    | `POST /cameras?name=NAME` with a camera's section of the settings | `{}` |
    | `DELETE /cameras?name=NAME` | `{}` |
    | `POST /cameras/restart?name=NAME` | `{}` |
    | `POST /reload` | `{"text": "...", ...}`: what changed |

    A request that is refused, and so changes nothing, has the status 422 and the answer `{"error": "..."}`.

    Args:
        path: of the socket.
        site: what it controls.

    Raises:
        ConfigError: on entering, when the path cannot be used.
    """

    def __init__(self, path: Path, site: ControlledSite) -> None:
        self.path = path
        self._site = site
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        routes = [
            web.get("/cameras", _answered(self._cameras)),
            web.post("/cameras", _answered(self._add)),
            web.delete("/cameras", _answered(self._remove)),
            web.post("/cameras/restart", _answered(self._restart)),
            web.post("/reload", _answered(self._reload)),
        ]
        with ExitStack() as stack:
            listener = stack.enter_context(listen(self.path))
            inode = self.path.stat().st_ino
            stack.enter_context(WebPages(f"the control socket {self.path}", "", 0, routes, listener=listener))
            # Before the socket is closed: while a program listens, no other one replaces the file.
            stack.callback(self._remove_file, inode)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: object) -> None:
        self._stack.close()

    def _remove_file(self, inode: int) -> None:
        """Remove the socket, unless another program has put its own there."""
        with suppress(OSError):
            if self.path.stat().st_ino == inode:
                self.path.unlink()

    # the web server's thread

    async def _cameras(self, _: web.Request) -> dict[str, Any]:
        return {"cameras": [to_dict(camera) for camera in self._site.cameras()]}

    async def _add(self, request: web.Request) -> dict[str, Any]:
        name = _name(request)
        try:
            settings = await request.json()
        except ValueError as error:
            raise ConfigError(f"cameras.{name}: the settings are not valid JSON: {error}") from error
        if not isinstance(settings, dict):
            raise ConfigError(f'cameras.{name}: the settings must be an object, such as {{"source": {{...}}}}')
        remember(settings)
        await asyncio.to_thread(self._site.add, name, settings)
        return {}

    async def _remove(self, request: web.Request) -> dict[str, Any]:
        await asyncio.to_thread(self._site.remove, _name(request))
        return {}

    async def _restart(self, request: web.Request) -> dict[str, Any]:
        await asyncio.to_thread(self._site.restart, _name(request))
        return {}

    async def _reload(self, _: web.Request) -> dict[str, Any]:
        changes = await asyncio.to_thread(self._site.reload)
        return {"text": str(changes), **asdict(changes)}


def to_dict(camera: CameraStatus) -> dict[str, Any]:
    """A camera for JSON: its health, what it is, and its frames so far."""
    ledger = camera.stats.ledger
    return {
        "name": camera.name,
        "source": camera.source,
        "detector": None if camera.detector is None else camera.detector.name,
        **health_of(camera),
        "frames_detected": ledger.count(FrameState.DETECTED),
        "frames_dropped": ledger.count(FrameState.DROPPED) + ledger.count(FrameState.CORRUPT),
        "last_event": camera.shown_event,
    }


def _name(request: web.Request) -> str:
    name = request.query.get("name", "")
    if not name:
        raise ConfigError("the request has no camera: add ?name=NAME")
    return name


def _answered(
    handle: Callable[[web.Request], Awaitable[dict[str, Any]]],
) -> Callable[[web.Request], Awaitable[web.Response]]:
    """The handler of a request whose result, or whose error, becomes JSON without credentials."""

    async def answer(request: web.Request) -> web.Response:
        try:
            return _json(await handle(request))
        except StreamerError as error:
            return _json({"error": str(error)}, 422)
        except Exception as error:
            log.exception("%s %s failed", request.method, request.path)
            return _json({"error": f"{type(error).__name__}: {error}; the log of the site has more"}, 500)

    return answer


def _json(content: dict[str, Any], status: int = 200) -> web.Response:
    return web.json_response(text=SECRETS.hide(json.dumps(encodable(content))), status=status)
