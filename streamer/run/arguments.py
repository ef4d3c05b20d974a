"""Checks the arguments of `streamer.open` and `streamer.load_detector`. Called by the thread that calls these."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from streamer.config.loading import load_settings
from streamer.config.settings import Settings
from streamer.errors import ConfigError
from streamer.run.own_parts import OwnParts

_PARTS: Mapping[str, tuple[str, ...]] = {
    "Source": ("info", "take_damage", "stop", "__enter__", "__exit__", "__iter__"),
    "Detector": ("labels", "detect", "close"),
    "Tracker": ("update", "to_carry", "predict", "reset"),
    "Annotator": ("draw",),
    "Sink": ("stage", "main_thread", "wants_picture", "notes", "write", "__enter__", "__exit__"),
}
"""What a part of your own must have. A class that derives from the protocol of that name gets the defaults."""


def merged_settings(
    settings: Settings | Mapping[str, Any] | None,
    named: Mapping[str, Any],
    classes: Sequence[str],
    min_score: float | None,
) -> Settings:
    """The settings with the arguments that have a name of their own, which come first.

    Args:
        settings: loaded, or by dotted name.
        named: values by dotted name; None means not given.
        classes: `detector.classes`; not given if empty.
        min_score: `detector.min_score`; not given if None.

    Raises:
        ConfigError: a name is unknown or a value is invalid.
    """
    if isinstance(classes, str):
        raise ConfigError(f"classes is a list of names, not the text {classes!r}")
    if isinstance(settings, Settings):
        settings = settings.model_dump()
    given = {**named, "detector.classes": list(classes) or None, "detector.min_score": min_score}
    return load_settings(None, (), {**(settings or {}), **{key: one for key, one in given.items() if one is not None}})


def check_parts(own: OwnParts) -> None:
    """Refuse a part that lacks something, before anything is opened.

    Raises:
        TypeError: a part is a class, or lacks a method or an attribute.
    """
    parts: list[tuple[str, object]] = [("Source", own.source), ("Detector", own.detector), ("Tracker", own.tracker)]
    parts += [("Annotator", one) for one in own.annotators]
    parts += [("Sink", one) for one in own.sinks]
    for kind, part in parts:
        name = type(part).__name__
        if isinstance(part, type):
            raise TypeError(f"{part.__name__} is a class; give an instance of it as {kind.lower()}")
        missing = [one for one in _PARTS[kind] if part is not None and not hasattr(part, one)]
        if missing:
            raise TypeError(
                f"{name} is no {kind.lower()}: it has no {', '.join(missing)}; derive it from streamer.{kind}"
            )
