"""Places the labels of a frame so that each stays where it is as long as it can. Used by the label annotator."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from streamer.render.labels.positions import Ground, Side, overlap, position, positions, preference
from streamer.render.rectangles import Rectangle

LARGEST_SHARE = 0.2
"""All label boxes together cover at most this share of the frame."""
# A label box stays although another one covers this share of it: boxes that pass one another often do so briefly.
_TOLERATED = 0.15
# A better place must have been free for this time, in seconds of media time.
_WAIT_S = 1.5
# Labels on display may exceed their share by this part of it; a label that comes back leaves as much free.
_SLACK = 0.1


@dataclass(slots=True, eq=False)
class Place:
    """Where the label of a track was on the last frame.

    Attributes:
        side: of the box; None if there was no room for the label.
        level: of its text, 0 for the longest.
        better_since_s: since when a better place has been free; None if none is.
    """

    side: Side | None = None
    level: int = 0
    better_since_s: float | None = None


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
            area = areas[index]
            if area is None:
                areas[index] = self._placed(label)
            elif label.place is not None and not self._is_best(label, label.place):
                areas[index] = self._improved(label, label.place, area)
        return areas

    def _kept(self, label: Placeable) -> Rectangle | None:
        """Its label box where it was, if that is still possible."""
        place = label.place
        if place is None or place.side is None:
            return None
        place.level = max(place.level, self._levels.start)
        size = label.size(place.level)
        found = position(place.side, label.box, size, self._ground)
        if found is None or found[2] > size[1]:
            return None
        area = (found[0], found[1], found[0] + size[0], found[1] + size[1])
        pixels = size[0] * size[1]
        if pixels > self._free_px + self._slack_px or overlap(area, self._reserved):
            return None
        if overlap(area, self._taken) > _TOLERATED * pixels:
            return None
        self._take(area)
        return area

    def _placed(self, label: Placeable) -> Rectangle | None:
        """A label box for a new track, or for one whose label cannot stay or had no room."""
        place = label.place
        comes_back = place is not None and place.side is None
        found = next(self._free(label, self._taken, margin=comes_back), None)
        if place is not None and comes_back and not self._has_waited(place, found is not None):
            return None
        if found is None:
            label.place = Place()
            return None
        side, level, area = found
        label.place = Place(side, level)
        self._take(area)
        return area

    def _improved(self, label: Placeable, place: Place, area: Rectangle) -> Rectangle:
        """The label box in a better place, if one has been free for some time; else `area`."""
        others = [one for one in self._taken if one is not area]
        now = (place.level, preference(label.box, label.size(place.level)).index(place.side or Side.ABOVE))
        for side, level, better in self._free(label, others, margin=True):
            if (level, preference(label.box, label.size(level)).index(side)) >= now:
                break
            if self._has_waited(place, True):
                label.place = Place(side, level)
                self._taken = others
                self._free_px += (area[2] - area[0]) * (area[3] - area[1])
                self._take(better)
                return better
            return area
        place.better_since_s = None
        return area

    def _has_waited(self, place: Place, free: bool) -> bool:
        if not free:
            place.better_since_s = None
            return False
        if place.better_since_s is None:
            place.better_since_s = self._now_s
        return self._now_s - place.better_since_s >= _WAIT_S

    def _is_best(self, label: Placeable, place: Place) -> bool:
        return place.level == self._levels.start and place.side is Side.ABOVE

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
            room = margin * height // 2
            for side, x, y in positions(label.box, size, self._ground):
                area = (x, y, x + width, y + height)
                around = (x - room, y - room, x + width + room, y + height + room)
                if not overlap(around, taken) and not overlap(area, self._reserved):
                    yield side, level, area

    def _take(self, area: Rectangle) -> None:
        self._taken.append(area)
        self._free_px -= (area[2] - area[0]) * (area[3] - area[1])
