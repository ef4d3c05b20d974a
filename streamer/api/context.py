"""What the operations of the API work on. Made by the main thread, used by the web server's thread."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from streamer.accounts.guard import Guard
from streamer.broadcast.broadcasts import Broadcasts
from streamer.config.web import WebSettings
from streamer.serve.site import Site


@dataclass(frozen=True, slots=True)
class ApiContext:
    """The parts of the program that the API shows and changes.

    Attributes:
        site: its cameras.
        broadcasts: their live video.
        settings: of the page.
        file: the settings file of the site; it may not exist yet.
        guard: knows the user of a request, and refuses requests.
    """

    site: Site
    broadcasts: Broadcasts
    settings: WebSettings
    file: Path
    guard: Guard
