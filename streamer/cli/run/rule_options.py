"""The lines and zones of `run --line` and `run --zone`. Main thread."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Sequence
from typing import Any, TypeVar

from streamer.config.analytics import AnalyticsSettings, LineSettings, ShapeSettings, ZoneSettings
from streamer.config.section import validated
from streamer.config.settings import Settings
from streamer.errors import ConfigError

R = TypeVar("R", bound=ShapeSettings)

EXAMPLES = {"line": "gate=0.2,0.5,0.8,0.5", "zone": "door=0.1,0.1,0.4,0.1,0.4,0.9"}


def with_rules(settings: Settings, lines: Sequence[str], zones: Sequence[str]) -> Settings:
    """The settings with the lines and zones of the command line after their own.

    Args:
        settings: of the run.
        lines, zones: as typed: `NAME=x,y,x,y`, or the numbers alone, which get the names line, line-2, ...

    Raises:
        ConfigError: with the option, its value and the remedy.
    """
    if not (lines or zones):
        return settings
    before = settings.analytics
    taken = {rule.name for rule in before.rules} | {text.partition("=")[0] for text in (*lines, *zones) if "=" in text}
    line_names, zone_names = _names("line", taken), _names("zone", taken)
    together = {
        **dict(before),
        "lines": (*before.lines, *(_rule(LineSettings, "line", text, line_names) for text in lines)),
        "zones": (*before.zones, *(_rule(ZoneSettings, "zone", text, zone_names) for text in zones)),
    }
    return settings.model_copy(update={"analytics": validated(AnalyticsSettings, together)})


def _names(kind: str, taken: Collection[str]) -> Iterator[str]:
    """line, line-2, line-3, ... without those that are taken."""
    numbered = itertools.chain([kind], (f"{kind}-{number}" for number in itertools.count(2)))
    return (name for name in numbered if name not in taken)


def _rule(section: type[R], kind: str, text: str, names: Iterator[str]) -> R:
    name, equals, typed = text.rpartition("=")
    values: dict[str, Any] = {"name": name if equals else next(names), "points": _points(kind, text, typed)}
    try:
        return validated(section, values)
    except ConfigError as error:
        raise ConfigError(*(f"--{kind} {text}: {problem}" for problem in error.problems)) from error


def _points(kind: str, text: str, typed: str) -> list[tuple[float, float]]:
    try:
        numbers = [float(one) for one in typed.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) < 2 or len(numbers) % 2:
        raise ConfigError(f"--{kind} {text}: give x,y of each point in 0..1, such as --{kind} {EXAMPLES[kind]}")
    return list(zip(numbers[::2], numbers[1::2], strict=True))
