"""Finds the tracks that continue another one, where an object got a new id. Owned by the display thread of one stream.

A tracker gives an object a new id after missed detections, or after a fast move between two rare detections. Without
the old path, such an object would not cross a line between its last box and its first new one, and its stay in a zone
would be two stays.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from streamer.analytics.geometry import overlap
from tracking.types import Origin, Tracks

LOST_S = 1.0
"""A track can be continued for so long after its last detection, media time."""
KNOWN_S = 30.0
"""A track that comes back within this media time has the same id and is not new."""
SAME_PLACE = 0.3
"""The least intersection over union of the first box of a new track with the box of the lost one."""


@dataclass(slots=True)
class _Sighting:
    """The last box of a track that was detected, or interpolated between two detections.

    Attributes:
        box: x0, y0, x1, y1, pixels.
        velocity: of its centre, px/s.
        time_s: media time.
        continued: another track has taken its place.
    """

    box: Sequence[float]
    velocity: Sequence[float]
    time_s: float
    continued: bool = False

    def expected(self, time_s: float) -> Sequence[float]:
        """The box at a later time."""
        dx, dy = (speed * (time_s - self.time_s) for speed in self.velocity)
        x0, y0, x1, y1 = self.box
        return x0 + dx, y0 + dy, x1 + dx, y1 + dy


class Found(NamedTuple):
    """What a frame says about the identity of tracks.

    Attributes:
        rows: the rows of the tracks without those that another one continues: their predicted boxes are wrong.
        continued: pairs of a lost track and the new one that continues it.
        returned: tracks that were continued, and are detected again: they are other objects after all.
    """

    rows: Sequence[int]
    continued: Sequence[tuple[int, int]]
    returned: Sequence[int]


class Continuity:
    """The tracks of one stream that continue another one.

    A track that is shown for the first time continues another one of its class which was detected in the last `LOST_S`,
    but is not on this frame, if their boxes overlap by `SAME_PLACE`: where the lost one was, or where its velocity
    leads. In a file, a new track is carried back to the frame after the last detection without it.

    Args:
        label: the class of a track that was shown before.
    """

    def __init__(self, label: Callable[[int], int]) -> None:
        self._label = label
        self._tracks: dict[int, _Sighting] = {}
        self._pruned_s = 0.0

    def clear(self) -> None:
        """Forget all tracks."""
        self._tracks.clear()
        self._pruned_s = 0.0

    def update(self, tracks: Tracks, time_s: float) -> Found:
        """The tracks that are shown on a frame; `time_s` is its media time."""
        ids, boxes, velocities = tracks.ids.tolist(), tracks.boxes.tolist(), tracks.velocities.tolist()
        seen = (tracks.origin != Origin.PREDICTED).tolist()
        born = [row for row, track in enumerate(ids) if track not in self._tracks]
        continued = self._continued(born, tracks, time_s) if born else []
        rows, returned = [], []
        for row, track in enumerate(ids):
            one = self._tracks.get(track)
            if one is None:
                self._tracks[track] = _Sighting(boxes[row], velocities[row], time_s)
            elif seen[row]:
                if one.continued:
                    returned.append(track)
                self._tracks[track] = _Sighting(boxes[row], velocities[row], time_s)
            elif one.continued:
                continue
            rows.append(row)
        self._prune(time_s)
        return Found(rows, continued, returned)

    def _continued(self, born: Sequence[int], tracks: Tracks, time_s: float) -> list[tuple[int, int]]:
        shown = set(tracks.ids[tracks.origin != Origin.PREDICTED].tolist())
        lost = [
            (track, one)
            for track, one in self._tracks.items()
            if time_s - one.time_s <= LOST_S and not one.continued and track not in shown
        ]
        pairs = []
        for row in born:
            box, label = tracks.boxes[row].tolist(), int(tracks.labels[row])
            for track, one in lost:
                share = max(overlap(one.box, box), overlap(one.expected(time_s), box))
                if share >= SAME_PLACE and self._label(track) == label:
                    pairs.append((share, track, int(tracks.ids[row])))
        found: dict[int, int] = {}
        for _, old, new in sorted(pairs, reverse=True):
            if old not in found and new not in found.values():
                found[old] = new
                self._tracks[old].continued = True
        return list(found.items())

    def _prune(self, time_s: float) -> None:
        if time_s - self._pruned_s > KNOWN_S / 10:
            self._pruned_s = time_s
            for track in [track for track, one in self._tracks.items() if time_s - one.time_s > KNOWN_S]:
                del self._tracks[track]
