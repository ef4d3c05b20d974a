"""Own bodies of messages: fields of the payload in a text, or in the strings of a JSON structure. Any thread.

`{data.camera}` is replaced by that field, and nothing else is special: there are no expressions, so a template can do
nothing but this. In a structure each string is filled in before it becomes JSON, so quotes in a value need no care.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from streamer.errors import ConfigError
from streamer.notify.payload import payload_of
from streamer.store.records import EventRecord
from streamer.system.suggestions import nearest
from streamer.values.events import EventKind, EventPhase

_FIELD = re.compile(r"\{([a-z_]+(?:\.[a-z_]+)*)\}")
_SAMPLE = payload_of(EventRecord("", "", "", EventKind.ENTER, 0.0, 0.0), EventPhase.START, "")


def filled(template: Any, payload: Mapping[str, Any]) -> Any:
    """A template with the fields of a payload in place of `{...}`.

    Args:
        template: a text, or a structure of mappings and lists with texts.
        payload: see `streamer.notify.payload`.

    Returns:
        The same structure. A text that is one `{...}` and nothing else becomes the value itself, such as a number.
    """
    if isinstance(template, Mapping):
        return {key: filled(value, payload) for key, value in template.items()}
    if isinstance(template, list | tuple):
        return [filled(value, payload) for value in template]
    if not isinstance(template, str):
        return template
    if match := _FIELD.fullmatch(template):
        return _value(payload, match[1])
    return text_of(template, payload)


def text_of(template: str, payload: Mapping[str, Any]) -> str:
    """A text with the fields of a payload in place of `{...}`: null is empty, a list is joined with commas."""
    return _FIELD.sub(lambda match: _text(_value(payload, match[1])), template)


def check(template: Any, setting: str) -> None:
    """Refuse a template with a field that payloads do not have.

    Args:
        template: see `filled`.
        setting: its path in the settings.

    Raises:
        ConfigError: it names an unknown field.
    """
    known = list(_names(_SAMPLE))
    for name in _fields(template):
        if name not in known:
            raise ConfigError(f"{setting}: no field {{{name}}}{nearest(name, known)}")


def _names(payload: Mapping[str, Any], above: str = "") -> Iterator[str]:
    for name, value in payload.items():
        yield above + name
        if isinstance(value, Mapping):
            yield from _names(value, f"{above}{name}.")


def _fields(template: Any) -> Iterator[str]:
    if isinstance(template, str):
        yield from _FIELD.findall(template)
    elif isinstance(template, Mapping):
        for value in template.values():
            yield from _fields(value)
    elif isinstance(template, list | tuple):
        for value in template:
            yield from _fields(value)


def _value(payload: Mapping[str, Any], path: str) -> Any:
    value: Any = payload
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    return json.dumps(value, ensure_ascii=False) if isinstance(value, bool | Mapping) else str(value)
