"""What the operations of the API work on. Made by the main thread, used by the web server's thread."""

from __future__ import annotations

from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path

from streamer.accounts.guard import Guard
from streamer.api.operation import Problem
from streamer.broadcast.broadcasts import Broadcasts
from streamer.browser_camera.sessions import BrowserCameras
from streamer.config.web import WebSettings
from streamer.observe.log_tail import LogTail
from streamer.serve.settings_file.settings_file import SettingsFile
from streamer.serve.site import Site
from streamer.store.event_store import EventStore

NO_STORE = "this site stores no events; set store.folder in its settings file, and restart it"
NOT_OPEN = "the store is not open yet; try again, or restart the site if store.folder was set while it ran"


@dataclass(frozen=True, slots=True)
class ApiContext:
    """The parts of the program that the API shows and changes.

    Attributes:
        site: its cameras.
        broadcasts: their live video.
        settings: of the page.
        settings_file: of the site; it may not exist yet.
        guard: knows the user of a request, and refuses requests.
        log: the last messages of the program.
        browser_cameras: webcams of browsers, which use its detectors.
    """

    site: Site
    broadcasts: Broadcasts
    settings: WebSettings
    settings_file: SettingsFile
    guard: Guard
    browser_cameras: BrowserCameras
    log: LogTail = field(default_factory=LogTail)

    @property
    def file(self) -> Path:
        """The path of the settings file."""
        return self.settings_file.path

    @property
    def store(self) -> EventStore | None:
        """The events of the site; None if none are stored.

        Raises:
            Problem: the site starts, and has not opened them yet.
        """
        events = self.site.events
        if events is None and self.site.settings.store.folder is not None:
            raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, NOT_OPEN, headers={"Retry-After": "1"})
        return None if events is None else events.store

    def required_store(self) -> EventStore:
        """The same, for an operation that is useless without one.

        Raises:
            Problem: there is none, or it is not open yet; with the remedy.
        """
        store = self.store
        if store is None:
            raise Problem(HTTPStatus.NOT_FOUND, NO_STORE)
        return store
