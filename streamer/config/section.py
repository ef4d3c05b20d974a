"""The base class of every section of settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError

from streamer.errors import ConfigError
from streamer.system.secrets import SECRETS
from streamer.system.suggestions import nearest

_NAMED = 3
_MAIN = ("uri", "name", "address")
"""Settings that users write in place of their section: `detector: starter`."""
_KEY = "[key]"
"""What pydantic adds to the location of a key of a mapping that is invalid itself."""
_SCALARS = str | int | float


class Section(BaseModel):
    """Settings that are checked when they are created and never change, so any thread may read them.

    Unknown keys are refused. A feature of another package may define a section of its own.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)


S = TypeVar("S", bound=Section)


def validated(section: type[S], values: object, *above: str) -> S:
    """The settings of a section.

    Args:
        section: the class.
        values: as they are in a file.
        above: the keys above the section.

    Raises:
        ConfigError: with a line about each invalid value: its path, the problem, the value; for an unknown key the
            nearest one.
    """
    try:
        return section.model_validate(values)
    except ValidationError as error:
        raise ConfigError(*(_line(dict(found), section, above) for found in error.errors())) from error


def ffmpeg_text(value: object) -> object:
    """A YAML number or boolean as FFmpeg writes it; other values unchanged."""
    if isinstance(value, bool):
        return str(int(value))
    return str(value) if isinstance(value, (int, float)) else value


def first_line(file: Path | str, setting: str) -> str:
    """The first line of a file with a password.

    Args:
        file: its path.
        setting: that names the file.

    Raises:
        ConfigError: it cannot be read.
    """
    try:
        return Path(file).read_text(encoding="utf-8").partition("\n")[0].strip("\r")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or ("no such file" if "\0" in str(file) else "is no text")
        raise ConfigError(f"{setting}: cannot read {file}: {reason}") from error


def _line(found: dict[str, Any], section: type[BaseModel], above: tuple[str, ...]) -> str:
    location, given = found["loc"], found["input"]
    if location and location[-1] == _KEY:  # the message names the key
        location = location[:-2]
    path = ".".join(str(part) for part in (*above, *location))
    if found["type"] == "extra_forbidden":
        return f"{path}: no such setting{nearest(str(location[-1]), _fields_at(section, location[:-1]))}"
    if found["type"] == "model_type":
        names = _fields_at(section, location)
        is_main = isinstance(given, str) and names[0] in _MAIN
        example = f", such as {{{names[0]}: {given}}}" if is_main else f" ({', '.join(names[:_NAMED])}, ...)"
        return f"{path}: give the settings of this section below it{SECRETS.hide(example)}"
    message = found["msg"].removeprefix("Value error, ").replace("a valid tuple", "a list")
    value = SECRETS.hide(repr(given))
    is_told = not isinstance(given, _SCALARS) or "password" in path or value in message
    got = "" if is_told else f" (got {value})"
    return f"{path}: {message[0].lower()}{message[1:]}{got}" if path else f"{message}{got}"


def _fields_at(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """The names of the fields of the section at a location inside another section."""
    annotation: Any = model
    for part in location:
        if get_origin(annotation) in (tuple, dict):  # the part is an index, or the key of an entry
            annotation = next(one for one in reversed(get_args(annotation)) if one is not Ellipsis)
        else:
            annotation = annotation.model_fields[part].annotation
    assert issubclass(annotation, BaseModel)
    return [field.alias or name for name, field in annotation.model_fields.items()]
