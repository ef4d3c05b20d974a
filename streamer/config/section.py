"""The base class of every section of settings."""

from __future__ import annotations

from typing import get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError

from streamer.system.secrets import SECRETS
from streamer.system.suggestions import nearest

_NAMED = 3


class Section(BaseModel):
    """Settings that are checked when they are created and never change, so any thread may read them.

    Unknown keys are refused. A feature of another package may define a section of its own.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)


def ffmpeg_text(value: object) -> object:
    """A YAML number or boolean as FFmpeg writes it; other values unchanged."""
    if isinstance(value, bool):
        return str(int(value))
    return str(value) if isinstance(value, (int, float)) else value


def explain(error: ValidationError, section: type[BaseModel], *above: str) -> str:
    """One line about the first invalid value: its path, the problem, the value; for an unknown key the nearest one.

    Args:
        error: raised by the section.
        section: the class that was validated.
        above: the keys above the section.
    """
    first = error.errors()[0]
    path = ".".join(str(part) for part in (*above, *first["loc"]))
    if first["type"] == "extra_forbidden":
        return f"{path}: no such setting{nearest(str(first['loc'][-1]), _fields_at(section, first['loc'][:-1]))}"
    if first["type"] == "model_type":
        names = ", ".join(_fields_at(section, first["loc"])[:_NAMED])
        message = f"give the settings of this section below it ({names}, ...)"
    else:
        message = first["msg"].removeprefix("Value error, ").replace("a valid tuple", "a list")
    value = SECRETS.hide(repr(first["input"]))
    is_told = first["input"] is None or "password" in path or value in message
    got = "" if is_told else f" (got {value})"
    return f"{path}: {message[0].lower()}{message[1:]}{got}"


def _fields_at(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
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
