"""Boxes on the newest frame, carried there from the frame that the detector saw. Owned by the main thread.

Each frame costs one comparison with the frame before it and one step of the boxes that are shown. A result that lands
is moved through the cached fields, at most `CATCH_UP_STRIDES` a frame, while the boxes that are shown go on; then it
takes their place, and what they are apart fades out within a few frames.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from streamer.motion.motion_cache import IncrementalMotion, MotionCache
from streamer.motion.motion_field import MotionField, composed
from streamer.motion.propagation import propagate, strides
from streamer.values.frame import Frame
from tracking.types import Detections, Origin, Tracker, Tracks

Array = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

CATCH_UP_STRIDES = 3
"""The most strides (`propagation.STRIDE_S`) of a late result in one frame, or more where frames come slowly: what a
frame costs must not depend on how late a result is."""
_STRIDES_PER_S = 60
_FADE_S = 0.05
# What is further off than this share of the box's size is another place, not a jitter that could be smoothed away.
_JUMP = 0.5
# A box of which less is in the picture has left it.
LEAST_INSIDE = 0.4


@dataclass(slots=True)
class _Carried:
    """Boxes on their way.

    Attributes:
        tracks: as the tracker gave them, at `time_s`.
        time_s: media time of the frame that they were found on.
        index: of the frame that `boxes` are on.
        boxes: float64 `(N, 4)`, pixels.
        velocities: float64 `(N, 2)`, px/s beyond the camera's motion.
        followed: bool `(N,)`, whether the pictures told the last step.
        offsets: float64 `(N, 4)`, pixels: what is still to fade of where the boxes were shown before.
    """

    tracks: Tracks
    time_s: float
    index: int
    boxes: Array
    velocities: Array
    followed: Flags
    offsets: Array

    def step(self, field: MotionField, index: int) -> None:
        moved = propagate(self.boxes, self.velocities, field)
        self.boxes, self.velocities, self.followed = moved.boxes, moved.velocities, moved.trusted
        self.index = index


class LatencyCompensator:
    """The boxes of the last detection, on the newest frame.

    Args:
        tracker: gives the boxes their identity, and moves them where the pictures tell nothing.
        learned: told of each detected frame with the tracks on it.
    """

    def __init__(
        self, tracker: Tracker, learned: Callable[[Frame, Tracks], None] = lambda _frame, _tracks: None
    ) -> None:
        self._tracker = tracker
        self._learned = learned
        self._cache = MotionCache()
        self._shown: _Carried | None = None
        self._late: _Carried | None = None
        self._begun: IncrementalMotion | None = None  # from the last frame that the tracker had
        self._shot = -1  # which that frame was of
        self._newest = self._segment = -1
        self._last_s = -math.inf

    def learn(self, frame: Frame, detections: Detections) -> None:
        """A result: what the detector found on a frame that came some time ago."""
        fields = self._cache.fields(frame.index, frame.index)
        if fields is None:
            return  # of a shot that is over
        shot, index = self._cache.shot, frame.index
        motion = None
        if self._begun is not None:
            if self._shot != shot:
                self._tracker.reset()
            else:
                motion = self._cache.motion(self._begun.first, index, self._begun)
        tracks = self._tracker.update(detections, frame.time_s, motion)
        # The next result is likely for the frame that is the newest one now: the detector has just become free.
        self._shot, self._begun = shot, IncrementalMotion(self._tracker.to_carry(), index, self._newest)
        self._learned(frame, tracks)
        boxes = tracks.boxes.astype(np.float64)
        self._late = _Carried(
            tracks,
            frame.time_s,
            index,
            boxes,
            self._velocities(tracks),
            np.ones(len(tracks), np.bool_),
            np.zeros_like(boxes),
        )

    def show(self, frame: Frame, found: tuple[Frame, Detections] | None = None) -> Tracks:
        """The tracks on the newest frame; `found` is a result for it, or for one just before it, if it is there."""
        self._newest, self._segment = frame.index, frame.segment
        field = self._cache.add(frame, None if self._shown is None else self._shown.boxes)
        elapsed_s, self._last_s = min(frame.time_s - self._last_s, 1.0), frame.time_s
        fade = math.exp(-max(elapsed_s, 0.0) / _FADE_S)
        if field is None:  # nothing is known of this shot yet
            self._shown = self._late = None
        elif self._shown is not None:
            self._shown.step(field, frame.index)
            self._shown.offsets *= fade
        if found is not None:
            self.learn(*found)
        if self._late is not None:
            self._catch_up(self._late, frame.index, elapsed_s, fade)
        elif self._begun is not None:
            self._begun.advance(self._cache)
        return self._tracks(frame) if self._shown is not None else Tracks.empty()

    def stay(self, frame: Frame) -> Tracks:
        """The tracks where they were shown last, on a frame for which there is no time; the next one is compared with
        the one before this."""
        return self._tracks(frame) if self._shown is not None and frame.segment == self._segment else Tracks.empty()

    def _catch_up(self, late: _Carried, index: int, elapsed_s: float, fade: float) -> None:
        fields = self._cache.fields(late.index, index)
        if fields is None:
            self._late = None
            return
        groups = strides(fields)
        most = max(CATCH_UP_STRIDES, round(elapsed_s * _STRIDES_PER_S))
        for stride in groups[:most]:
            late.step(composed(stride), self._cache.after(late.index, len(stride)))
        if len(groups) <= most:
            late.index = index
            late.offsets = self._apart(late) * fade
            self._shown, self._late = late, None

    def _velocities(self, tracks: Tracks) -> Array:
        """What is known of how each moves by itself: as it was followed, else 0."""
        velocities = np.zeros((len(tracks), 2))
        if self._shown is not None:
            _, here, there = np.intersect1d(tracks.ids, self._shown.tracks.ids, return_indices=True)
            known = self._shown.followed[there]
            velocities[here[known]] = self._shown.velocities[there[known]]
        return velocities

    def _apart(self, late: _Carried) -> Array:
        """How far the boxes that are shown are from those that take their place."""
        offsets = np.zeros_like(late.boxes)
        if self._shown is not None:
            _, here, there = np.intersect1d(late.tracks.ids, self._shown.tracks.ids, return_indices=True)
            apart = self._shown.boxes[there] + self._shown.offsets[there] - late.boxes[here]
            size = np.tile(late.boxes[here, 2:] - late.boxes[here, :2], 2)
            near = (np.abs(apart) < _JUMP * size).all(axis=1)
            offsets[here[near]] = apart[near]
        return offsets

    def _tracks(self, frame: Frame) -> Tracks:
        assert self._shown is not None
        shown = self._shown
        boxes = shown.boxes + shown.offsets
        if not shown.followed.all() and not self._cache.camera_known:
            boxes = self._as_predicted(boxes, frame.time_s)
        return aged(shown.tracks, boxes, frame, shown.time_s)

    def _as_predicted(self, boxes: Array, time_s: float) -> Array:
        """The tracker's own motion for boxes that the pictures say nothing of."""
        assert self._shown is not None
        predicted = self._tracker.predict(time_s)
        _, here, there = np.intersect1d(self._shown.tracks.ids, predicted.ids, return_indices=True)
        blind = ~self._shown.followed[here]
        boxes[here[blind]] = predicted.boxes[there[blind]]
        return boxes


