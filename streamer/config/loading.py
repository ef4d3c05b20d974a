"""Merges defaults, a YAML file, assignments and command-line options into checked settings.

Every error names the path of the value (`output.crf`). For an unknown key it suggests the nearest valid one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from streamer.config.section import explain
from streamer.config.settings import Settings
from streamer.errors import ConfigError


def load_settings(
    file: Path | str | None, assignments: Sequence[str] = (), options: Mapping[str, Any] | None = None
) -> Settings:
    """The settings; options override assignments, which override the file.

    Args:
        file: YAML file; None for none.
        assignments: `key.path=value`; each value is read as YAML, such as `true`, `3` or `[a, b]`. A number in the path
            is an entry of a list, counted from 0: `outputs.0.crf=28`.
        options: values by dotted path; None means not given.

    Raises:
        ConfigError: a file cannot be read, a key is unknown or a value is invalid.
    """
    merged = _read_yaml(Path(file)) if file is not None else {}
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
    try:
        return Settings.model_validate(merged)
    except ValidationError as error:
        raise ConfigError(explain(error, Settings)) from error


def _read_yaml(file: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read the configuration {file}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" (line {mark.line + 1}: {error.problem})" if mark else ""  # type: ignore[union-attr]
        raise ConfigError(f"{file} is not valid YAML{where}") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigError(f"{file} must contain sections such as 'detector:', not a {type(content).__name__}")
    return content


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


def load_site(file: Path | str, assignments: Sequence[str] = ()) -> Any:
    """TEMP."""
    from streamer.config.site import SiteSettings

    merged = _read_yaml(Path(file))
    try:
        return SiteSettings.model_validate(merged)
    except ValidationError as error:
        raise ConfigError(explain(error, SiteSettings)) from error
