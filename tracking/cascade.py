"""The better tracker: detections are given out in rounds, the surest first. One thread owns an instance.

It joins what is published of tracking by detection without looks: strong detections before weak ones (Zhang et al.,
"ByteTrack", 2022, arXiv:2110.06864), known tracks before new ones (Wojke et al., "Deep SORT", 2017, arXiv:1703.07402),
the overlap in height as a second cue (Yang et al., "Hybrid-SORT", 2023, arXiv:2308.00783), camera motion taken out by
the pictures where they are at hand (Aharon et al., "BoT-SORT", 2022, arXiv:2206.14651) and by the boxes themselves
otherwise. All durations are seconds; where updates are rare, counts of updates take their place.
"""

from __future__ import annotations

import math

import numpy as np

from tracking.adaptation import Adaptation, MedianScore
from tracking.boxes import Array, Flags, Indices, to_centres, to_corners
from tracking.matching import Match, SortedDetections, Stage, match_in_stages, others
from tracking.motion import MovingBoxes
from tracking.track_table import TrackTable
from tracking.types import Detections, IdArray, Motion, Origin, Tracks
from tracking.velocity_trust import VelocityTrust

# A weak detection must fit better, and is no proof for a track that was missed for longer than this.
_WEAK_IOU_MIN = 0.3
_WEAK_MEMORY_S = 0.35
# The recent score of a track is a mean over about this time.
_RECENT_S = 0.3
_AGILITY = np.array([0.5, 0.5, 1.0, 1.0])
# What is shown of a detected track lies between the filter's box, which is steady, and the detector's, which is exact.
_EXACTNESS = 0.5
_PICTURED_EXACTNESS = 0.25
# Where updates are rarer than this, a strong new object is shown at once: waiting for the next one would cost too much.
_RARE_S = 0.2
_MARGIN = 1.0
_LARGEST_MARGIN = 0.5
# Nothing is kept longer than this, however rare updates are.
_LONGEST_MEMORY_S = 10.0
_DETECTED, _PREDICTED = np.uint8(Origin.DETECTED), np.uint8(Origin.PREDICTED)
# Media times are rounded; nobody tracks in steps as small as this.
_ROUNDING_S = 1e-6


