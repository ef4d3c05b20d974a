"""The settings file of a site: what is in it, and one change of it at a time. Any thread.

A change is checked as a whole, with the code of a reload, before the file is replaced in one step. Then it is applied;
if that fails, the file is as it was before.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from streamer.config.layers import long_form, of_source
from streamer.config.loading import load_site
from streamer.config.site import SiteSettings
from streamer.errors import ConfigError
from streamer.serve.checks.file import check_site
from streamer.serve.settings_file.replacing import Replacement
from streamer.serve.settings_file.yaml_text import YamlText
from streamer.system.yaml_file import read_yaml

_DIGITS = 16
_NEW = """\
# The cameras of 'streamer serve'. The page changes this file, and keeps comments and order.
# After a change by hand: streamer reload. To check it: streamer check. All settings: docs/serve.md
"""


class FileChanged(ConfigError):
    """Somebody else has changed the file since its revision was read."""


class SettingsFile:
    """Reads the file, with the values of the command line above it.

    Args:
        path: of the file.
        assignments: values of the command line, `key.path=value`, which override the file and are never written.
        events: the folder for events of a site whose file does not exist yet; None: the file must exist.
    """

    def __init__(self, path: Path, assignments: Sequence[str] = (), *, events: Path | None = None) -> None:
        self.path = path
        self._assignments = tuple(assignments)
        self._events = events
        self._lock = threading.Lock()  # held during a change
        self._is_made = threading.Event()  # the file exists, or has existed
        if events is None or path.exists():
            self._is_made.set()

    def load(self) -> SiteSettings:
        """The settings of the site; those of an empty one if there is no file yet.

        Raises:
            ConfigError: as of `load_site`.
        """
        if self._is_new:
            return load_site(None, [f"store.folder={json.dumps(str(self._events))}", *self._assignments])
        return load_site(self.path, self._assignments)

    @property
    def revision(self) -> str:
        """A digest of the file's bytes, as they are now; that of an empty file if there is none yet, and empty if it
        cannot be read: then `change` says why.
        """
        try:
            return revision_of(self._read())
        except ConfigError:
            return ""

    def camera(self, name: str) -> dict[str, Any] | None:
        """The section of a camera as it is in the file, in its long form, with passwords; None if it has none.

        Raises:
            ConfigError: the file cannot be read.
        """
        cameras = None if self._is_new else read_yaml(self.path).get("cameras")
        for key, value in cameras.items() if isinstance(cameras, dict) else ():
            if str(key) == name and not isinstance(key, bool):
                settings = long_form(of_source(value))
                return dict(settings) if isinstance(settings, dict) else {}
        return None

    def change(
        self, edit: Callable[[YamlText], None], apply: Callable[[], object], revision: str | None = None
    ) -> None:
        """Change the file and apply it. A second change waits for the first one.

        Args:
            edit: changes the values.
            apply: reads the file again, and changes the site.
            revision: that the file must have; None for any.

        Raises:
            FileChanged: it has another revision; nothing is changed.
            ConfigError, ModelError: the file cannot be written, the settings are invalid, or they cannot be applied;
                nothing is changed.
        """
        changed = f"somebody else has changed {self.path}; read it again, then make the change"
        with self._lock:
            before = self._read()
            if revision is not None and revision != revision_of(before):
                raise FileChanged(changed)
            text = YamlText(self._text(before), str(self.path))
            edit(text)
            content = text.text().encode()
            if content == before:
                return
            new = Replacement(self.path, content)
            try:
                check_site(load_site(new.path, self._assignments))
                if self._read() != before:  # by hand, meanwhile
                    raise FileChanged(changed)
                new.use()
            except BaseException:
                new.discard()
                raise
            try:
                apply()
            except BaseException:
                new.take_back()
                raise
            new.discard()

    @property
    def _is_new(self) -> bool:
        """Whether the file has never existed: one that is gone is an error, so that no cameras are lost with it."""
        if not self._is_made.is_set() and self.path.exists():
            self._is_made.set()
        return not self._is_made.is_set()

    def _text(self, content: bytes) -> str:
        if self._is_new:
            new = YamlText(_NEW)
            new.set(("store", "folder"), str(self._events))
            return new.text()
        try:
            return content.decode()
        except UnicodeDecodeError as error:
            raise ConfigError(f"{self.path} is not valid YAML: it is no UTF-8 text") from error

    def _read(self) -> bytes:
        if self._is_new:
            return b""
        try:
            return self.path.read_bytes()
        except OSError as error:
            raise ConfigError(f"cannot read the configuration {self.path}: {error.strerror}") from error


def revision_of(content: bytes) -> str:
    """The revision of a file with these bytes."""
    return hashlib.sha256(content).hexdigest()[:_DIGITS]
