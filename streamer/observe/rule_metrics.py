"""Converts the counts of rules and the objects in the picture to metrics. The web server's thread."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from streamer.observe.scene_figures import (
    COVERED,
    LINE_IN,
    LINE_OUT,
    OBJECTS,
    RULE_COUNT,
    ZONE_ENTRIES,
    ZONE_INSIDE,
)
from streamer.system.secrets import SECRETS
from streamer.values.events import COUNTED, Direction

Figures = Mapping[tuple[str, str], float]
"""Counts or current values of a run by (kind, detail)."""
_DIRECTIONS = {LINE_IN: Direction.IN, LINE_OUT: Direction.OUT}
_GAUGES = {
    ZONE_INSIDE: ("streamer_zone_occupancy", "Tracks in a zone.", ["zone"]),
    RULE_COUNT: ("streamer_rule_objects", "Objects that a rule of counts counts.", ["rule"]),
    OBJECTS: ("streamer_objects", "Objects that are shown.", ["class"]),
    COVERED: ("streamer_camera_covered", "1 while the camera is covered.", []),
}


def rule_metrics(labels: Sequence[str], streams: Sequence[tuple[list[str], Figures, Figures]]) -> Iterator[Metric]:
    """The metrics of all streams.

    Args:
        labels: names of the labels that all metrics have.
        streams: the values of these labels, the counts and the current values of each stream.
    """
    crossings = CounterMetricFamily(
        "streamer_line_crossings", "Crossings of a line.", labels=[*labels, "line", "direction"]
    )
    entries = CounterMetricFamily("streamer_zone_entries", "Tracks that entered a zone.", labels=[*labels, "zone"])
    events = CounterMetricFamily("streamer_events", "Events of rules.", labels=[*labels, "rule", "kind"])
    gauges = {
        kind: GaugeMetricFamily(name, text, labels=[*labels, *own]) for kind, (name, text, own) in _GAUGES.items()
    }
    for common, counts, values in streams:
        for (kind, detail), value in values.items():
            named = [*common, SECRETS.hide(detail)] if detail else common
            if kind in gauges:
                gauges[kind].add_metric(named, value)
            elif kind == ZONE_ENTRIES:
                entries.add_metric(named, value)
            elif kind in _DIRECTIONS:
                crossings.add_metric([*named, _DIRECTIONS[kind]], value)
        for (rule, kind), times in _by_kind(counts).items():
            events.add_metric([*common, SECRETS.hide(rule), kind], times)
    yield from (crossings, entries, events, *gauges.values())


def _by_kind(counts: Figures) -> Counter[tuple[str, str]]:
    """Events by rule and kind; crossings of both directions are one kind."""
    happened: Counter[tuple[str, str]] = Counter()
    for (what, rule), times in counts.items():
        if what in COUNTED:
            happened[rule, what.partition(" ")[0]] += int(times)
    return happened
