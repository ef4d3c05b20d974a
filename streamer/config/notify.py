"""Settings of the targets that are told of events. Any thread may read them.

`TargetSettings` is what all targets have in common. The class of each kind in `registry.TARGETS` has a subclass of it
as its `section`, which checks the settings of its targets.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, SerializeAsAny, ValidationError, WrapValidator, field_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from streamer.config.schedule import ScheduleSettings
from streamer.config.section import Section
from streamer.errors import ConfigError
from streamer.registry import TARGETS
from streamer.system.suggestions import nearest
from streamer.values.events import EventKind

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_EXAMPLE = "door: {type: webhook, url: https://example.com/hook}"

MessageType = Literal["moment", "start", "update", "end", "file"]
"""The part of an event that a message tells. `file`: a file of it, such as its clip, has become complete."""


class TargetSettings(Section):
    """What all targets have in common: which messages they get, and how long they are tried."""

    type: str
    """The kind of the target: webhook, command, mqtt, apprise, or one of another package."""
    cameras: tuple[str, ...] = ()
    """Only events of these cameras; of all if empty."""
    rules: tuple[str, ...] = ()
    """Only events of these rules, such as the name of a line or zone."""
    kinds: tuple[EventKind, ...] = ()
    """Only what happened in these ways: crossing, enter, leave, dwell, ..."""
    labels: tuple[str, ...] = ()
    """Only objects of these classes."""
    zones: tuple[str, ...] = ()
    """Only objects that have been in one of these zones."""
    phases: tuple[MessageType, ...] = ()
    """Only these parts of an event: moment, start, update, end, file (a clip or snapshot that is complete)."""
    min_score: float | None = Field(default=None, ge=0, le=1)
    """Only objects whose highest score is at least this; events without an object are not concerned."""
    cooldown_s: float = Field(default=0.0, ge=0)
    """After an event no other event of the same rule and camera is told for so long. The parts of an event belong
    together: an event is told to its end, or not at all."""
    quiet: tuple[ScheduleSettings, ...] = ()
    """Events that start in these times are not told."""
    snapshot: bool = True
    """Send the picture of the event along."""
    timeout_s: float = Field(default=10.0, gt=0, le=600)
    """The longest time for one attempt."""
    retry_for_s: float | None = Field(default=None, gt=0)
    """A message is dropped when it could not be delivered for so long; null: never."""
    first_wait_s: float = Field(default=0.5, gt=0)
    """Wait before the first new attempt; later waits grow."""
    longest_wait_s: float = Field(default=60.0, ge=0.5)
    """Longest wait between two attempts."""


def _fitting(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"{name!r} is no name of a target: give up to 64 letters, digits, - and _; the first is a letter or a digit"
        )
    return name


def _checked(value: object, _: Any) -> TargetSettings:
    """The settings of one target, checked by the section of its kind."""
    if isinstance(value, TargetSettings):
        return value
    if not isinstance(value, dict):
        raise ValueError(f"give the settings of a target, such as {{{_EXAMPLE}}}")
    kind = value.get("type")
    if not isinstance(kind, str) or kind not in TARGETS:
        if "type" in value:
            raise ValueError(f"no type {kind!r}{nearest(str(kind), TARGETS)}")
        raise ValueError(f"give its type: {', '.join(TARGETS)}")
    try:
        section = TARGETS[kind].section
        checked: TargetSettings = section.model_validate(value)
    except ConfigError as error:  # a package that cannot be imported
        raise ValueError(str(error)) from error
    except ValidationError as error:
        raise _with_suggestions(error, list(section.model_fields)) from error
    return checked


def _with_suggestions(error: ValidationError, fields: list[str]) -> ValidationError:
    """The same errors; unknown settings are compared with those of this kind of target."""
    details: list[InitErrorDetails] = []
    for found in error.errors():
        kind: Any = found["type"]
        if kind == "extra_forbidden" and len(found["loc"]) == 1:
            text = f"no such setting{nearest(str(found['loc'][0]), fields)}"
            kind, found["input"] = PydanticCustomError("no_such_setting", "{text}", {"text": text}), None
        elif kind != "extra_forbidden":
            kind = PydanticCustomError("invalid", "{text}", {"text": found["msg"].removeprefix("Value error, ")})
        details.append(InitErrorDetails(type=kind, loc=found["loc"], input=found["input"]))
    return ValidationError.from_exception_data(error.title, details)


TargetName = Annotated[str, AfterValidator(_fitting)]
"""Up to 64 letters, digits, - and _."""
AnyTarget = Annotated[SerializeAsAny[TargetSettings], WrapValidator(_checked)]
"""The settings of a target, of the class that belongs to its type."""


class NotifySettings(Section):
    """Who is told of events."""

    targets: dict[TargetName, AnyTarget] = {}
    """By name, which is in log lines and metrics. A target that gets another name is another target."""

    @field_validator("targets", mode="before")
    @classmethod
    def _are_named(cls, value: object) -> object:
        if isinstance(value, list | tuple):
            raise ValueError(f"this is a list; give each target below its name, such as {_EXAMPLE}")
        return value
