"""How often one object got a second id: a track ends inside the picture and another begins near in place and time.

Found from the shown tracks alone, so an object that hides for long and one that takes another's place are told apart
only by these bounds. An instance belongs to one thread.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tracking.assignment import assign
from tracking.boxes import Array
from tracking.types import BoolArray, Tracks

# A track that begins at most this long after another one was last detected, and overlaps with it this much, goes on
# where that one ended.
_WITHIN_S = 1.0
_IOU_MIN = 0.2
# A box this near to the border, in parts of the picture's sides, may have left the picture.
_BORDER = 0.02


@dataclass(frozen=True, slots=True)
class IdBreaks:
    """How ids fared.

    Attributes:
        ids: different ids that were shown.
        shown_s: how long they were shown, all together, seconds.
        ended_inside: ids that ended inside the picture before the run or segment did.
        breaks: of those, how many another id of the same label took over from.
        breaks_per_minute: breaks in a minute of one object being shown.
    """

    ids: int
    shown_s: float
    ended_inside: int
    breaks: int
    breaks_per_minute: float


@dataclass(slots=True)
class _Life:
    """Of one id: how it began and how it was last shown.

    Attributes:
        born_s: time of its first detection.
        first_s, first_box: when and where it was first shown.
        last_s, last_box, velocity: when and where it was last shown, px and px/s.
        seen_s: time of its last detection then.
        inside: whether its last box was away from the border.
    """

    label: int
    segment: int
    born_s: float
    first_s: float
    first_box: npt.NDArray[np.float32]
    last_s: float
    last_box: npt.NDArray[np.float32]
    velocity: npt.NDArray[np.float32]
    seen_s: float
    inside: bool


class TrackLifetimes:
    """The lives of all ids."""

    def __init__(self) -> None:
        self._by_id: dict[int, _Life] = {}
        self._ends_s: dict[int, float] = {}  # time of the last scene of each segment

    def take(self, tracks: Tracks, time_s: float, segment: int, size: tuple[int, int]) -> None:
        """The tracks that are shown at `time_s` in a picture of `size` (width, height) pixels."""
        self._ends_s[segment] = time_s
        sides = np.array(size, np.float64)
        away = (tracks.boxes[:, :2] > _BORDER * sides) & (tracks.boxes[:, 2:] < (1 - _BORDER) * sides)
        inside: BoolArray = np.logical_and.reduce(away, axis=1)
        for row, track_id in enumerate(tracks.ids.tolist()):
            life = self._by_id.get(track_id)
            if life is None:
                box, born_s = tracks.boxes[row], time_s - float(tracks.age_s[row])
                life = _Life(
                    int(tracks.labels[row]), segment, born_s, time_s, box, time_s, box, box[:2], born_s, inside=False
                )
                self._by_id[track_id] = life
            life.last_s, life.last_box, life.velocity = time_s, tracks.boxes[row], tracks.velocities[row]
            life.seen_s, life.inside = time_s - float(tracks.unseen_s[row]), bool(inside[row])

    def breaks(self) -> IdBreaks:
        """What is known until now."""
        lives = list(self._by_id.values())
        ended = [life for life in lives if life.inside and life.last_s < self._ends_s[life.segment]]
        pairs = [
            (end, start, overlap)
            for end, old in enumerate(ended)
            for start, new in enumerate(lives)
            if (overlap := _continues(old, new)) >= _IOU_MIN
        ]
        rows, cols, weights = (np.array(column) for column in zip(*pairs, strict=True)) if pairs else _NO_PAIRS
        count = len(assign(rows, cols, weights)[0])
        shown_s = sum(life.last_s - life.first_s for life in lives)
        return IdBreaks(len(lives), shown_s, len(ended), count, 60 * count / shown_s if shown_s > 0 else 0.0)


_NO_PAIRS = (np.empty(0, np.intp), np.empty(0, np.intp), np.empty(0))


def _continues(old: _Life, new: _Life) -> float:
    """How much a new track's first box overlaps with where an old one was, or would have gone to; 0 if it cannot be."""
    if old.label != new.label or old.segment != new.segment or not 0 < new.born_s - old.seen_s <= _WITHIN_S:
        return 0.0
    moved = old.last_box + np.tile(old.velocity, 2) * (new.first_s - old.last_s)
    return max(_iou(old.last_box, new.first_box), _iou(moved, new.first_box))


def _iou(a: npt.NDArray[np.float32], b: npt.NDArray[np.float32]) -> float:
    sides: Array = np.maximum(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0).astype(np.float64)
    shared = float(sides.prod())
    joint = float((a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod()) - shared
    return shared / joint if joint > 0 else 0.0
