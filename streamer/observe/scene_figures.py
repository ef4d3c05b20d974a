"""Keeps the counts of rules and the objects in the picture as figures of the run, for metrics.

Owned by the display thread. `streamer.observe.rule_metrics` reads the figures.
"""

from __future__ import annotations

from collections import Counter

from streamer.flow.observers import RunObserver
from streamer.flow.stats import RunStats
from streamer.interfaces import Scene
from streamer.values.events import EventKind, Watched

LINE_IN, LINE_OUT, ZONE_ENTRIES, ZONE_INSIDE = "line in", "line out", "zone entries", "zone inside"
RULE_COUNT, OBJECTS, COVERED = "rule count", "objects", "camera covered"
"""Current values of `RunStats.gauges`, with the name of the line, zone, rule or class as their detail."""


class SceneFigures(RunObserver):
    """Keeps the newest counts of a run as current values of its figures.

    Args:
        stats: gets them.
    """

    def __init__(self, stats: RunStats) -> None:
        self._stats = stats
        self._kept: dict[tuple[str, str], float] = {}

    def scene_shown(self, scene: Scene) -> None:
        """As of `RunObserver`."""
        values = _values(scene.watched)
        shown = Counter(scene.labels.name(label) for label in scene.tracks.labels.tolist())
        values |= {(OBJECTS, name): float(count) for name, count in shown.items()}
        for kind, detail in self._kept.keys() - values.keys():
            if kind == OBJECTS:
                values[kind, detail] = 0.0
        for (kind, detail), value in values.items():
            if self._kept.get((kind, detail)) != value:
                self._stats.gauge(kind, detail, value)
        self._kept.update(values)


def _values(watched: Watched) -> dict[tuple[str, str], float]:
    values: dict[tuple[str, str], float] = {}
    for line in watched.lines:
        values[LINE_IN, line.name], values[LINE_OUT, line.name] = line.entered, line.left
    for zone in watched.zones:
        values[ZONE_ENTRIES, zone.name], values[ZONE_INSIDE, zone.name] = zone.entered, zone.inside
    values |= {(RULE_COUNT, one.name): one.number for one in watched.counts}
    for event in watched.events:
        if event.kind in (EventKind.CAMERA_COVERED, EventKind.CAMERA_CLEAR):
            values[COVERED, ""] = event.kind is EventKind.CAMERA_COVERED
    return values
