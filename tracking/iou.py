"""The simple IoU tracker: gate by overlap with where each track should be, then assign. One thread owns an instance.

SORT (Bewley et al., "Simple Online and Realtime Tracking", 2016, arXiv:1602.00763) with every duration in seconds, a
memory, the overlap in height as a second cue (Yang et al., "Hybrid-SORT", 2023, arXiv:2308.00783), camera motion taken
from the boxes themselves, and thresholds relative to the detector's usual score.
"""

from __future__ import annotations

import math

import numpy as np

from tracking.adaptation import Adaptation
from tracking.boxes import Array, Indices, to_centres, to_corners
from tracking.matching import SortedDetections, match, others
from tracking.motion import MovingBoxes
from tracking.track_table import TrackTable
from tracking.types import Detections, Motion, Origin, Tracks

# A weak detection gets a track only where no other wants it nearly as much: in units of overlap.
_WEAK_PENALTY = 0.1
_DETECTED, _PREDICTED = np.uint8(Origin.DETECTED), np.uint8(Origin.PREDICTED)
# Media times are rounded; nobody tracks in steps as small as this.
_ROUNDING_S = 1e-6


class IouTracker:
    """Follows boxes from frame to frame by their overlap.

    `update` and `predict` return confirmed tracks only (`Tracks.confirmed` is true for all). A new object is on
    probation, without an id, until it was seen again after `confirm_s` (a weak one after `weak_confirm_s`), so that
    false alarms use up no ids: they are given at confirmation, 1, 2, 3... There is no probation in the first frame,
    nor in the first one after `reset` or a gap longer than `memory_s`.

    A confirmed track that is missed is remembered for `memory_s`. It is still returned, as predicted, for at most
    `coast_s`, and only while the detector is found to flicker (of the last 20 misses at least half came back in that
    time); after that it is returned again when it is found again. Going back in time forgets all tracks, but no id is
    given twice by an instance. Two updates at the same time are fine.

    Args:
        iou_min: the least overlap of a detection with a track's predicted box, above 0, at most 1.
        per_class: a track takes only detections of its own label; otherwise it takes on the label of each.
        confirm_s: probation of a new object, seconds; 0 = none.
        weak_confirm_s: probation of a new object whose mean score is weak, seconds; at least `confirm_s`.
        weak_ratio: a score is weak below this fraction of the detector's mean score of late; 0 = none is.
        memory_s: how long a missed track can be found again, seconds. Frames further apart are not connected: a
            detector that gives less than a frame a second needs more than the default.
        probation_memory_s: the same for one on probation, seconds; at most `memory_s`.
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
        weak_confirm_s: float = 0.5,
        weak_ratio: float = 0.8,
        memory_s: float = 1.0,
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
        self._memory_s = memory_s
        self._probation_memory_s = min(probation_memory_s, memory_s)
        self._coast_s = min(coast_s, memory_s)
        self._next_id = 1
        self.reset()

    def reset(self) -> None:
        """Forget all tracks and what was learned of the detector. Ids go on from where they were."""
        self._lives, self._boxes = _no_tracks()
        self._now_s = -math.inf
        self._experience = Adaptation()

    def update(self, detections: Detections, time_s: float, motion: Motion | None = None) -> Tracks:
        """Take in the detections of the frame at media time `time_s`; returns the confirmed tracks at that time.

        With `motion`, tracks are looked for where the pictures say that they went, if they do.

        Raises:
            ValueError: `time_s` is not finite.
        """
        _check_time(time_s)
        elapsed_s = time_s - self._now_s
        starts_anew = not 0 <= elapsed_s <= self._memory_s + _ROUNDING_S
        if starts_anew:
            self._lives, self._boxes = _no_tracks()
            elapsed_s = 0.0
        seen = SortedDetections.of(detections)
        self._experience.take_scores(seen.scores, elapsed_s)
        before = self.to_carry()
        self._boxes.advance(elapsed_s)
        if motion is not None and len(before):
            carried = motion.carry(before)
            self._boxes.state[carried.trusted] = to_centres(carried.boxes[carried.trusted])
        rows, cols = self._match(seen)
        self._learn_from_misses(rows, time_s)
        self._now_s = time_s
        self._take(rows, cols, seen)
        self._forget()
        self._begin(seen, others(len(seen.scores), cols))
        self._confirm(at_once=starts_anew)
        return self.predict(time_s)

    def to_carry(self) -> Array:
        """All that are remembered, where the last `update` left them, `(N, 4)`, x0, y0, x1, y1 in pixels. Pure."""
        return to_corners(self._boxes.state)

    def predict(self, time_s: float) -> Tracks:
        """The tracks that the last `update` returned as they should be at `time_s`, before it or after. Pure.

        Those not seen for longer than `memory_s` by then are left out.

        Raises:
            ValueError: `time_s` is not finite.
        """
        _check_time(time_s)
        lives = self._lives
        coast_s = self._coast_s if self._experience.misses_are_flicker else 0.0
        since_s = max(self._now_s - coast_s, time_s - self._memory_s) - _ROUNDING_S
        rows = np.flatnonzero((lives.ids > 0) & (lives.seen_s >= since_s))
        # What is not known is held: nothing is extrapolated further than it would be remembered.
        ahead_s = max(time_s - self._now_s, -self._memory_s) if len(rows) else 0.0
        boxes = self._boxes.extrapolate(ahead_s).take(rows, axis=0)
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

    def _match(self, seen: SortedDetections) -> tuple[Indices, Indices]:
        """Rows of the tracks and rows of `seen` that belong together; moves the missed tracks along with the camera."""
        weak = self._experience.are_weak(seen.scores, self._weak_ratio)
        matching = match(
            self._boxes.state,
            self._lives.labels if self._per_class else None,
            seen,
            penalties=np.where(weak, _WEAK_PENALTY, 0.0),
            iou_min=self._iou_min,
        )
        self._boxes.state[matching.missed_at_first, :2] += matching.camera_shift
        return matching.rows, matching.cols

    def _learn_from_misses(self, rows: Indices, time_s: float) -> None:
        """Count the confirmed tracks that came back within `coast_s` and those that did not; `rows` are seen now."""
        lives = self._lives
        missed_s = self._now_s - lives.seen_s  # until the frame before this one
        recent = (lives.ids > 0) & (missed_s <= self._coast_s)
        came_back = recent[rows] & (missed_s[rows] > 0)
        recent[rows] = False
        left = recent & (time_s - lives.seen_s > self._coast_s)
        self._experience.take_misses(int(came_back.sum()), int(left.sum()))

    def _take(self, rows: Indices, cols: Indices, seen: SortedDetections) -> None:
        """Take in the detections `cols` as those of the tracks `rows`."""
        lives, scores = self._lives, seen.scores[cols]
        self._boxes.correct(rows, seen.centres.take(cols, axis=0))
        lives.labels[rows] = seen.labels[cols]
        lives.scores[rows] = scores
        lives.score_sums[rows] += scores
        lives.detections[rows] += 1
        lives.seen_s[rows] = self._now_s

    def _forget(self) -> None:
        """Forget the tracks whose memory is over."""
        memory_s = np.where(self._lives.ids > 0, self._memory_s, self._probation_memory_s)
        kept = self._now_s - self._lives.seen_s <= memory_s + _ROUNDING_S
        if not kept.all():
            self._lives = self._lives.select(kept)
            self._boxes.keep(kept)

    def _begin(self, seen: SortedDetections, cols: Indices) -> None:
        """Start tracks from the detections that no track took."""
        if len(cols):
            new = TrackTable.begun(seen.labels[cols], seen.scores[cols], self._now_s)
            self._lives = self._lives.joined_with(new)
            self._boxes.append(MovingBoxes(seen.centres[cols]))

    def _confirm(self, *, at_once: bool) -> None:
        """Give ids to the tracks, seen now, whose probation is over; the oldest first."""
        lives = self._lives
        rows = np.flatnonzero((lives.ids == 0) & (lives.seen_s == self._now_s))
        if not len(rows):
            return
        if not at_once:
            weak = self._experience.are_weak(lives.score_sums[rows] / lives.detections[rows], self._weak_ratio)
            probation_s = np.where(weak, self._weak_confirm_s, self._confirm_s)
            rows = rows[self._now_s - lives.born_s[rows] >= probation_s - _ROUNDING_S]
        lives.ids[rows] = np.arange(self._next_id, self._next_id + len(rows))
        self._next_id += len(rows)


def _no_tracks() -> tuple[TrackTable, MovingBoxes]:
    return TrackTable.begun(np.empty(0, np.int32), np.empty(0), 0.0), MovingBoxes(np.empty((0, 4)))


def _check_time(time_s: float) -> None:
    if not math.isfinite(time_s):
        raise ValueError(f"time_s must be finite, not {time_s}")
