"""The output of `cameras list`: one row per camera, and why a camera shows no frames. Main thread."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.table import Table

from streamer.cli.serve.status_table import short
from streamer.system.paths import readable

_COUNTS = {"shown": "frames_shown", "detected": "frames_detected", "dropped": "frames_dropped", "restarts": "restarts"}
"""Columns of numbers, and their keys."""
_UNITS = (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1))


def table(cameras: Sequence[Mapping[str, Any]]) -> Table:
    """One row per camera.

    Args:
        cameras: as `streamer.serve.control.client.SiteClient.cameras` returns them.
    """
    rows = Table(box=None, pad_edge=False)
    rows.add_column("camera", no_wrap=True, max_width=16, overflow="ellipsis")
    rows.add_column("state", no_wrap=True)
    for column in ("for", *_COUNTS):
        rows.add_column(column, justify="right", no_wrap=True)
    rows.add_column("source", overflow="ellipsis")  # a narrow terminal shortens only this column
    for camera in cameras:
        counts = [short(camera[key]) for key in _COUNTS.values()]
        rows.add_row(
            readable(camera["name"]), camera["state"], duration(camera["state_s"]), *counts, readable(camera["source"])
        )
    return rows


def faults(cameras: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """One line about each camera that shows no frames although it should."""
    for camera in cameras:
        if "reason" in camera:
            yield f"{camera['name']} is {camera['reason']}"


def duration(seconds: float) -> str:
    """A duration in its largest unit, rounded down: `59 s`, `2 h`."""
    name, size = next(((name, size) for name, size in _UNITS if seconds >= size), _UNITS[-1])
    return f"{seconds // size:.0f} {name}"
