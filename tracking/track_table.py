"""The properties of tracks besides their boxes. An instance belongs to one tracker."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Self

import numpy as np

from tracking.boxes import Array, Flags
from tracking.types import IdArray, IntArray


@dataclass(slots=True)
class TrackTable:
    """One row per track, the oldest first; all fields `(N,)`.

    Attributes:
        ids: int64, 0 while on probation.
        labels: int32.
        scores: float64, of the last detection.
        score_sums: float64, over all detections.
        recent_scores: float64, mean over the last moments.
        detections: int64, number of detections.
        missed: int64, number of updates since the last detection.
        born_s: float64, time of the first detection.
        seen_s: float64, time of the last detection.
    """

    ids: IdArray
    labels: IntArray
    scores: Array
    score_sums: Array
    recent_scores: Array
    detections: IdArray
    missed: IdArray
    born_s: Array
    seen_s: Array

    @classmethod
    def begun(cls, labels: IntArray, scores: Array, now_s: float) -> Self:
        """Tracks on probation, detected for the first time at `now_s`."""
        count = len(labels)
        times_s = np.full(count, now_s)
        return cls(
            ids=np.zeros(count, np.int64),
            labels=labels,
            scores=scores,
            score_sums=scores.copy(),
            recent_scores=scores.copy(),
            detections=np.ones(count, np.int64),
            missed=np.zeros(count, np.int64),
            born_s=times_s,
            seen_s=times_s.copy(),
        )

    def select(self, rows: Flags) -> TrackTable:
        """The tracks of a mask."""
        return TrackTable(*(getattr(self, field.name)[rows] for field in fields(self)))

    def joined_with(self, other: TrackTable) -> TrackTable:
        """These tracks, followed by those of `other`."""
        pairs = ((getattr(self, field.name), getattr(other, field.name)) for field in fields(self))
        return TrackTable(*(np.concatenate(pair) for pair in pairs))
