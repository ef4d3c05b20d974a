"""Merges defaults, a YAML file, assignments and command-line options into checked settings.

Every error names the path of the value (`output.crf`). For an unknown key it suggests the nearest valid one. The
functions are called by any thread.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from streamer.config.layers import of_source
from streamer.config.section import validated
from streamer.config.settings import Settings
from streamer.config.site import SiteSettings
from streamer.errors import ConfigError
from streamer.system.secrets import SECRETS
from streamer.system.yaml_file import read_yaml

_OF_CAMERA = re.compile(r"^cameras\.[^.:]+\.")


def load_settings(
    file: Path | str | None, assignments: Sequence[str] = (), options: Mapping[str, Any] | None = None
) -> Settings:
    """The settings of a run; options override assignments, which override the file.

    Args:
        file: YAML file; None for none.
        assignments: `key.path=value`; each value is read as YAML, such as `true`, `3` or `[a, b]`. A number in the path
            is an entry of a list, counted from 0: `outputs.0.crf=28`.
        options: values by dotted path; None means not given.

    Raises:
        ConfigError: a file cannot be read, a key is unknown or a value is invalid.
    """
    values = unchecked_values(file, assignments, options)
    if "cameras" in values:
        raise ConfigError(f"{file or 'cameras'}: a run has one source; for several (cameras:) use 'streamer serve'")
    return validated(Settings, values)


def load_site(
    file: Path | str | None, assignments: Sequence[str] = (), options: Mapping[str, Any] | None = None
) -> SiteSettings:
    """The settings of a site. `streamer.serve.checks.outputs` compares its cameras with one another.

    From now on messages contain no password of its addresses.

    Args:
        file, assignments, options: as of `load_settings`, such as `cameras.front.source.uri=rtsp://192.0.2.10/stream1`.

    Raises:
        ConfigError: a file cannot be read, a key is unknown or given twice, or a value is invalid.
    """
    try:
        site = validated(SiteSettings, unchecked_values(file, assignments, options))
    except ConfigError as error:
        raise ConfigError(*_told_once(error.problems)) from error
    if problems := list(site.problems()):
        raise ConfigError(*problems)
    for camera in site.cameras.values():
        for address in (camera.source.uri or "", *(output.to for output in camera.outputs)):
            SECRETS.split(address)
    return site


def _told_once(problems: Sequence[str]) -> list[str]:
    """The problems without those that a camera has from the defaults, which are told for the defaults."""
    return [
        one
        for one in problems
        if one == _OF_CAMERA.sub("defaults.", one) or _OF_CAMERA.sub("defaults.", one) not in problems
    ]


def is_site(file: Path | str | None, assignments: Sequence[str] = ()) -> bool:
    """Whether the settings are those of a site, with `cameras:` even if misspelled, and not those of one run.

    Raises:
        ConfigError: the file cannot be read.
    """
    values = unchecked_values(file, assignments, None)
    return any(str(key).casefold().startswith(("camera", "defaults", "detectors", "web", "control")) for key in values)


def unchecked_values(
    file: Path | str | None, assignments: Sequence[str], options: Mapping[str, Any] | None
) -> dict[str, Any]:
    """The values that `load_settings` checks, by section. Arguments and errors as there."""
    merged = read_yaml(Path(file)) if file is not None else {}
    if isinstance(cameras := merged.get("cameras"), dict):
        merged["cameras"] = {name: of_source(camera) for name, camera in cameras.items()}
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals or not key.strip():
            raise ConfigError(f"a setting is given as key.path=value, not {assignment!r}")
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise ConfigError(f"{key.strip()}: {text!r} is not a YAML value") from error
        _assign(merged, key.strip(), value)
    for key, value in (options or {}).items():
        if value is not None:
            _assign(merged, key, value)
    return merged


def _assign(target: dict[str, Any], path: str, value: Any) -> None:
    holder: Any = target
    *above, last = path.split(".")
    for key in above:
        holder = holder[_index(holder, key, path)] if isinstance(holder, list) else holder.setdefault(key, {})
        if not isinstance(holder, dict | list):
            raise ConfigError(f"{path}: {key} is a value, not a section")
    holder[_index(holder, last, path) if isinstance(holder, list) else last] = value


def _index(entries: list[Any], key: str, path: str) -> int:
    if not key.isdecimal() or int(key) >= len(entries):
        raise ConfigError(f"{path}: no entry {key!r}; the list has {len(entries)}, counted from 0")
    return int(key)
