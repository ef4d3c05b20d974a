"""Counts id breaks: a track ends inside the frame and another track begins near it in place and time.

Only displayed tracks are used. So a reappearing object and a different object at the same place are distinguished only
by the bounds below. Used by one thread.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tracking.assignment import assign
from tracking.boxes import Array
from tracking.types import BoolArray, Tracks

# A new track continues an ended one if its first detection follows the last one of that track within this time, and
# overlaps with it at least this much.
_WITHIN_S = 1.0
_IOU_MIN = 0.2
# A box this near to the border, as a fraction of the frame's sides, may have left the frame.
_BORDER = 0.02


@dataclass(frozen=True, slots=True)
class IdBreaks:
    """Counts of ids.

    Attributes:
        ids: number of displayed ids.
        shown_s: sum of the times for which they were displayed, seconds.
        ended_inside: ids that ended inside the frame before the end of the run or segment.
        breaks: those of them that another id of the same label continues.
        breaks_per_minute: breaks per minute of one displayed object.
    """

    ids: int
    shown_s: float
    ended_inside: int
    breaks: int
    breaks_per_minute: float


@dataclass(slots=True)
class _TrackRecord:
    """The begin and the end of one id.

    Attributes:
        began_s: time of its first detection.
        first_s, first_box: time and place of its first display.
        last_s, last_box, velocity: time, place (px) and velocity (px/s) of its last display.
        seen_s: time of its last detection.
        inside: its last box was not at the border.
    """

    label: int
    segment: int
    began_s: float
    first_s: float
    first_box: npt.NDArray[np.float32]
    last_s: float
    last_box: npt.NDArray[np.float32]
    velocity: npt.NDArray[np.float32]
    seen_s: float
    inside: bool


class TrackLifetimes:
    """The first and last display of every id."""

    def __init__(self) -> None:
        self._by_id: dict[int, _TrackRecord] = {}
        self._ends_s: dict[int, float] = {}  # time of the last scene of each segment

    def add(self, tracks: Tracks, time_s: float, segment: int, size: tuple[int, int]) -> None:
        """Add the tracks displayed at `time_s` in a frame of `size` (width, height) pixels."""
        self._ends_s[segment] = time_s
        sides = np.array(size, np.float64)
        away = (tracks.boxes[:, :2] > _BORDER * sides) & (tracks.boxes[:, 2:] < (1 - _BORDER) * sides)
        inside: BoolArray = np.logical_and.reduce(away, axis=1)
        for row, track_id in enumerate(tracks.ids.tolist()):
            record = self._by_id.get(track_id)
            if record is None:
                box, began_s = tracks.boxes[row], time_s - float(tracks.age_s[row])
                record = _TrackRecord(
                    int(tracks.labels[row]),
                    segment,
                    began_s,
                    time_s,
                    box,
                    time_s,
                    box,
                    box[:2],
                    began_s,
                    inside=False,
                )
                self._by_id[track_id] = record
            record.last_s, record.last_box, record.velocity = time_s, tracks.boxes[row], tracks.velocities[row]
            record.seen_s, record.inside = time_s - float(tracks.unseen_s[row]), bool(inside[row])

    def breaks(self) -> IdBreaks:
        """The counts so far."""
        records = list(self._by_id.values())
        ended = [record for record in records if record.inside and record.last_s < self._ends_s[record.segment]]
        pairs = [
            (end, start, overlap)
            for end, old in enumerate(ended)
            for start, new in enumerate(records)
            if (overlap := _continues(old, new)) >= _IOU_MIN
        ]
        rows, cols, weights = (np.array(column) for column in zip(*pairs, strict=True)) if pairs else _NO_PAIRS
        count = len(assign(rows, cols, weights)[0])
        shown_s = sum(record.last_s - record.first_s for record in records)
        return IdBreaks(len(records), shown_s, len(ended), count, 60 * count / shown_s if shown_s > 0 else 0.0)


_NO_PAIRS = (np.empty(0, np.intp), np.empty(0, np.intp), np.empty(0))


def _continues(old: _TrackRecord, new: _TrackRecord) -> float:
    """Overlap of a new track's first box with the last or the predicted box of an old one; 0 if they cannot be one."""
    if old.label != new.label or old.segment != new.segment or not 0 < new.began_s - old.seen_s <= _WITHIN_S:
        return 0.0
    moved = old.last_box + np.tile(old.velocity, 2) * (new.first_s - old.last_s)
    return max(_iou(old.last_box, new.first_box), _iou(moved, new.first_box))


def _iou(a: npt.NDArray[np.float32], b: npt.NDArray[np.float32]) -> float:
    sides: Array = np.maximum(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0).astype(np.float64)
    shared = float(sides.prod())
    joint = float((a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod()) - shared
    return shared / joint if joint > 0 else 0.0
