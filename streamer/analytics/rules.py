"""Applies the lines and zones of one stream to its scenes. Owned by the display thread.

The result depends on the boxes that are shown and on media time, not on a clock and not on how often the detector runs:
between two detections boxes are carried or interpolated, and the path of a box is followed from frame to frame.
"""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from streamer.analytics.geometry import Array
from streamer.analytics.lines import FORGOTTEN_AFTER_S, Crossing, Lines
from streamer.analytics.zones import Change, Zones
from streamer.config.analytics import AnalyticsSettings, LineSettings, RuleSettings, ZoneSettings
from streamer.errors import ConfigError
from streamer.interfaces import Scene, StreamInfo
from streamer.values.events import (
    CROSSINGS,
    Direction,
    Event,
    EventKind,
    EventPhase,
    LineState,
    Watched,
    ZoneState,
    counted_as,
)
from streamer.values.labels import LabelTable

R = TypeVar("R", bound=RuleSettings)

Count = Callable[[str, str], None]
_ANCHOR_Y = {"top": 0.0, "centre": 0.5, "bottom": 1.0}
_PHASES = {
    EventKind.CROSSING: EventPhase.MOMENT,
    EventKind.ENTER: EventPhase.START,
    EventKind.DWELL: EventPhase.UPDATE,
    EventKind.LEAVE: EventPhase.END,
}


class Rules:
    """The lines and zones of one stream.

    A track has the class that was shown most often so far, so a class that changes for some frames changes nothing. A
    new segment of the stream, and a step back in time, forget all tracks: those inside a zone leave.

    Args:
        settings: the lines and zones; none if None.
        camera: the name in events of a stream without a name.
        count: gets `crossing in`, `crossing out` or the kind of each event, with the name of its rule.
    """

    def __init__(
        self,
        settings: AnalyticsSettings | None = None,
        camera: str = "",
        count: Count = lambda _what, _rule: None,
    ) -> None:
        settings = settings or AnalyticsSettings()
        self._settings, self._camera, self._count = settings, camera, count
        self._labels = _Labels()
        self._lines = [(group, Lines(group)) for group in _by_anchor(settings.lines)]
        self._zones = [(group, self._zone_group(group)) for group in _by_anchor(settings.zones)]
        self._counts: Counter[tuple[str, str]] = Counter()
        self._numbers = itertools.count(1)
        self._open: dict[tuple[str, int], int] = {}
        self._last: Scene | None = None

    def __call__(self, scene: Scene) -> Scene:
        """The scene with its events, and the counts after it. Scenes come in the order in which they are shown."""
        if not self._settings.rules:
            return scene
        frame, last, events = scene.frame, self._last, list[Event]()
        if last is not None and (frame.segment != last.frame.segment or frame.time_s < last.frame.time_s):
            events += self._reset(scene)
        self._last = scene
        self._labels.add(scene)
        events += self._events(scene)
        return self._watched(scene, events)

    def finish(self) -> Scene | None:
        """The last scene with the events that end because the run ends; None if there are none."""
        last, self._last = self._last, None
        events = [] if last is None else list(self._reset(last))
        return self._watched(last, events) if last is not None and events else None

    def _watched(self, scene: Scene, events: Iterable[Event]) -> Scene:
        events = tuple(events)
        for event in events:
            what = counted_as(event.kind, event.direction)
            self._counts[what, event.rule] += 1
            self._count(what, event.rule)
        return replace(scene, watched=Watched(events, tuple(self._line_states()), tuple(self._zone_states())))

    def _events(self, scene: Scene) -> Iterator[Event]:
        ids, size, time_s = scene.tracks.ids.tolist(), (scene.frame.width, scene.frame.height), scene.frame.time_s
        corners = scene.tracks.boxes.astype(np.float64)
        boxes = corners[:, 2:] - corners[:, :2]
        for zones, zone_group in self._zones:
            for change in zone_group.update(ids, _anchors(corners, zones[0].anchor), boxes, size, time_s):
                yield self._change(scene, zones[change.zone], change)
        for lines, line_group in self._lines:
            for crossing in line_group.update(ids, _anchors(corners, lines[0].anchor), boxes, size, time_s):
                track, settings = ids[crossing.row], lines[crossing.line]
                if self._labels.fit(track, settings):
                    yield self._crossing(scene, settings, track, crossing)

    def _reset(self, scene: Scene) -> Iterator[Event]:
        for _, line_group in self._lines:
            line_group.reset()
        for zones, zone_group in self._zones:
            for change in zone_group.reset():
                yield self._change(scene, zones[change.zone], change)
        self._labels.clear()

    def _crossing(self, scene: Scene, line: LineSettings, track: int, one: Crossing) -> Event:
        return self._event(scene, line, EventKind.CROSSING, track, one.time_s, direction=one.direction)

    def _change(self, scene: Scene, zone: ZoneSettings, one: Change) -> Event:
        return self._event(scene, zone, one.kind, one.track, one.time_s, inside_s=one.inside_s)

    def _event(
        self,
        scene: Scene,
        rule: RuleSettings,
        kind: EventKind,
        track: int,
        time_s: float,
        direction: Direction | None = None,
        inside_s: float | None = None,
    ) -> Event:
        phase = _PHASES[kind]
        if phase in (EventPhase.MOMENT, EventPhase.START):
            number = next(self._numbers)
            if phase is EventPhase.START:
                self._open[rule.name, track] = number
        elif phase is EventPhase.UPDATE:
            number = self._open[rule.name, track]
        else:
            number = self._open.pop((rule.name, track))
        return Event(
            rule.name,
            kind,
            track,
            self._labels.name(track),
            time_s,
            scene.stream or self._camera,
            direction,
            inside_s,
            phase,
            number,
            self._labels.best_score(track),
            zones=self._zones_of(track),
        )

    def _zones_of(self, track: int) -> tuple[str, ...]:
        """The zones that the track has entered and not left."""
        return tuple(zone.name for zones, group in self._zones for at, zone in enumerate(zones) if group.has(track, at))

    def _zone_group(self, zones: Sequence[ZoneSettings]) -> Zones:
        return Zones(zones, lambda track, zone: self._labels.fit(track, zones[zone]))

    def _line_states(self) -> Iterator[LineState]:
        for line in self._settings.lines:
            entered, left = (self._counts[what, line.name] for what in CROSSINGS)
            yield LineState(line.name, line.points, entered, left)

    def _zone_states(self) -> Iterator[ZoneState]:
        inside = {zone.name: group.inside(at) for zones, group in self._zones for at, zone in enumerate(zones)}
        for zone in self._settings.zones:
            yield ZoneState(zone.name, zone.points, inside[zone.name], self._counts[EventKind.ENTER, zone.name])


