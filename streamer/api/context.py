"""What the operations of the API work on. Made by the main thread, used by the web server's thread."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from streamer.broadcast.broadcasts import Broadcasts
from streamer.config.web import WebSettings
from streamer.observe.log_tail import LogTail
from streamer.serve.settings_file.settings_file import SettingsFile
from streamer.serve.site import Site


@dataclass(frozen=True, slots=True)
class ApiContext:
    """The parts of the program that the API shows and changes.

    Attributes:
        site: its cameras.
        broadcasts: their live video.
        settings: of the page.
        settings_file: of the site; it may not exist yet.
        log: the last messages of the program.
    """

    site: Site
    broadcasts: Broadcasts
    settings: WebSettings
    settings_file: SettingsFile
    log: LogTail = field(default_factory=LogTail)

    @property
    def file(self) -> Path:
        """The path of the settings file."""
        return self.settings_file.path
