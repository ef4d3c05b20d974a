"""Places the labels of a frame so that each stays where it is as long as it can. Used by the label annotator."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from streamer.render.labels.positions import Ground, Side, overlap, position, positions, preference
from streamer.render.rectangles import Rectangle

LARGEST_SHARE = 0.25
"""All label boxes together cover at most this share of the frame."""
# Objects that pass one another mostly do so within this time. Until then a label box stays where it is although an
# older one covers it, and longer if that covers at most this share of it.
_PASSING_S = 1.5
_TOLERATED = 0.1
# It moves sooner if there is a free place: at once while its track is new, and after this time if it is mostly covered.
_NEW_S = 1.0
_HIDDEN_S, _HIDDEN = 0.8, 0.6
# A place must have been free for this time: for a label that had no room, and for one that has only a better place.
_RETURNS_AFTER_S = 1.0
_IMPROVES_AFTER_S = 6.0
# Looking for places takes time, so it is not done on each frame.
_LOOKS_EVERY_S = 0.2
# The room around a place, in heights of the label box, where no other label may be: a label that moves there can stay.
_ROOM = 0.5
_SAME_S = 1e-6
_ABOVE = Side.ABOVE
# Labels on display may exceed their share by this part of it; a label that comes back leaves as much free.
_SLACK = 0.1


@dataclass(slots=True, eq=False)
class Place:
    """Where the label of a track was on the last frame.

    Attributes:
        side: of the box; None if there was no room for the label.
        level: of its text, 0 for the longest.
        better_since_s: since when a better place has been free; None if none is.
        new_until_s: until when the track is new.
        covered: the part of it that older labels cover, 0 to 1.
        covered_since_s: since when they cover more of it than is tolerated; None if they do not.
        next_look_s: when to look for a better place again.
    """

    side: Side | None = None
    level: int = 0
    better_since_s: float | None = None
    new_until_s: float = -math.inf
    covered: float = 0.0
    covered_since_s: float | None = None
    next_look_s: float = -math.inf


class Placeable(Protocol):
    """A label that is to be placed."""

    box: Rectangle
    place: Place | None
    """None for a track that is new."""

    def size(self, level: int) -> tuple[int, int]:
        """Width and height of its label box with the text of a level."""
        ...


class Placement:
    """The label boxes of one frame.

    Args:
        ground: frame and grid.
        reserved: where no label may lie.
        levels: levels of texts that may be used.
        now_s: media time.
    """

    def __init__(self, ground: Ground, reserved: Sequence[Rectangle], levels: range, now_s: float) -> None:
        self._ground, self._reserved, self._levels, self._now_s = ground, reserved, levels, now_s
        self._taken: list[Rectangle] = []
        self._free_px = LARGEST_SHARE * ground.frame[0] * ground.frame[1]
        self._slack_px = _SLACK * self._free_px

    def arrange(self, labels: Sequence[Placeable]) -> list[Rectangle | None]:
        """The label box of each label, the most important first; None where there is no room for it."""
        areas = [self._kept(label) for label in labels]
        for index, label in enumerate(labels):
            area, place = areas[index], label.place
            if place is None or (area is None and place.side is not None):
                areas[index] = self._placed(label)
            elif area is not None and self._is_hidden(place):
                areas[index] = self._uncovered(label, place, area)
            elif self._now_s >= place.next_look_s and (place.side is not _ABOVE or place.level > self._levels.start):
                place.next_look_s = self._now_s + _LOOKS_EVERY_S - _SAME_S
                areas[index] = self._returned(label, place) if area is None else self._improved(label, place, area)
        return areas

    def _kept(self, label: Placeable) -> Rectangle | None:
        """Its label box where it was, if that is still possible."""
        place = label.place
        if place is None or place.side is None:
            return None
        if place.level < self._levels.start:
            place.level = self._levels.start
        width, height = size = label.size(place.level)
        found = position(place.side, label.box, size, self._ground)
        if found is None:
            return None
        x, y, shift = found
        # The frame's edge may move it into its box, where it covers the upper or lower end of the object.
        if shift > height and not (label.box[1] <= y and y + height <= label.box[3]):
            return None
        area, pixels = self._beside_reserved((x, y, x + width, y + height)), width * height
        if area is None or pixels > self._free_px + self._slack_px:
            return None
        place.covered = overlap(area, self._taken) / pixels
        if place.covered <= _TOLERATED:
            place.covered_since_s = None
        elif place.covered_since_s is None:
            place.covered_since_s = self._now_s
        elif self._now_s - place.covered_since_s >= _PASSING_S - _SAME_S:
            return None
        self._taken.append(area)
        self._free_px -= pixels
        return area

    def _placed(self, label: Placeable) -> Rectangle | None:
        """A label box for a new track, or for one whose label cannot stay."""
        found = None if label.place is None else next(self._free(label, self._taken, margin=True), None)
        found = found or next(self._free(label, self._taken), None)
        new_until_s = self._now_s + _NEW_S if label.place is None else label.place.new_until_s
        if found is None:
            label.place = Place(new_until_s=new_until_s)
            return None
        label.place = Place(found[0], found[1], new_until_s=new_until_s)
        self._take(found[2])
        return found[2]

    def _returned(self, label: Placeable, place: Place) -> Rectangle | None:
        """A label box for a track whose label had no room, if there has been room for some time."""
        found = next(self._free(label, self._taken, margin=True), None)
        if not self._has_waited(place, _RETURNS_AFTER_S, free=found is not None) or found is None:
            return None
        side, level, area = found
        label.place = Place(side, level)
        self._take(area)
        return area

    def _improved(self, label: Placeable, place: Place, area: Rectangle) -> Rectangle:
        """The label box in a better place, if one has been free for some time; else `area`."""
        others = [one for one in self._taken if one is not area]
        now = (place.level, preference(label.box, label.size(place.level)).index(place.side or _ABOVE))
        for side, level, better in self._free(label, others, margin=True):
            if (level, preference(label.box, label.size(level)).index(side)) >= now:
                break
            if self._has_waited(place, _IMPROVES_AFTER_S, free=True):
                label.place = Place(side, level)
                self._move(area, better)
                return better
            return area
        place.better_since_s = None
        return area

    def _is_hidden(self, place: Place) -> bool:
        """Whether the label box is covered so that it should not stay if there is a free place."""
        if place.covered_since_s is None:
            return False
        waited_s = self._now_s - place.covered_since_s
        return self._now_s < place.new_until_s or (place.covered >= _HIDDEN and waited_s >= _HIDDEN_S - _SAME_S)

    def _uncovered(self, label: Placeable, place: Place, area: Rectangle) -> Rectangle:
        """The label box in a free place; `area` if there is none."""
        found = next(self._free(label, [one for one in self._taken if one is not area], margin=True), None)
        if found is None:
            return area
        label.place = Place(found[0], found[1], new_until_s=place.new_until_s)
        self._move(area, found[2])
        return found[2]

    def _move(self, area: Rectangle, to: Rectangle) -> None:
        self._taken = [one for one in self._taken if one is not area]
        self._free_px += (area[2] - area[0]) * (area[3] - area[1])
        self._take(to)

    def _has_waited(self, place: Place, wait_s: float, *, free: bool) -> bool:
        if not free:
            place.better_since_s = None
            return False
        if place.better_since_s is None:
            place.better_since_s = self._now_s
        return self._now_s - place.better_since_s >= wait_s - _SAME_S

    def _free(
        self, label: Placeable, taken: Sequence[Rectangle], *, margin: bool = False
    ) -> Iterator[tuple[Side, int, Rectangle]]:
        """Places that nothing else covers, best first: a longer text comes before a better side.

        With `margin` there is some room around them, so that a label which moves there can stay.
        """
        for level in self._levels:
            width, height = size = label.size(level)
            if width * height > self._free_px - margin * self._slack_px:
                continue
            room = int(margin * height * _ROOM)
            for side, x, y in positions(label.box, size, self._ground):
                area = self._beside_reserved((x, y, x + width, y + height))
                if area is None:
                    continue
                x0, y0, x1, y1 = area
                if not overlap((x0 - room, y0 - room, x1 + room, y1 + room), taken):
                    yield side, level, area

    def _beside_reserved(self, area: Rectangle) -> Rectangle | None:
        """The label box moved up or down, by less than twice its height, to where nothing is reserved; else None."""
        if not self._reserved:
            return area
        x0, y0, x1, y1 = area
        height, grid = y1 - y0, self._ground.grid[1]
        for _, top, _, bottom in (one for one in self._reserved if overlap(area, (one,))):
            upper, lower = (top - height) // grid * grid, -(-bottom // grid) * grid
            beside = [
                y for y in (upper, lower) if 0 <= y <= self._ground.frame[1] - height and abs(y - y0) < 2 * height
            ]
            if not beside:
                return None
            y0 = min(beside, key=lambda y: abs(y - area[1]))
        moved = (x0, y0, x1, y0 + height)
        return None if y0 != area[1] and overlap(moved, self._reserved) else moved

    def _take(self, area: Rectangle) -> None:
        self._taken.append(area)
        self._free_px -= (area[2] - area[0]) * (area[3] - area[1])
