"""The cascade tracker: detections are assigned in stages, the most certain first. One thread owns an instance.

It combines published methods of tracking by detection without appearance: strong detections before weak ones (Zhang et
al., "ByteTrack", 2022, arXiv:2110.06864), known tracks before new ones (Wojke et al., "Deep SORT", 2017,
arXiv:1703.07402), the overlap in height as a second cue (Yang et al., "Hybrid-SORT", 2023, arXiv:2308.00783), and
compensation of camera motion, estimated from the frames if they are available (Aharon et al., "BoT-SORT", 2022,
arXiv:2206.14651) and from the boxes otherwise. All durations are seconds; if updates are rare, counts of updates
replace them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tracking.adaptation import MedianScore
from tracking.base import ROUNDING_S, BoxTracker, check_time
from tracking.boxes import Array, Flags, Indices, to_centres
from tracking.matching import Match, SortedDetections, Stage, match_in_stages, others
from tracking.types import Detections, IdArray, Motion, Tracks
from tracking.velocity_trust import VelocityTrust

# A weak detection needs this overlap, and does not match a track that has been missed for longer than this.
_WEAK_IOU_MIN = 0.3
_WEAK_MEMORY_S = 0.35
# The recent score of a track is a mean over about this time.
_RECENT_S = 0.3
# The returned box of a detected track lies between the filter's box, which is steady, and the detector's, which is
# exact: the weight of the latter, without and with motion from the frames.
_EXACTNESS = 0.5
_EXACTNESS_WITH_MOTION = 0.25
# If updates are rarer than this, a strong new object is confirmed at once: the next one would be too late.
_RARE_S = 0.2
_MARGIN = 1.0
_LARGEST_MARGIN = 0.5
# No track is kept for longer than this, however rare updates are.
_LONGEST_MEMORY_S = 10.0
_LEAST_BOX = np.array([-np.inf, -np.inf, 0.0, 0.0])


@dataclass(kw_only=True, eq=False)
class CascadeTracker(BoxTracker):
    """Follows boxes from frame to frame in stages: the most certain tracks and detections are matched first.

    Arguments are those of `BoxTracker` and:

    Args:
        shown_ratio: a track is not returned while its recent score is below this fraction of the usual; 0 = all are.
        memory_updates: the least number of updates in which a missed track can be found again, if they are rare.
    """

    weak_confirm_s: float = 1.0
    shown_ratio: float = 0.7
    memory_updates: int = 3
    agility = np.array([0.5, 0.5, 1.0, 1.0])
    adapts_noise = True

    def reset(self) -> None:
        """Forget all tracks and everything learned about the detector. Ids continue."""
        super().reset()
        self._offsets: Array = np.empty((0, 4))  # from the filter's boxes to the returned ones
        self._interval_s = 0.0
        self._has_motion = False
        self._usual = MedianScore()
        self._trust = VelocityTrust()

    def update(self, detections: Detections, time_s: float, motion: Motion | None = None) -> Tracks:
        """Process the detections of the frame at media time `time_s`; returns the confirmed tracks at that time.

        Raises:
            ValueError: `time_s` is not finite.
        """
        check_time(time_s)
        elapsed_s = time_s - self._now_s
        restarts = not 0 <= elapsed_s <= _LONGEST_MEMORY_S
        if restarts:
            self._drop_tracks()
            elapsed_s = self._interval_s = 0.0
        elif elapsed_s > 0:
            self._interval_s = elapsed_s
        found = SortedDetections.of(detections)
        self._usual.take(found.scores, elapsed_s)
        self._has_motion = motion is not None
        if elapsed_s > _RARE_S and not self._has_motion:
            self._trust.score_guesses(found.boxes, time_s)
        self._advance(elapsed_s, motion)
        matching = self._match(found, time_s)
        self._boxes.state[matching.missed_at_first, :2] += matching.camera_shift
        self._now_s = time_s
        self._take(matching.rows, matching.cols, found)
        self._forget()
        self._begin(others(len(found.scores), matching.cols), found)
        table, detected = self._table, self._table.missed == 0
        shown = table.recent_scores >= self._usual.times(self.shown_ratio)
        self._confirm(np.flatnonzero((table.ids == 0) & detected & shown), at_once=restarts)
        self._count_hidden(np.flatnonzero(detected & ((table.ids == 0) | ~shown)), at_once=restarts)
        if (self._interval_s > _RARE_S and not self._has_motion) or restarts:
            self._trust.remember(self._boxes, np.flatnonzero(self._returned()), time_s)
        return self.predict(time_s)

    def predict(self, time_s: float) -> Tracks:
        """The tracks of the last `update` as expected at `time_s`, earlier or later. Pure.

        Raises:
            ValueError: `time_s` is not finite.
        """
        check_time(time_s)
        ahead_s = time_s - self._now_s
        alive = ahead_s <= self._memory_s_now() + ROUNDING_S
        rows = np.flatnonzero(self._returned() & alive)
        ahead_s = min(max(ahead_s, -self.memory_s), _LONGEST_MEMORY_S) if len(rows) else 0.0
        boxes = self._boxes.expect(ahead_s, self._trust.doubt) + self._offsets
        return self._tracks(rows, np.maximum(boxes.take(rows, axis=0), _LEAST_BOX), time_s)

    def _are_weak(self, scores: Array) -> Flags:
        return np.asarray(scores < self._usual.times(self.weak_ratio), np.bool_)

    @property
    def _probation_s(self) -> float:
        return 0.0 if self._interval_s > _RARE_S else self.confirm_s

    def _memory_s_now(self) -> float:
        """How long tracks are remembered at the current rate of updates."""
        if self._interval_s == 0:
            return _LONGEST_MEMORY_S
        return min(max(self.memory_s, self.memory_updates * self._interval_s), _LONGEST_MEMORY_S)

    def _returned(self) -> Flags:
        """Which tracks are returned."""
        table = self._table
        shown = (table.ids > 0) & (table.recent_scores >= self._usual.times(self.shown_ratio))
        if self._adaptation.misses_are_flicker:
            return shown & self._coasts(table.missed, self._now_s - table.seen_s)
        return np.asarray(shown & (table.missed == 0), np.bool_)

    def _coasts(self, missed: IdArray, unseen_s: Array) -> Flags:
        """Whether tracks missed in so many updates, unseen for so long, are still assumed to be present."""
        # If updates are rare, an object that is missed once may be gone for long: its box would be visible as a ghost.
        flickers = (missed <= 1) & (self._interval_s <= _RARE_S)
        return np.asarray(flickers | (unseen_s <= self.coast_s + ROUNDING_S), np.bool_)

    def _advance(self, elapsed_s: float, motion: Motion | None) -> None:
        """Move all boxes to where they are expected `elapsed_s` seconds later."""
        if motion is None or elapsed_s == 0 or not len(self._table.ids):
            self._boxes.advance(elapsed_s)
            return
        carried = motion.carry(self.to_carry())
        camera = to_centres(carried.camera)
        places = to_centres(carried.boxes)
        # Another object may occlude a missed track: the image there moves as that object does.
        trusted = carried.trusted & (self._table.missed == 0)
        self._boxes.state[~trusted] = camera[~trusted]
        self._boxes.carry(trusted, places, (places - camera) / elapsed_s, elapsed_s)

    def _match(self, found: SortedDetections, time_s: float) -> Match:
        table = self._table
        known = table.ids > 0
        every_track, every_detection = np.ones(len(known), np.bool_), np.ones(len(found.scores), np.bool_)
        weak = self._are_weak(found.scores)
        recent = known & ((time_s - table.seen_s <= _WEAK_MEMORY_S) | (table.missed <= 1))
        stages = (
            Stage(known, ~weak, self.iou_min),
            Stage(recent, weak, max(self.iou_min, _WEAK_IOU_MIN)),
            Stage(every_track, every_detection, self.iou_min),
        )
        # With motion from the frames the expected boxes are good, and a margin would only allow wrong matches.
        margin = 0.0 if self._has_motion else min(max(_MARGIN * (self._interval_s - 0.15), 0.0), _LARGEST_MARGIN)
        return match_in_stages(self._boxes.state, table.labels if self.per_class else None, found, stages, margin)

    def _take(self, rows: Indices, cols: Indices, found: SortedDetections) -> None:
        """Update all tracks; the detections `cols` belong to the tracks `rows`, the other tracks are missed."""
        table = self._table
        unseen_s = self._now_s - table.seen_s
        coasted = (table.ids > 0) & (table.missed > 0) & self._coasts(table.missed, unseen_s - self._interval_s)
        came_back = int(coasted[rows].sum())
        table.missed += 1
        table.missed[rows] = 0
        over = (table.ids > 0) & (table.missed > 0) & ~self._coasts(table.missed, unseen_s)
        over &= self._coasts(table.missed - 1, unseen_s - self._interval_s)
        self._adaptation.take_misses(came_back, int(over.sum()))
        weights = -np.expm1(-unseen_s[rows] / _RECENT_S)
        table.recent_scores[rows] += weights * (found.scores[cols] - table.recent_scores[rows])
        self._correct(rows, cols, found)
        self._offsets = np.zeros((len(table.ids), 4))
        exactness = _EXACTNESS_WITH_MOTION if self._has_motion else _EXACTNESS
        self._offsets[rows] = exactness * (found.centres[cols] - self._boxes.state[rows])

    def _forget(self) -> None:
        """Forget the tracks that are unseen for longer than their memory."""
        table, known = self._table, self._table.ids > 0
        memory_s = np.where(known, self.memory_s, self.probation_memory_s)
        updates = np.where(known, self.memory_updates, 1)
        unseen_s = self._now_s - table.seen_s
        kept = (unseen_s <= memory_s + ROUNDING_S) | (table.missed <= updates)
        kept &= unseen_s <= _LONGEST_MEMORY_S
        if not kept.all():
            self._keep(kept)
            self._offsets = self._offsets[kept]

    def _begin(self, cols: Indices, found: SortedDetections) -> None:
        super()._begin(cols, found)
        self._offsets = np.concatenate([self._offsets, np.zeros((len(cols), 4))])
