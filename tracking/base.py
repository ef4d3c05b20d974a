"""The state and the steps that both trackers share. An instance is used by one thread."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections import Counter
from dataclasses import dataclass, fields
from typing import ClassVar

import numpy as np

from tracking.adaptation import Adaptation
from tracking.boxes import Array, Flags, Indices, to_corners
from tracking.matching import SortedDetections
from tracking.motion import MovingBoxes
from tracking.track_table import TrackTable
from tracking.types import Detections, Motion, Origin, Tracks

ROUNDING_S = 1e-6
"""Tolerance for rounded media times; much shorter than any frame interval."""
_DETECTED, _PREDICTED = np.uint8(Origin.DETECTED), np.uint8(Origin.PREDICTED)


@dataclass(kw_only=True, eq=False)
class BoxTracker(ABC):
    """A tracker that keeps a table of tracks and a filter of their boxes; see `tracking.types.Tracker`.

    Args:
        iou_min: the least overlap of a detection with a track's predicted box, above 0, at most 1.
        per_class: a track takes only detections of its own label; otherwise it adopts the label of each detection.
        confirm_s: probation of a new object, seconds; 0 = none.
        weak_confirm_s: probation of a new object whose mean score is weak, seconds; at least `confirm_s`.
        weak_ratio: a score is weak below this fraction of the detector's usual recent score; 0 = no score is weak.
        memory_s: how long a missed track can be found again, seconds.
        probation_memory_s: the same for a track on probation, seconds; at most `memory_s`.
        coast_s: how long a missed track is still returned, seconds; at most `memory_s`.

    Attributes:
        hidden: detections, by label, of tracks that are not returned although they would be with the usual score. No
            detection on the shorter probation is one of them. `reset` keeps the counts.

    Raises:
        ValueError: an argument outside its range.
    """

    iou_min: float = 0.2
    per_class: bool = True
    confirm_s: float = 0.05
    weak_confirm_s: float = 0.5
    weak_ratio: float = 0.8
    memory_s: float = 1.0
    probation_memory_s: float = 0.1
    coast_s: float = 0.15
    agility: ClassVar[Array | float] = 1.0
    """As for `MovingBoxes`."""
    adapts_noise: ClassVar[bool] = False
    """As for `MovingBoxes`."""

    def __post_init__(self) -> None:
        if not 0 < self.iou_min <= 1:
            raise ValueError(f"iou_min must be above 0 and at most 1, not {self.iou_min}")
        if not 0 < self.memory_s < math.inf:
            raise ValueError(f"memory_s must be above 0, not {self.memory_s}")
        for name in (field.name for field in fields(self)):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(f"{name} must be 0 or more, not {getattr(self, name)}")
        self.weak_confirm_s = max(self.confirm_s, self.weak_confirm_s)
        self.probation_memory_s = min(self.probation_memory_s, self.memory_s)
        self.coast_s = min(self.coast_s, self.memory_s)
        self._next_id = 1
        self.hidden: Counter[int] = Counter()
        self.reset()

    def reset(self) -> None:
        """Forget all tracks and everything learned about the detector. Ids continue."""
        self._drop_tracks()
        self._now_s = -math.inf
        self._adaptation = Adaptation()

    @abstractmethod
    def update(self, detections: Detections, time_s: float, motion: Motion | None = None) -> Tracks:
        """See `tracking.types.Tracker`."""

    @abstractmethod
    def predict(self, time_s: float) -> Tracks:
        """See `tracking.types.Tracker`."""

    def to_carry(self) -> Array:
        """The boxes of all remembered tracks after the last `update`, `(N, 4)`, x0, y0, x1, y1 in pixels. Pure."""
        return to_corners(self._boxes.state)

    @abstractmethod
    def _are_weak(self, scores: Array) -> Flags:
        """Which of the scores are weak for this detector."""

    @property
    def _probation_s(self) -> float:
        """Probation of a new object whose mean score is not weak."""
        return self.confirm_s

    def _drop_tracks(self) -> None:
        self._table = TrackTable.begun(np.empty(0, np.int32), np.empty(0), 0.0)
        self._boxes = MovingBoxes(np.empty((0, 4)), self.agility, adapts_noise=self.adapts_noise)

    def _tracks(self, rows: Indices, centres: Array, time_s: float) -> Tracks:
        """The tracks `rows` with boxes `(len(rows), 4)` as centre x, centre y, width, height."""
        table = self._table
        seen_s = table.seen_s[rows]
        return Tracks(
            ids=table.ids[rows],
            boxes=to_corners(centres).astype(np.float32),
            scores=table.scores[rows].astype(np.float32),
            labels=table.labels[rows],
            velocities=self._boxes.velocity.take(rows, axis=0)[:, :2].astype(np.float32),
            age_s=np.maximum(time_s - table.born_s[rows], 0.0).astype(np.float32),
            unseen_s=np.maximum(time_s - seen_s, 0.0).astype(np.float32),
            origin=np.where(seen_s == time_s, _DETECTED, _PREDICTED),
            confirmed=np.ones(len(rows), np.bool_),
        )

    def _correct(self, rows: Indices, cols: Indices, found: SortedDetections) -> None:
        """Update the tracks `rows` with their detections `cols`."""
        table, scores = self._table, found.scores[cols]
        self._boxes.correct(rows, found.centres.take(cols, axis=0))
        table.labels[rows] = found.labels[cols]
        table.scores[rows] = scores
        table.score_sums[rows] += scores
        table.detections[rows] += 1
        table.seen_s[rows] = self._now_s

    def _keep(self, kept: Flags) -> None:
        """Forget all tracks but those of a mask."""
        self._table = self._table.select(kept)
        self._boxes.keep(kept)

    def _begin(self, cols: Indices, found: SortedDetections) -> None:
        """Start tracks from detections that no track took."""
        if len(cols):
            new = TrackTable.begun(found.labels[cols], found.scores[cols], self._now_s)
            self._table = self._table.joined_with(new)
            self._boxes.append(MovingBoxes(found.centres[cols], self.agility))

    def _confirm(self, rows: Indices, *, at_once: bool) -> None:
        """Give ids to the tracks `rows`, seen now, whose probation is over; the oldest first."""
        if len(rows) and not at_once:
            table = self._table
            weak = self._are_weak(table.score_sums[rows] / table.detections[rows])
            probation_s = np.where(weak, self.weak_confirm_s, self._probation_s)
            rows = rows[self._now_s - table.born_s[rows] >= probation_s - ROUNDING_S]
        self._table.ids[rows] = np.arange(self._next_id, self._next_id + len(rows))
        self._next_id += len(rows)

    def _count_hidden(self, rows: Indices, *, at_once: bool) -> None:
        """Count the tracks `rows`, seen now and not returned, that only their scores hide."""
        if len(rows):
            table = self._table
            hidden = at_once | (self._now_s - table.born_s[rows] >= self._probation_s - ROUNDING_S)
            self.hidden.update(table.labels[rows[hidden]].tolist())


def check_time(time_s: float) -> None:
    """Raise ValueError for a media time that is not finite."""
    if not math.isfinite(time_s):
        raise ValueError(f"time_s must be finite, not {time_s}")
