"""Merges defaults, a YAML file, assignments and command-line options into checked settings.

Every error names the path of the value (`output.crf`). For an unknown key it suggests the nearest valid one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError

from streamer.config.settings import Settings
from streamer.errors import ConfigError
from streamer.system.secrets import SECRETS
from streamer.system.suggestions import nearest


def load_settings(
    file: Path | None, assignments: Sequence[str] = (), options: Mapping[str, Any] | None = None
) -> Settings:
    """The settings; options override assignments, which override the file.

    Args:
        file: YAML file; None for none.
        assignments: `key.path=value`; each value is read as YAML, such as `true`, `3` or `[a, b]`.
        options: values by dotted path; None means not given.

    Raises:
        ConfigError: a file cannot be read, a key is unknown or a value is invalid.
    """
    merged = _read_yaml(file) if file is not None else {}
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals or not key.strip():
            raise ConfigError(f"--set takes key.path=value, not {assignment!r}")
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise ConfigError(f"--set {key.strip()}: {text!r} is not a YAML value") from error
        _assign(merged, key.strip(), value)
    for key, value in (options or {}).items():
        if value is not None:
            _assign(merged, key, value)
    try:
        return Settings.model_validate(merged)
    except ValidationError as error:
        raise ConfigError(_explain(error)) from error


def _read_yaml(file: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read the configuration {file}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" (line {mark.line + 1})" if mark else ""
        raise ConfigError(f"{file} is not valid YAML{where}") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigError(f"{file} must contain sections such as 'detector:', not a {type(content).__name__}")
    return content


def _assign(target: dict[str, Any], path: str, value: Any) -> None:
    *sections, last = path.split(".")
    for section in sections:
        inner = target.setdefault(section, {})
        if not isinstance(inner, dict):
            raise ConfigError(f"{path}: {section} is a value, not a section")
        target = inner
    target[last] = value


def _explain(error: ValidationError) -> str:
    first = error.errors()[0]
    path = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return f"{path}: no such setting{nearest(str(first['loc'][-1]), _fields_at(first['loc'][:-1]))}"
    message = first["msg"].removeprefix("Value error, ").replace("a valid tuple", "a list")
    got = "" if "password" in path else f" (got {SECRETS.hide(repr(first['input']))})"
    return f"{path}: {message[0].lower()}{message[1:]}{got}"


def _fields_at(location: tuple[int | str, ...]) -> list[str]:
    model: type[BaseModel] = Settings
    for part in location:
        if isinstance(part, int):  # index of a list entry; the annotation of the list was read before
            continue
        annotation = model.model_fields[part].annotation
        if get_origin(annotation) is tuple:
            annotation = get_args(annotation)[0]
        assert isinstance(annotation, type)
        assert issubclass(annotation, BaseModel)
        model = annotation
    return list(model.model_fields)
