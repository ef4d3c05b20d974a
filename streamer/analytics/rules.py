"""Applies the rules of one stream to its scenes. Owned by the display thread.

The result depends on the boxes that are shown and on media time, not on a clock and not on how often the detector runs:
between two detections boxes are carried or interpolated, and the path of a box is followed from frame to frame. Only
schedules depend on the time of day.
"""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np

from streamer.analytics.camera.watch import CameraWatch
from streamer.analytics.changes import Change, FrameTracks, Rule
from streamer.analytics.continuity import Continuity
from streamer.analytics.counts import Count, Presence
from streamer.analytics.lines import FORGOTTEN_AFTER_S, Lines
from streamer.analytics.schedules import Schedules
from streamer.analytics.track_history import TrackHistory
from streamer.analytics.zones import Zones
from streamer.config.analytics import AnalyticsSettings, ShapeSettings
from streamer.interfaces import Scene
from streamer.values.events import CROSSINGS, Event, EventKind, EventPhase, LineState, Watched, ZoneState, counted_as
from streamer.values.frame import Frame
from tracking.types import Tracks

S = TypeVar("S", bound=ShapeSettings)

CountEvent = Callable[[str, str], None]


class Rules:
    """The rules of one stream.

    A track has the class that was shown most often so far, so a class that changes for some frames changes nothing.

    A new segment of the stream gives all tracks new ids. If media time goes on within 30 s, rules go on: a track at the
    same place in a zone continues its stay. After a longer interruption, or a step back in time, everything ends.

    Args:
        settings: the rules; none if None.
        camera: the name in events of a stream without a name.
        count: gets `crossing in`, `crossing out` or the kind of each event, with the name of its rule.
        camera_watch: finds events about the camera itself; None for none.
    """

    def __init__(
        self,
        settings: AnalyticsSettings | None = None,
        camera: str = "",
        count: CountEvent = lambda _what, _rule: None,
        camera_watch: CameraWatch | None = None,
    ) -> None:
        self._settings = settings = settings or AnalyticsSettings()
        self._camera, self._count, self._camera_watch = camera, count, camera_watch
        self._history, self._schedules = TrackHistory(), Schedules(settings.rules)
        self._zones = [Zones(group) for group in _by_anchor(settings.zones)]
        self._counts = [Count(one) for one in settings.counts]
        self._presence = [Presence(one) for one in settings.presence]
        self._lines = [Lines(group) for group in _by_anchor(settings.lines)]
        self._rules: Sequence[Rule] = (*self._zones, *self._lines, *self._counts, *self._presence)
        self._continuity = Continuity(self._history.label)
        self._happened: Counter[tuple[str, str]] = Counter()
        self._numbers = itertools.count(1)
        self._open: dict[tuple[str, int], tuple[int, int]] = {}  # number and track of each event that lasts
        self._last: Scene | None = None

    def __call__(self, scene: Scene) -> Scene:
        """The scene with its events, and the counts after it. Scenes come in the order in which they are shown."""
        if not self._rules and self._camera_watch is None:
            return scene
        changes = [] if self._camera_watch is None else list(self._camera_watch.update(scene.frame))
        if self._rules:
            changes += self._track_changes(scene)
        self._last = scene
        if not self._rules and not changes:
            return scene
        watched = self._watched(scene, changes)
        self._history.forget_old(scene.frame.time_s, {track for _, track in self._open.values()})
        return watched

    def _track_changes(self, scene: Scene) -> Iterator[Change]:
        yield from self._begin_segment(scene.frame)
        time_s = scene.frame.time_s
        tracks = self._identify(scene.tracks, time_s)
        self._history.add(tracks, scene.labels, time_s)
        frame = FrameTracks(
            tracks.ids.tolist(),
            tracks.boxes.astype(np.float64),
            (scene.frame.width, scene.frame.height),
            time_s,
            self._history,
            self._schedules.off(scene.frame.arrival_wall_clock_s),
        )
        for rule in self._rules:
            yield from rule.update(frame)

    def _identify(self, tracks: Tracks, time_s: float) -> Tracks:
        """Join tracks that are one object; without the boxes of those that another one continues."""
        found = self._continuity.update(tracks, time_s)
        for track in found.returned:
            self._history.separate(track)
            for zones in self._zones:
                zones.separate(track)
        for old, new in found.continued:
            self._history.join(old, new)
            for lines in self._lines:
                lines.join(old, new)
            for zones in self._zones:
                zones.join(old, new)
        return tracks if len(found.rows) == len(tracks) else tracks.select(np.array(found.rows, np.intp))

    def finish(self) -> Scene | None:
        """The run ended: the last scene with the ends of the events that last; None if there are none."""
        last, self._last = self._last, None
        changes = [*self._end(), *(() if self._camera_watch is None else self._camera_watch.end())]
        return self._watched(last, changes) if last is not None and changes else None

    def _begin_segment(self, frame: Frame) -> Iterator[Change]:
        last = frame if self._last is None else self._last.frame
        gap_s = frame.time_s - last.time_s
        if gap_s < 0 or frame.segment != last.segment:
            self._continuity.clear()
        if gap_s < 0 or (frame.segment != last.segment and gap_s > FORGOTTEN_AFTER_S):
            yield from self._end()
        elif frame.segment != last.segment:
            for rule in self._rules:
                rule.resume(frame.time_s)

    def _end(self) -> Iterator[Change]:
        for rule in self._rules:
            yield from rule.end()

    def _watched(self, scene: Scene, changes: Iterable[Change]) -> Scene:
        events = tuple(self._event(one, scene.stream or self._camera) for one in changes)
        for event in events:
            if event.phase is not EventPhase.UPDATE or event.kind is EventKind.DWELL:
                what = counted_as(event.kind, event.direction)
                self._happened[what, event.rule] += 1
                self._count(what, event.rule)
        watched = Watched(
            events,
            tuple(self._line_states()),
            tuple(self._zone_states()),
            tuple(one.state for one in self._counts),
            tuple(one.state for one in self._presence),
        )
        return replace(scene, watched=watched)

    def _event(self, one: Change, camera: str) -> Event:
        track = one.track
        return Event(
            one.rule.name,
            one.kind,
            track,
            self._history.name(track) if track else "",
            one.time_s,
            camera,
            one.direction,
            one.inside_s,
            one.phase,
            self._number(one),
            self._history.best_score(track) if track else None,
            one.value,
            tuple(name for zones in self._zones for name in zones.names_of(track)) if track else (),
            one.text,
        )

    def _number(self, one: Change) -> int:
        """The number of the event: a new one for its start, and the same until its end; 0 if it is not stored."""
        if one.kind in (EventKind.CAMERA_LOST, EventKind.CAMERA_BACK):
            return 0  # found with the next frame; a loss is stored when it happens (`RunObserver.source_changed`)
        key = one.rule.name, one.key
        if one.phase is EventPhase.MOMENT:
            return next(self._numbers)
        if one.phase is EventPhase.START:
            self._open[key] = next(self._numbers), one.track
        number, _ = self._open.pop(key) if one.phase is EventPhase.END else self._open[key]
        return number

    def _line_states(self) -> Iterator[LineState]:
        for line in self._settings.lines:
            entered, left = (self._happened[what, line.name] for what in CROSSINGS)
            yield LineState(line.name, line.points, entered, left)

    def _zone_states(self) -> Iterator[ZoneState]:
        now = dict(itertools.chain.from_iterable(zones.states() for zones in self._zones))
        for zone in self._settings.zones:
            inside, level = now[zone.name]
            yield ZoneState(zone.name, zone.points, inside, self._happened[EventKind.ENTER, zone.name], level)


def _by_anchor(shapes: Sequence[S]) -> list[list[S]]:
    groups: dict[str, list[S]] = defaultdict(list)
    for shape in shapes:
        groups[shape.anchor].append(shape)
    return list(groups.values())