def aged(tracks: Tracks, boxes: Array, frame: Frame, found_s: float, origin: Origin = Origin.PREDICTED) -> Tracks:
    """Tracks of time `found_s` on another frame, where they have these boxes `(N, 4)`; without those that left it."""
    kept = inside(boxes, frame) >= LEAST_INSIDE
    later_s = np.float32(frame.time_s - found_s)
    there = dataclasses.replace(
        tracks,
        boxes=boxes.astype(np.float32),
        age_s=np.maximum(tracks.age_s + later_s, 0),
        unseen_s=np.maximum(tracks.unseen_s + later_s, 0),
        origin=np.full(len(tracks), origin, np.uint8),
    )
    return there if kept.all() else there.select(kept)


def inside(boxes: Array, frame: Frame) -> Array:
    """What share of each box `(N, 4)` lies in the picture, 0 to 1."""
    x0, y0, x1, y1 = boxes.T
    wide = np.minimum(x1, frame.width) - np.maximum(x0, 0)
    high = np.minimum(y1, frame.height) - np.maximum(y0, 0)
    whole = np.maximum(x1 - x0, 1e-6) * np.maximum(y1 - y0, 1e-6)
    seen = np.maximum(wide, 0) * np.maximum(high, 0) / whole
    return np.asarray(seen, np.float64)
