"""The whole API of a real site, in this process."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from streamer.api.context import ApiContext
from streamer.api.operations import all_operations
from streamer.api.router import routes
from streamer.broadcast.broadcasts import Broadcasts
from streamer.browser_camera.sessions import BrowserCameras
from streamer.errors import Interrupted
from streamer.page.files import routes as page_routes
from streamer.serve.settings_file.settings_file import SettingsFile
from streamer.serve.site import Site
from streamer.serve.status import CameraStatus
from streamer.store.event_store import EventStore
from streamer.web.server import WebPages
from tests.api.served import Client, guard

STARTS_WITHIN_S = 30.0


class Served(NamedTuple):
    """A site with a client of its API."""

    client: Client
    site: Site

    @property
    def store(self) -> EventStore:
        """Its events."""
        assert self.site.events is not None
        return self.site.events.store


class _Started:
    """A reporter that waits for the first refresh."""

    def __init__(self) -> None:
        self.event = threading.Event()

    def say(self, text: str) -> None: ...

    def message(self, name: str, text: str) -> None: ...

    def refresh(self, cameras: Sequence[CameraStatus]) -> None:  # noqa: ARG002
        self.event.set()


@contextmanager
def served_site(folder: Path, *, port: int = 0, runs: bool = True, **settings: Any) -> Iterator[Served]:
    """A site with these settings, its page and its API; without any, it has no cameras and stores no events.

    Args:
        folder: for the settings file and the accounts.
        port: 0: a free one.
        runs: False: the site has not started yet.
        settings: sections of the settings file, if there is none in the folder yet.
    """
    file = SettingsFile(folder / "site.yaml")
    if not file.path.exists():
        file.path.write_text(json.dumps(settings), encoding="utf-8")
    with ExitStack() as stack:
        web = file.load().web
        broadcasts = Broadcasts(web.live)
        started = _Started()
        site = Site(file.load(), file.load, started, viewers=broadcasts)
        if runs:
            stack.enter_context(_running(site, started))
        stack.callback(broadcasts.close)
        local = stack.enter_context(guard(folder))
        webcams = BrowserCameras(site, web, broadcasts.viewers)
        context = ApiContext(site, broadcasts, web, file, local, webcams)
        served = [*page_routes(), *routes(all_operations(context), local)]
        pages = WebPages("the API", "127.0.0.1", port, served, webcams.close)
        yield Served(Client(stack.enter_context(pages).address), site)


@contextmanager
def _running(site: Site, started: _Started) -> Iterator[None]:
    failed = list[BaseException]()

    def run() -> None:
        try:
            site.run()
        except Interrupted:
            pass
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        assert started.event.wait(STARTS_WITHIN_S), failed
        yield
    finally:
        site.stop()
        thread.join(STARTS_WITHIN_S)
    assert not failed
