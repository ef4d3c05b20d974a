"""The simple IoU tracker: gate by overlap with the predicted boxes, then assign. One thread owns an instance.

SORT (Bewley et al., "Simple Online and Realtime Tracking", 2016, arXiv:1602.00763) with durations in seconds, a memory
for missed tracks, the overlap in height as a second cue (Yang et al., "Hybrid-SORT", 2023, arXiv:2308.00783), camera
motion estimated from the boxes, and thresholds relative to the usual score of the detector.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tracking.base import ROUNDING_S, BoxTracker, check_time
from tracking.boxes import Array, Flags, Indices, to_centres
from tracking.matching import SortedDetections, match, others
from tracking.types import Detections, Motion, Tracks

# The penalty of a weak detection in units of overlap: it loses a track to a detection that fits nearly as well.
_WEAK_PENALTY = 0.1


@dataclass(kw_only=True, eq=False)
class IouTracker(BoxTracker):
    """Follows boxes from frame to frame by their overlap.

    `update` and `predict` return confirmed tracks only (`Tracks.confirmed` is true for all). A new object is on
    probation, without an id, until it is detected again after `confirm_s` (a weak one after `weak_confirm_s`). False
    alarms therefore use no ids: ids are assigned at confirmation, 1, 2, 3... There is no probation in the first frame,
    and in the first frame after `reset` or after a gap longer than `memory_s`.

    A confirmed track that is missed is remembered for `memory_s`. It is still returned, as predicted, for at most
    `coast_s`, and only if the detector flickers (at least half of the last 20 missed tracks were found again in that
    time). Later it is returned again when it is found again. A step back in time forgets all tracks, but an instance
    never assigns an id twice. Two updates at the same time are allowed.

    Arguments are those of `BoxTracker`. Frames further apart than `memory_s` are not connected: a detector with less
    than one frame per second needs more than the default.
    """

    def update(self, detections: Detections, time_s: float, motion: Motion | None = None) -> Tracks:
        """Process the detections of the frame at media time `time_s`; returns the confirmed tracks at that time.

        With `motion`, a track is expected where the frames show that it moved, if they do.

        Raises:
            ValueError: `time_s` is not finite.
        """
        check_time(time_s)
        elapsed_s = time_s - self._now_s
        restarts = not 0 <= elapsed_s <= self.memory_s + ROUNDING_S
        if restarts:
            self._drop_tracks()
            elapsed_s = 0.0
        found = SortedDetections.of(detections)
        self._adaptation.take_scores(found.scores, elapsed_s)
        before = self.to_carry()
        self._boxes.advance(elapsed_s)
        if motion is not None and len(before):
            carried = motion.carry(before)
            self._boxes.state[carried.trusted] = to_centres(carried.boxes[carried.trusted])
        rows, cols = self._match(found)
        self._learn_from_misses(rows, time_s)
        self._now_s = time_s
        self._correct(rows, cols, found)
        self._forget()
        self._begin(others(len(found.scores), cols), found)
        new = np.flatnonzero((self._table.ids == 0) & (self._table.seen_s == self._now_s))
        self._confirm(new, at_once=restarts)
        self._count_hidden(new[self._table.ids[new] == 0], at_once=restarts)
        return self.predict(time_s)

    def predict(self, time_s: float) -> Tracks:
        """The tracks of the last `update` as expected at `time_s`, earlier or later. Pure.

        Tracks that are unseen for longer than `memory_s` by then are left out.

        Raises:
            ValueError: `time_s` is not finite.
        """
        check_time(time_s)
        coast_s = self.coast_s if self._adaptation.misses_are_flicker else 0.0
        since_s = max(self._now_s - coast_s, time_s - self.memory_s) - ROUNDING_S
        rows = np.flatnonzero((self._table.ids > 0) & (self._table.seen_s >= since_s))
        # Boxes are not extrapolated further back than tracks are remembered.
        ahead_s = max(time_s - self._now_s, -self.memory_s) if len(rows) else 0.0
        return self._tracks(rows, self._boxes.extrapolate(ahead_s).take(rows, axis=0), time_s)

    def _are_weak(self, scores: Array) -> Flags:
        return self._adaptation.are_weak(scores, self.weak_ratio)

    def _match(self, found: SortedDetections) -> tuple[Indices, Indices]:
        """Rows of matching tracks and detections; moves the missed tracks along with the camera."""
        matching = match(
            self._boxes.state,
            self._table.labels if self.per_class else None,
            found,
            penalties=np.where(self._are_weak(found.scores), _WEAK_PENALTY, 0.0),
            iou_min=self.iou_min,
        )
        self._boxes.state[matching.missed_at_first, :2] += matching.camera_shift
        return matching.rows, matching.cols

    def _learn_from_misses(self, rows: Indices, time_s: float) -> None:
        """Count the confirmed tracks found again within `coast_s` and the others; `rows` are detected now."""
        table = self._table
        missed_s = self._now_s - table.seen_s  # until the frame before this one
        recent = (table.ids > 0) & (missed_s <= self.coast_s)
        came_back = recent[rows] & (missed_s[rows] > 0)
        recent[rows] = False
        left = recent & (time_s - table.seen_s > self.coast_s)
        self._adaptation.take_misses(int(came_back.sum()), int(left.sum()))

    def _forget(self) -> None:
        """Forget the tracks that are unseen for longer than their memory."""
        memory_s = np.where(self._table.ids > 0, self.memory_s, self.probation_memory_s)
        kept = self._now_s - self._table.seen_s <= memory_s + ROUNDING_S
        if not kept.all():
            self._keep(kept)
