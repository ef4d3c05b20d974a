"""Finds the tracks that enter, leave and stay in zones. Owned by the display thread of one stream."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from streamer.analytics.geometry import Array, are_clear, contain, edges_of
from streamer.config.analytics import ZoneSettings
from streamer.values.events import EventKind

_EXACT_S = 1e-6
"""Media times are rounded; 0.2 s after 0.1 s is 0.3 s."""


@dataclass(frozen=True, slots=True)
class Change:
    """A track and the zone with this index: what happened, when in media time, and for how long it has been inside."""

    track: int
    zone: int
    kind: EventKind
    time_s: float
    inside_s: float


@dataclass(slots=True)
class _Stay:
    """A track in a zone.

    Attributes:
        since_s, last_s: media times of the first and the last frame inside.
        entered, dwelt: the event has been reported.
        outside: the track is shown outside.
    """

    since_s: float
    last_s: float
    entered: bool = False
    dwelt: bool = False
    outside: bool = False


class Zones:
    """The zones with one anchor.

    A track is inside from the frame on which its anchor is in the polygon, until the anchor is further away from the
    polygon than `hysteresis` of its box.

    Args:
        zones: at least one.
        counts: whether a track, by its id, has a class that the zone with this index counts.
    """

    def __init__(self, zones: Sequence[ZoneSettings], counts: Callable[[int, int], bool]) -> None:
        self._zones = zones
        self._counts = counts
        self._size = (0, 0)
        self._stays: list[dict[int, _Stay]] = [{} for _ in zones]

    def reset(self) -> Iterator[Change]:
        """Forget all tracks; those inside leave."""
        for zone, stays in enumerate(self._stays):
            for track, stay in list(stays.items()):
                del stays[track]
                if stay.entered:
                    yield _change(track, zone, EventKind.LEAVE, stay, stay.last_s)

    def inside(self, zone: int) -> int:
        """The number of tracks that have entered a zone and not left it."""
        return sum(stay.entered for stay in self._stays[zone].values())

    def has(self, track: int, zone: int) -> bool:
        """Whether a track has entered a zone and not left it."""
        stay = self._stays[zone].get(track)
        return stay is not None and stay.entered

    def update(
        self, ids: Sequence[int], points: Array, boxes: Array, size: tuple[int, int], time_s: float
    ) -> Iterator[Change]:
        """What became certain on a frame; arguments as of `Lines.update`."""
        if ids:
            self._scale_to(size)
            inside = contain(points, self._edges, self._starts).tolist()
            far = are_clear(points, boxes, self._edges, self._hysteresis)
            clear = np.logical_and.reduceat(far, self._starts, axis=1).tolist()
            for row, track in enumerate(ids):
                for zone, is_inside in enumerate(inside[row]):
                    self._place(track, zone, time_s, is_inside=is_inside, is_clear=clear[row][zone])
        for zone in range(len(self._zones)):
            yield from self._changes(zone, time_s)

    def _place(self, track: int, zone: int, time_s: float, *, is_inside: bool, is_clear: bool) -> None:
        stay = self._stays[zone].get(track)
        if stay is None:
            if is_inside:
                self._stays[zone][track] = _Stay(time_s, time_s)
            return
        stay.outside = not is_inside and is_clear
        if not stay.outside:
            stay.last_s = time_s

    def _changes(self, zone: int, time_s: float) -> Iterator[Change]:
        settings, stays = self._zones[zone], self._stays[zone]
        for track, stay in list(stays.items()):
            stayed_s, gone_s = stay.last_s - stay.since_s + _EXACT_S, time_s - stay.last_s + _EXACT_S
            if not stay.entered and stayed_s >= settings.enter_s and self._counts(track, zone):
                stay.entered = True
                yield _change(track, zone, EventKind.ENTER, stay, stay.since_s)
            dwells = settings.dwell_s is not None and stayed_s >= settings.dwell_s
            if stay.entered and dwells and not stay.dwelt:
                stay.dwelt = True
                yield _change(track, zone, EventKind.DWELL, stay, stay.last_s)
            if stay.last_s == time_s:
                continue
            if gone_s >= settings.leave_s or (stay.outside and not stay.entered):
                del stays[track]
                if stay.entered:
                    yield _change(track, zone, EventKind.LEAVE, stay, stay.last_s)

    def _scale_to(self, size: tuple[int, int]) -> None:
        if size != self._size:
            self._size = size
            self._edges, self._starts = edges_of([zone.points for zone in self._zones], size, closed=True)
            edges = [len(zone.points) for zone in self._zones]
            self._hysteresis = np.repeat([zone.hysteresis for zone in self._zones], edges)


def _change(track: int, zone: int, kind: EventKind, stay: _Stay, time_s: float) -> Change:
    return Change(track, zone, kind, time_s, stay.last_s - stay.since_s)
