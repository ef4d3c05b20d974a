"""The settings file of a site: what is in it, and one change of it at a time. Any thread."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from streamer.config.layers import long_form, of_source
from streamer.config.loading import load_site
from streamer.config.site import SiteSettings
from streamer.errors import ConfigError
from streamer.system.yaml_file import read_yaml

_DIGITS = 16


class SettingsFile:
    """Reads the file, with the values of the command line above it.

    Args:
        path: of the file.
        assignments: values of the command line, `key.path=value`, which override the file and are never written.
        events: the folder for events of a site without a file; None: the file must exist.
    """

    def __init__(self, path: Path, assignments: Sequence[str] = (), *, events: Path | None = None) -> None:
        self.path = path
        self._assignments = tuple(assignments)
        self._events = events
        self._lock = threading.Lock()  # held during a change

    def load(self) -> SiteSettings:
        """The settings of the site.

        Raises:
            ConfigError: as of `load_site`.
        """
        if self._events is None or self.path.exists():
            return load_site(self.path, self._assignments)
        options = {"store.folder": str(self._events)}
        return load_site(None, [*(f"{key}={value}" for key, value in options.items()), *self._assignments])

    @property
    def revision(self) -> str:
        """A digest of the file's bytes, as they are now; that of an empty file if there is none.

        Raises:
            ConfigError: the file cannot be read.
        """
        return revision_of(self._read())

    def camera(self, name: str) -> dict[str, Any] | None:
        """The section of a camera as it is in the file, in its long form, with passwords; None if it has none.

        Raises:
            ConfigError: the file cannot be read.
        """
        cameras = read_yaml(self.path).get("cameras") if self.path.exists() else None
        for key, value in (cameras or {}).items() if isinstance(cameras, dict) else ():
            if str(key) == name and not isinstance(key, bool):
                settings = long_form(of_source(value))
                return dict(settings) if isinstance(settings, dict) else {}
        return None

    def _read(self) -> bytes:
        try:
            return self.path.read_bytes()
        except FileNotFoundError:
            return b""
        except OSError as error:
            raise ConfigError(f"cannot read the configuration {self.path}: {error.strerror}") from error


def revision_of(content: bytes) -> str:
    """The revision of a file with these bytes."""
    return hashlib.sha256(content).hexdigest()[:_DIGITS]