class CascadeTracker:
    """Follows boxes from frame to frame in rounds: the surest tracks and detections find each other first.

    Args:
        iou_min: the least overlap of a detection with a track's predicted box, above 0, at most 1.
        per_class: a track takes only detections of its own label; otherwise it takes on the label of each.
        confirm_s: probation of a new object, seconds; 0 = none.
        weak_confirm_s: probation of a new object whose mean score is weak, seconds; at least `confirm_s`.
        weak_ratio: a score is weak below this fraction of the detector's usual score of late; 0 = none is.
        shown_ratio: a track is not returned while its recent score is below this fraction of it; 0 = all are.
        memory_s: how long a missed track can be found again, seconds.
        memory_updates: it can be found again in this many updates at least, if they are rare.
        probation_memory_s: as `memory_s`, for one on probation, seconds; at least one update.
        coast_s: how long a missed track is still returned, seconds; at most `memory_s`.

    Raises:
        ValueError: an argument outside its range.
    """

    def __init__(
        self,
        *,
        iou_min: float = 0.2,
        per_class: bool = True,
        confirm_s: float = 0.05,
        weak_confirm_s: float = 1.0,
        weak_ratio: float = 0.8,
        shown_ratio: float = 0.7,
        memory_s: float = 1.0,
        memory_updates: int = 3,
        probation_memory_s: float = 0.1,
        coast_s: float = 0.15,
    ) -> None:
        if not 0 < iou_min <= 1:
            raise ValueError(f"iou_min must be above 0 and at most 1, not {iou_min}")
        if not 0 < memory_s < math.inf:
            raise ValueError(f"memory_s must be above 0, not {memory_s}")
        for name, value in (
            ("confirm_s", confirm_s),
            ("weak_confirm_s", weak_confirm_s),
            ("weak_ratio", weak_ratio),
            ("shown_ratio", shown_ratio),
            ("memory_updates", memory_updates),
            ("probation_memory_s", probation_memory_s),
            ("coast_s", coast_s),
        ):
            if not 0 <= value < math.inf:
                raise ValueError(f"{name} must be 0 or more, not {value}")
        self._iou_min = iou_min
        self._per_class = per_class
        self._confirm_s = confirm_s
        self._weak_confirm_s = max(confirm_s, weak_confirm_s)
        self._weak_ratio = weak_ratio
        self._shown_ratio = shown_ratio
        self._memory_s = memory_s
        self._memory_updates = memory_updates
        self._probation_memory_s = min(probation_memory_s, memory_s)
        self._coast_s = min(coast_s, memory_s)
        self._next_id = 1
        self.reset()

    def reset(self) -> None:
        """Forget all tracks and what was learned of the detector. Ids go on from where they were."""
        self._lives, self._boxes = _no_tracks()
        self._offsets: Array = np.empty((0, 4))
        self._now_s = -math.inf
        self._interval_s = 0.0
        self._pictured = False
        self._experience = Adaptation()
        self._usual = MedianScore()
        self._hindsight = VelocityTrust()

    def update(self, detections: Detections, time_s: float, motion: Motion | None = None) -> Tracks:
        """Take in the detections of the frame at media time `time_s`; returns the confirmed tracks at that time.

        Raises:
            ValueError: `time_s` is not finite.
        """
        _check_time(time_s)
        elapsed_s = time_s - self._now_s
        starts_anew = not 0 <= elapsed_s <= _LONGEST_MEMORY_S
        if starts_anew:
            self._lives, self._boxes = _no_tracks()
            elapsed_s = self._interval_s = 0.0
        elif elapsed_s > 0:
            self._interval_s = elapsed_s
        seen = SortedDetections.of(detections)
        self._usual.take(seen.scores, elapsed_s)
        self._pictured = motion is not None
        if elapsed_s > _RARE_S and not self._pictured:
            self._hindsight.look_back(seen.boxes, time_s)
        self._advance(elapsed_s, motion)
        matching = self._match(seen, time_s)
        self._boxes.state[matching.missed_at_first, :2] += matching.camera_shift
        self._now_s = time_s
        self._take(matching.rows, matching.cols, seen)
        self._forget()
        self._begin(seen, others(len(seen.scores), matching.cols))
        self._confirm(at_once=starts_anew)
        if (self._interval_s > _RARE_S and not self._pictured) or starts_anew:
            self._hindsight.remember(self._boxes, np.flatnonzero(self._returned()), time_s)
        return self.predict(time_s)

    def to_carry(self) -> Array:
        """All that are remembered, where the last `update` left them, `(N, 4)`, x0, y0, x1, y1 in pixels. Pure."""
        return to_corners(self._boxes.state)

    def predict(self, time_s: float) -> Tracks:
        """The tracks that the last `update` returned as they should be at `time_s`, before it or after. Pure.

        Raises:
            ValueError: `time_s` is not finite.
        """
        _check_time(time_s)
        lives = self._lives
        ahead_s = time_s - self._now_s
        alive = ahead_s <= self._memory_s_now() + _ROUNDING_S
        rows = np.flatnonzero(self._returned() & alive)
        ahead_s = min(max(ahead_s, -self._memory_s), _LONGEST_MEMORY_S) if len(rows) else 0.0
        boxes = self._boxes.expect(ahead_s, self._hindsight.doubt) + self._offsets
        boxes = np.maximum(boxes.take(rows, axis=0), _LEAST_BOX)
        seen_s = lives.seen_s[rows]
        return Tracks(
            ids=lives.ids[rows],
            boxes=to_corners(boxes).astype(np.float32),
            scores=lives.scores[rows].astype(np.float32),
            labels=lives.labels[rows],
            velocities=self._boxes.velocity.take(rows, axis=0)[:, :2].astype(np.float32),
            age_s=np.maximum(time_s - lives.born_s[rows], 0.0).astype(np.float32),
            unseen_s=np.maximum(time_s - seen_s, 0.0).astype(np.float32),
            origin=np.where(seen_s == time_s, _DETECTED, _PREDICTED),
            confirmed=np.ones(len(rows), np.bool_),
        )

    def _memory_s_now(self) -> float:
        """How long tracks are remembered with updates as rare as they are."""
        if self._interval_s == 0:
            return _LONGEST_MEMORY_S
        return min(max(self._memory_s, self._memory_updates * self._interval_s), _LONGEST_MEMORY_S)

    def _returned(self) -> Flags:
        """Which tracks are shown."""
        lives = self._lives
        shown = (lives.ids > 0) & (lives.recent_scores >= self._usual.times(self._shown_ratio))
        if self._experience.misses_are_flicker:
            return shown & self._coasts(lives.missed, self._now_s - lives.seen_s)
        return np.asarray(shown & (lives.missed == 0), np.bool_)

    def _coasts(self, missed: IdArray, unseen_s: Array) -> Flags:
        """Whether tracks missed in so many updates, not seen for so long, are still taken for there."""
        # Where updates are rare, who was missed once may be gone for long: that would be seen as a ghost.
        flickers = (missed <= 1) & (self._interval_s <= _RARE_S)
        return np.asarray(flickers | (unseen_s <= self._coast_s + _ROUNDING_S), np.bool_)

    def _advance(self, elapsed_s: float, motion: Motion | None) -> None:
        """Move all boxes to where they are expected `elapsed_s` seconds later."""
        if motion is None or elapsed_s == 0 or not len(self._lives.ids):
            self._boxes.advance(elapsed_s)
            return
        carried = motion.carry(self.to_carry())
        camera = to_centres(carried.camera)
        places = to_centres(carried.boxes)
        # Where a track was missed somebody else may stand in its place: the picture there moves as that one does.
        trusted = carried.trusted & (self._lives.missed == 0)
        self._boxes.state[~trusted] = camera[~trusted]
        self._boxes.carry(trusted, places, (places - camera) / elapsed_s, elapsed_s)

    def _match(self, seen: SortedDetections, time_s: float) -> Match:
        lives = self._lives
        labels = lives.labels if self._per_class else None
        known = lives.ids > 0
        every_track, every_detection = np.ones(len(known), np.bool_), np.ones(len(seen.scores), np.bool_)
        strong = seen.scores >= self._usual.times(self._weak_ratio)
        recent = known & ((time_s - lives.seen_s <= _WEAK_MEMORY_S) | (lives.missed <= 1))
        stages = (
            Stage(known, strong, self._iou_min),
            Stage(recent, ~strong, max(self._iou_min, _WEAK_IOU_MIN)),
            Stage(every_track, every_detection, self._iou_min),
        )
        # Where the pictures tell where each one went, a margin would only allow what was not.
        margin = 0.0 if self._pictured else min(max(_MARGIN * (self._interval_s - 0.15), 0.0), _LARGEST_MARGIN)
        return match_in_stages(self._boxes.state, labels, seen, stages, margin)

    def _take(self, rows: Indices, cols: Indices, seen: SortedDetections) -> None:
        """Take in the detections `cols` as those of the tracks `rows`."""
        lives, scores = self._lives, seen.scores[cols]
        unseen_s = self._now_s - lives.seen_s
        coasted = (lives.ids > 0) & (lives.missed > 0) & self._coasts(lives.missed, unseen_s - self._interval_s)
        came_back = int(coasted[rows].sum())
        lives.missed += 1
        lives.missed[rows] = 0
        over = (lives.ids > 0) & (lives.missed > 0) & ~self._coasts(lives.missed, unseen_s)
        over &= self._coasts(lives.missed - 1, unseen_s - self._interval_s)
        self._experience.take_misses(came_back, int(over.sum()))
        self._boxes.correct(rows, seen.centres.take(cols, axis=0))
        weights = -np.expm1(-unseen_s[rows] / _RECENT_S)
        lives.recent_scores[rows] += weights * (scores - lives.recent_scores[rows])
        lives.labels[rows] = seen.labels[cols]
        lives.scores[rows] = scores
        lives.score_sums[rows] += scores
        lives.detections[rows] += 1
        lives.seen_s[rows] = self._now_s
        self._offsets = np.zeros((len(lives.ids), 4))
        exactness = _PICTURED_EXACTNESS if self._pictured else _EXACTNESS
        self._offsets[rows] = exactness * (seen.centres[cols] - self._boxes.state[rows])

    def _forget(self) -> None:
        """Forget the tracks whose memory is over."""
        lives, known = self._lives, self._lives.ids > 0
        memory_s = np.where(known, self._memory_s, self._probation_memory_s)
        updates = np.where(known, self._memory_updates, 1)
        unseen_s = self._now_s - lives.seen_s
        kept = (unseen_s <= memory_s + _ROUNDING_S) | (lives.missed <= updates)
        kept &= unseen_s <= _LONGEST_MEMORY_S
        if not kept.all():
            self._lives = lives.select(kept)
            self._boxes.keep(kept)
            self._offsets = self._offsets[kept]

    def _begin(self, seen: SortedDetections, cols: Indices) -> None:
        """Start tracks from the detections that no track took."""
        if len(cols):
            new = TrackTable.begun(seen.labels[cols], seen.scores[cols], self._now_s)
            self._lives = self._lives.joined_with(new)
            self._boxes.append(MovingBoxes(seen.centres[cols], _AGILITY))
            self._offsets = np.concatenate([self._offsets, np.zeros((len(cols), 4))])

    def _confirm(self, *, at_once: bool) -> None:
        """Give ids to the tracks, seen now, whose probation is over; the oldest first."""
        lives = self._lives
        shown = lives.recent_scores >= self._usual.times(self._shown_ratio)
        rows = np.flatnonzero((lives.ids == 0) & (lives.missed == 0) & shown)
        if not len(rows):
            return
        if not at_once:
            weak = lives.score_sums[rows] / lives.detections[rows] < self._usual.times(self._weak_ratio)
            probation_s = np.where(weak, self._weak_confirm_s, self._confirm_s)
            if self._interval_s > _RARE_S:
                probation_s = np.where(weak, probation_s, 0.0)
            rows = rows[self._now_s - lives.born_s[rows] >= probation_s - _ROUNDING_S]
        lives.ids[rows] = np.arange(self._next_id, self._next_id + len(rows))
        self._next_id += len(rows)


_LEAST_BOX = np.array([-np.inf, -np.inf, 0.0, 0.0])


def _no_tracks() -> tuple[TrackTable, MovingBoxes]:
    return TrackTable.begun(np.empty(0, np.int32), np.empty(0), 0.0), MovingBoxes(
        np.empty((0, 4)), _AGILITY, learns=True
    )


def _check_time(time_s: float) -> None:
    if not math.isfinite(time_s):
        raise ValueError(f"time_s must be finite, not {time_s}")
