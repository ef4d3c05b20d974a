"""Compares the frames of parts with those of a run over the whole file."""

from __future__ import annotations

from collections.abc import Iterable
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

PARTS = (1, 2, 7, 64)
OPEN_H264 = {"g": "8", "x264-params": "open-gop=1:min-keyint=8:scenecut=0:bframes=3:b-pyramid=normal"}
"""Leading pictures: they are shown before their keyframe and need the group before it."""
OPEN_HEVC = {"x265-params": "log-level=none:keyint=8:min-keyint=8:open-gop=1:bframes=3:scenecut=0"}
"""Groups that begin with CRA pictures, followed by RASL pictures."""


def settings(*assignments: str) -> Settings:
    """Settings with a detector that needs no download, and one decoder thread: damaged frames depend on the number."""
    return load_settings(None, ["detector.name=starter", "source.threads=1", *assignments])


def facts(frame: Frame) -> tuple[Any, ...]:
    """What a run uses of a frame, except the clock and the segment."""
    return (
        frame.index,
        frame.pts,
        frame.time_base,
        frame.duration,
        frame.interlaced,
        frame.sample_aspect_ratio,
        frame.corrupt,
        (frame.width, frame.height),
        picture_digest(frame).hex(),
    )


def whole(path: Path, used: Settings) -> list[tuple[Any, ...]]:
    """The frames of a run over the whole file."""
    with open_source(str(path), used.source) as source:
        return [facts(frame) for frame in source]


def of_parts(plan: Plan) -> tuple[list[tuple[Any, ...]], int]:
    """The frames of all parts, and how many parts are read from the start although there is a place to seek to."""
    found: list[tuple[Any, ...]] = []
    restarts = 0
    for part in plan.parts:
        with PartSource(plan, part) as source:
            found += [facts(frame) for frame in source]
            restarts += source.from_start
    return found, restarts


def planned(path: Path, parts: int, *assignments: str) -> Plan:
    """A plan of a file."""
    return make_plan(path, settings(*assignments), parts)


def seeks(plan: Plan) -> int:
    """How many parts have a place to seek to."""
    return sum(part.seek is not None for part in plan.parts)


def assert_identical(path: Path, *assignments: str, parts: Iterable[int] = PARTS) -> Plan:
    """The parts have exactly the frames of the whole file, and none is read from the start without need.

    Returns:
        The last of the plans.
    """
    expected = whole(path, settings(*assignments))
    for count in parts:
        plan = planned(path, count, *assignments)
        assert len(plan.parts) == min(count, len(expected))
        assert of_parts(plan) == (expected, 0), f"{count} parts"
        assert sum(part.frames for part in plan.parts) == plan.frames == len(expected)
    return plan
