"""Finds the tracks that enter, leave and stay in zones. Owned by the display thread of one stream."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from streamer.analytics.changes import EXACT_S, RESUME_S, Change, FrameTracks
from streamer.analytics.continuity import SAME_PLACE
from streamer.analytics.geometry import are_clear, contain, edges_of, overlap
from streamer.analytics.limits import LimitWatch
from streamer.config.analytics import ZoneSettings
from streamer.values.events import EventKind, EventPhase

BORDER_PX = 1e-3
"""A point on the right or lower edge of a polygon is outside it; one that is so far from the border is inside."""


@dataclass(slots=True)
class _Stay:
    """A track in a zone.

    Attributes:
        key: of the event; a track that comes back can have a second stay while another one continues its first.
        track: id of the track that entered.
        since_s, last_s: media times of the first and the last frame inside.
        entered, dwelt: the event has been reported.
        outside: the track is shown outside.
        box: x0, y0, x1, y1 in 0..1, on the last frame inside.
    """

    key: int
    track: int
    since_s: float
    last_s: float
    box: Sequence[float]
    entered: bool = False
    dwelt: bool = False
    outside: bool = False


class Zones:
    """The zones with one anchor.

    A track is inside from the frame on which its anchor is in the polygon, until the anchor is further away from the
    polygon than `hysteresis` of its box. An anchor beyond the border of the picture counts as at the border.

    A new track continues the stay of one of the same class that was last shown at the same place and is not shown any
    more: it is the same object, after it was hidden or after a reconnection, which gives all tracks new ids.

    Args:
        zones: at least one.
    """

    def __init__(self, zones: Sequence[ZoneSettings]) -> None:
        self._zones = [_Zone(zone) for zone in zones]
        self._size = (0, 0)

    def resume(self, time_s: float) -> None:
        """Stays wait for the new ids of their tracks."""
        for zone in self._zones:
            zone.resume(time_s)

    def end(self) -> Iterator[Change]:
        """Forget all tracks; those inside leave."""
        for zone in self._zones:
            yield from zone.end()

    def join(self, old: int, new: int) -> None:
        """The track `new` goes on with the stays of `old`."""
        for zone in self._zones:
            zone.join(old, new)

    def separate(self, track: int) -> None:
        """Another track has gone on with the stays of this one, which is shown again: they are its own after all."""
        for zone in self._zones:
            zone.separate(track)

    def states(self) -> Iterator[tuple[str, tuple[int, EventKind]]]:
        """The name of each zone, with the tracks that have entered and not left, and NORMAL, ABOVE or BELOW."""
        for zone in self._zones:
            yield zone.settings.name, (zone.inside, zone.level)

    def names_of(self, track: int) -> Iterator[str]:
        """The zones that a track has entered and not left."""
        return (zone.settings.name for zone in self._zones if zone.has(track))

    def update(self, frame: FrameTracks) -> Iterator[Change]:
        """What became certain on a frame."""
        if frame.ids:
            self._scale_to(frame.size)
            # The border of the picture cuts boxes off, and predicted ones reach beyond it.
            last = np.array(frame.size) - BORDER_PX
            points = np.minimum(np.maximum(frame.anchors(self._zones[0].settings.anchor), 0), last)
            inside = contain(points, self._edges, self._starts).T.tolist()
            far = are_clear(points, frame.boxes, self._edges, self._hysteresis)
            clear = np.logical_and.reduceat(far, self._starts, axis=1).T.tolist()
            for at, zone in enumerate(self._zones):
                zone.place(frame, inside[at], clear[at])
        for zone in self._zones:
            yield from zone.changes(frame)

    def _scale_to(self, size: tuple[int, int]) -> None:
        if size != self._size:
            self._size = size
            zones = [zone.settings for zone in self._zones]
            self._edges, self._starts = edges_of([zone.points for zone in zones], size, closed=True)
            self._hysteresis = np.repeat([zone.hysteresis for zone in zones], [len(zone.points) for zone in zones])


class _Zone:
    def __init__(self, settings: ZoneSettings) -> None:
        self.settings = settings
        self._limit = LimitWatch(settings)
        self._stays: dict[int, _Stay] = {}  # by the id that the track has now
        self._waiting: list[_Stay] = []
        self._resumed_s = 0.0
        self._keys = itertools.count(1)

    @property
    def inside(self) -> int:
        return sum(stay.entered for stay in self._stays.values()) + len(self._waiting)

    @property
    def level(self) -> EventKind:
        return self._limit.level

    def has(self, track: int) -> bool:
        return any(stay.entered and track in (now, stay.track) for now, stay in self._stays.items())

    def join(self, old: int, new: int) -> None:
        if old in self._stays:
            self._stays[new] = self._stays.pop(old)

    def separate(self, track: int) -> None:
        for now in [now for now, stay in self._stays.items() if stay.track == track]:
            self._stays[track] = self._stays.pop(now)

    def place(self, frame: FrameTracks, inside: list[bool], clear: list[bool]) -> None:
        """Which tracks are inside, and which are clear of the zone, by the rows of the frame."""
        if self.settings.name in frame.off:
            return
        for row, track in enumerate(frame.ids):
            stay = self._stays.get(track)
            if stay is not None:
                stay.outside = not inside[row] and clear[row]
                if not stay.outside:
                    stay.last_s, stay.box = frame.time_s, frame.relative[row]
            elif inside[row]:
                self._stays[track] = _Stay(next(self._keys), track, frame.time_s, frame.time_s, frame.relative[row])

    def changes(self, frame: FrameTracks) -> Iterator[Change]:
        settings, time_s = self.settings, frame.time_s
        if settings.name in frame.off:
            yield from self.end()
            return
        for track, stay in list(self._stays.items()):
            if track not in self._stays:  # another one has continued the stay
                continue
            stayed_s, gone_s = stay.last_s - stay.since_s + EXACT_S, time_s - stay.last_s + EXACT_S
            if not stay.entered and stayed_s >= settings.enter_s and frame.history.fits(track, settings):
                stay.entered = True
                if not self._continues(track, stay, frame):
                    yield self._change(EventKind.ENTER, EventPhase.START, stay, stay.since_s)
            if stay.entered and settings.dwell_s is not None and not stay.dwelt and stayed_s >= settings.dwell_s:
                stay.dwelt = True
                yield self._change(EventKind.DWELL, EventPhase.UPDATE, stay, stay.last_s)
            if stay.last_s < time_s and (gone_s >= settings.leave_s or (stay.outside and not stay.entered)):
                del self._stays[track]
                if stay.entered:
                    yield self._change(EventKind.LEAVE, EventPhase.END, stay, stay.last_s)
        if self._waiting and time_s - self._resumed_s >= RESUME_S:
            yield from self._leave(self._waiting)
        yield from self._limit.update(self.inside, time_s)

    def resume(self, time_s: float) -> None:
        self._waiting += [stay for stay in self._stays.values() if stay.entered]
        self._stays.clear()
        self._resumed_s = time_s
        self._limit.resume()

    def end(self) -> Iterator[Change]:
        yield from self._leave(self._waiting)
        yield from self._leave([stay for stay in self._stays.values() if stay.entered])
        self._stays.clear()
        yield from self._limit.end()

    def _continues(self, track: int, stay: _Stay, frame: FrameTracks) -> bool:
        """Whether a track that has just entered continues another stay, whose state its own has then."""
        label = frame.history.label(track)
        hidden = {
            now: one
            for now, one in self._stays.items()
            if one.entered and not one.outside and one.last_s < stay.since_s
        }
        for old in (*self._waiting, *hidden.values()):
            if frame.history.label(old.track) == label and overlap(old.box, stay.box) >= SAME_PLACE:
                stay.key, stay.track, stay.since_s, stay.dwelt = old.key, old.track, old.since_s, old.dwelt
                self._waiting = [one for one in self._waiting if one is not old]
                self._stays = {now: one for now, one in self._stays.items() if one is not old}
                return True
        return False

    def _leave(self, stays: list[_Stay]) -> Iterator[Change]:
        while stays:
            stay = stays.pop(0)
            yield self._change(EventKind.LEAVE, EventPhase.END, stay, stay.last_s)

    def _change(self, kind: EventKind, phase: EventPhase, stay: _Stay, time_s: float) -> Change:
        inside_s = stay.last_s - stay.since_s
        return Change(self.settings, kind, phase, time_s, stay.track, stay.key, inside_s=inside_s)
