"""Changes of a site that stay: cameras and their rules in its settings file. Any thread; a change waits for cameras."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from streamer.config.layers import of_source
from streamer.errors import ConfigError
from streamer.serve.settings_file.passwords import remember, restored
from streamer.serve.settings_file.settings_file import SettingsFile
from streamer.serve.settings_file.yaml_text import YamlText
from streamer.serve.site import Site

Settings = Mapping[str, Any]
_CAMERAS = "cameras"
_DEFAULTS = "defaults"
_RULES = "analytics"


class SiteEditor:
    """Changes the settings file of a site, and applies it by a reload.

    Each method raises, and nothing is changed:

    * FileChanged: the file has another revision than the given one; None is any.
    * ConfigError, ModelError: the file cannot be written, the settings are invalid, or they cannot be applied.

    Args:
        site: gets the changes.
        file: its settings file.
    """

    def __init__(self, site: Site, file: SettingsFile) -> None:
        self._site, self._file = site, file

    def add(self, name: str, settings: Settings, revision: str | None) -> None:
        """Add a camera with the settings of its section."""
        new = restored(settings, {}, f"{_CAMERAS}.{name}")
        remember(new)

        def edit(text: YamlText) -> None:
            if name in self._site.settings.cameras or _section(text, name) is not None:
                raise ConfigError(f"there is a camera {name!r} already; choose another name")
            text.set((_CAMERAS, name), _short(new))

        self._change(edit, revision)

    def replace(self, name: str, settings: Settings, revision: str | None) -> None:
        """Replace the section of a camera; each `***` stays the password that it stands for."""

        def edit(text: YamlText) -> None:
            before = self._own(text, name)
            new = restored(settings, of_source(before), f"{_CAMERAS}.{name}")
            remember(new)
            text.set((_CAMERAS, name), _in_form_of(before, new))

        self._change(edit, revision)

    def remove(self, name: str, revision: str | None) -> None:
        """Remove a camera."""

        def edit(text: YamlText) -> None:
            self._own(text, name)
            text.remove((_CAMERAS, name))

        self._change(edit, revision)

    def set_rules(self, name: str, rules: Mapping[str, Sequence[Settings]], revision: str | None) -> None:
        """Replace lists of rules of a camera.

        Args:
            name: of the camera.
            rules: by section: `lines`, `zones`.
            revision: of the file.
        """

        def edit(text: YamlText) -> None:
            before = self._own(text, name)
            if not isinstance(before, Mapping) and any(rules.values()):
                text.set((_CAMERAS, name), of_source(before))
            for section, new in rules.items():
                _set_rules(text, (_CAMERAS, name, _RULES), section, new)

        self._change(edit, revision)

    def _change(self, edit: Any, revision: str | None) -> None:
        self._file.change(edit, lambda: self._site.reload(wait=True), revision)

    def _own(self, text: YamlText, name: str) -> Any:
        """The section of a camera.

        Raises:
            ConfigError: it has none.
        """
        found = _section(text, name)
        if found is None:
            raise ConfigError(
                f"camera {name!r} is not in {self._file.path}: it was added by a command, and stays until the next "
                f"reload; add it to the file to change it"
            )
        return found


def _section(text: YamlText, name: str) -> Any:
    cameras = text.values.get(_CAMERAS)
    for key, value in cameras.items() if isinstance(cameras, Mapping) else ():
        if str(key) == name and not isinstance(key, bool):
            return {} if value is None else value
    return None


def _set_rules(text: YamlText, path: tuple[str, ...], section: str, new: Sequence[Settings]) -> None:
    """An empty list is written only where the defaults have one that it replaces."""
    if new or _at(text.values, (_DEFAULTS, _RULES, section)):
        text.set((*path, section), list(new))
    elif _at(text.values, (*path, section)) is not None:
        text.remove((*path, section))
        if _at(text.values, path) == {}:
            text.remove(path)


def _at(values: Any, path: Sequence[str]) -> Any:
    for part in path:
        values = values.get(part) if isinstance(values, Mapping) else None
    return values


def _short(settings: Settings) -> Any:
    """`front: rtsp://192.0.2.10/stream1` for a camera of which only the source is given."""
    source = settings.get("source")
    if len(settings) == 1 and isinstance(source, Mapping) and len(source) == 1 and isinstance(source.get("uri"), str):
        return source["uri"]
    return settings


def _in_form_of(before: Any, settings: Settings) -> Any:
    """New settings in the short forms that are in the file."""
    if not isinstance(before, Mapping):
        return _short(settings)
    detector = before.get("detector")
    if isinstance(detector, str) and settings.get("detector") == {"name": detector}:
        return {**settings, "detector": detector}
    return settings
