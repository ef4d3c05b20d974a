"""Settings: defaults < YAML file < options. Validated once at the start, by the main thread.

Every message names the path of the value (`output.crf`), and an unknown key gets the nearest valid one.
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
    """Settings from a YAML file, then `key.path=value` assignments, then command-line options.

    Args:
        file: YAML file, or None.
        assignments: values are read as YAML, so `true`, `3` and `[a, b]` are what they look like.
        options: by dotted path; None means not given.

    Raises:
        ConfigError: an unreadable file, an unknown key or a value that does not fit; one line with the path.
    """
    merged = _read_yaml(file) if file is not None else {}
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals or not key.strip():
            raise ConfigError(f"--set needs key.path=value, not {assignment!r}")
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
        raise ConfigError(f"{file} must hold sections such as 'detector:', not a {type(content).__name__}")
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
        if isinstance(part, int):  # an entry of a list, whose kind is known already
            continue
        annotation = model.model_fields[part].annotation
        if get_origin(annotation) is tuple:
            annotation = get_args(annotation)[0]
        assert isinstance(annotation, type)
        assert issubclass(annotation, BaseModel)
        model = annotation
    return list(model.model_fields)
