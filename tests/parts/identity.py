"""Compares the frames of parts with those of a run over the whole file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from streamer.config.loading import load_settings
from streamer.config.settings import Settings
from streamer.parts.digests import picture_digest
from streamer.parts.part_source import PartSource
from streamer.parts.plan import Plan
from streamer.parts.planning import make_plan
from streamer.sources.selection import open_source
from streamer.values.frame import Frame


def settings(**options: Any) -> Settings:
    """Settings with a detector that needs no download; `source__fps` is `source.fps`."""
    named = {name.replace("__", "."): value for name, value in options.items()}
    return load_settings(None, [], {"detector.name": "starter", "detector.offline": True, **named})


def facts(frame: Frame) -> tuple[Any, ...]:
    """What a run may use of a frame, except the clock and the segment."""
    return (
        frame.index,
        frame.pts,
        frame.time_base,
        frame.interlaced,
        frame.sample_aspect_ratio,
        frame.corrupt,
        picture_digest(frame).hex(),
    )


def whole(path: Path, used: Settings) -> list[tuple[Any, ...]]:
    """The frames of a run over the whole file."""
    with open_source(str(path), used.source) as source:
        return [facts(frame) for frame in source]


def of_parts(plan: Plan) -> list[tuple[Any, ...]]:
    """The frames of all parts, one part after the other, each from its own source."""
    found: list[tuple[Any, ...]] = []
    for part in plan.parts:
        with PartSource(plan, part) as source:
            found += [facts(frame) for frame in source]
    return found


def restarts(plan: Plan) -> int:
    """How many parts are read from the start although the plan has a keyframe to seek to."""
    count = 0
    for part in plan.parts:
        with PartSource(plan, part) as source:
            count += source.from_start
    return count


def planned(path: Path, parts: int, **options: Any) -> Plan:
    """A plan of a file."""
    return make_plan(path, settings(**options), parts)