class _Labels:
    """The class of each track, which is the one that was shown most often, and its highest score."""

    def __init__(self) -> None:
        self._shown: dict[int, Counter[int]] = {}
        self._scores: dict[int, float] = {}
        self._last_s: dict[int, float] = {}
        self._table = LabelTable(())
        self._rows: dict[str, frozenset[int]] = {}
        self._pruned_s = 0.0

    def clear(self) -> None:
        self._shown.clear()
        self._scores.clear()
        self._last_s.clear()
        self._pruned_s = 0.0

    def add(self, scene: Scene) -> None:
        if scene.labels is not self._table:
            self._table, self._rows = scene.labels, {}
        time_s, tracks = scene.frame.time_s, scene.tracks
        rows = zip(tracks.ids.tolist(), tracks.labels.tolist(), tracks.scores.tolist(), strict=True)
        for track, label, score in rows:
            self._shown.setdefault(track, Counter())[label] += 1
            self._scores[track] = max(self._scores.get(track, 0.0), score)
            self._last_s[track] = time_s
        if time_s - self._pruned_s > FORGOTTEN_AFTER_S:
            self._pruned_s = time_s
            # A stay in a zone can end `leave_s` after the last frame of a track, up to an hour.
            for track in [one for one, last_s in self._last_s.items() if time_s - last_s > 3600 + FORGOTTEN_AFTER_S]:
                del self._shown[track], self._scores[track], self._last_s[track]

    def name(self, track: int) -> str:
        return self._table.name(self._row(track))

    def best_score(self, track: int) -> float:
        return self._scores[track]

    def fit(self, track: int, rule: RuleSettings) -> bool:
        """Whether the rule counts the class of the track."""
        if not rule.classes:
            return True
        if rule.name not in self._rows:
            self._rows[rule.name] = frozenset(self._table.rows(rule.classes))
        return self._row(track) in self._rows[rule.name]

    def _row(self, track: int) -> int:
        return max(self._shown[track].items(), key=lambda item: item[1])[0]


def build_rules(settings: AnalyticsSettings, labels: LabelTable, info: StreamInfo, count: Count) -> Rules:
    """The rules of a run.

    Args:
        settings, count: as of `Rules`.
        labels: of the detector.
        info: of the source. Events of a file have its name without the folders.

    Raises:
        ConfigError: a class that the detector does not have, with the path of the setting and the nearest names.
    """
    for section, rules in (("lines", settings.lines), ("zones", settings.zones)):
        for at, rule in enumerate(rules):
            try:
                labels.rows(rule.classes)
            except ConfigError as error:
                raise ConfigError(f"analytics.{section}.{at}.classes: {error}") from error
    camera = info.name if info.path is None else Path(info.path).name
    return Rules(settings, camera, count)


def _by_anchor(rules: Sequence[R]) -> list[list[R]]:
    groups: dict[str, list[R]] = defaultdict(list)
    for rule in rules:
        groups[rule.anchor].append(rule)
    return list(groups.values())


def _anchors(corners: Array, anchor: str) -> Array:
    """`(N, 2)`: the middle of the lower or upper edge, or the centre, of each box."""
    y = corners[:, 1] + _ANCHOR_Y[anchor] * (corners[:, 3] - corners[:, 1])
    return np.stack(((corners[:, 0] + corners[:, 2]) / 2, y), axis=1)
