"""Boxes on the newest frame, carried there from the frame that the detector saw. Owned by the display thread.

Each frame costs one motion estimate against the frame before it and one step of the displayed boxes. A new result is
first carried through the cached motion fields, at most `CATCH_UP_STRIDES` per frame, while the old boxes stay on
display. Then it replaces them, and the offset between the two fades out within a few frames.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from streamer.motion.expected_gain import ExpectedGain
from streamer.motion.motion_cache import IncrementalMotion, MotionCache
from streamer.motion.motion_field import MotionField, composed
from streamer.motion.propagation import propagate, strides
from streamer.presentation.shot_tracker import ShotTracker
from streamer.values.delivery import Detected
from streamer.values.frame import Frame
from tracking.types import Detections, IdArray, Origin, Tracks

Array = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.intp]

CATCH_UP_STRIDES = 3
"""Limit of the strides (`propagation.STRIDE_S`) of a late result per frame, higher at low frame rates: the cost of a
frame must not depend on the latency."""
_STRIDES_PER_S = 60
_FADE_S = 0.05
# An offset above this share of the box's size is a jump, not jitter to smooth.
_JUMP = 0.5
# A box with a smaller share inside the frame has left it.
LEAST_VISIBLE = 0.4


@dataclass(slots=True)
class _Carried:
    """Tracks that are carried from the frame on which they were detected.

    Attributes:
        tracks: of the tracker, at `time_s`.
        time_s: media time of the detected frame.
        index: of the frame that `boxes` are on.
        boxes: float64 `(N, 4)`, pixels.
        velocities: float64 `(N, 2)`, px/s relative to the camera's motion.
        trusted: bool `(N,)`, whether the last step followed the object's own points.
        offsets: float64 `(N, 4)`, pixels: the rest of the offset to the boxes shown before, which fades out.
    """

    tracks: Tracks
    time_s: float
    index: int
    boxes: Array
    velocities: Array
    trusted: Flags
    offsets: Array

    def step(self, field: MotionField, index: int) -> None:
        moved = propagate(self.boxes, self.velocities, field)
        self.boxes, self.velocities, self.trusted = moved.boxes, moved.velocities, moved.trusted
        self.index = index


class LatencyCompensator:
    """Carries the boxes of the last result to the newest frame.

    Args:
        objects: the tracker, which also moves boxes where motion estimation fails.
        gain: kept up to date, if other streams share the detector.
    """

    def __init__(self, objects: ShotTracker, gain: ExpectedGain | None = None) -> None:
        self._objects = objects
        self._gain = gain
        self._cache = MotionCache()
        self._shown: _Carried | None = None
        self._catching_up: _Carried | None = None
        self._motion_ahead: IncrementalMotion | None = None  # from the last frame that the tracker was updated on
        self._shot = -1  # of that frame
        self._newest = self._segment = -1
        self._last_s = -math.inf

    def add(self, frame: Frame, detections: Detections) -> None:
        """A result for a frame that was shown before."""
        shot, index = self._cache.shot, frame.index
        if self._cache.fields(index, index) is None:
            return  # of an earlier shot
        motion, ahead = None, self._motion_ahead
        if ahead is not None and self._shot == shot:
            motion = self._cache.motion(ahead.first, index, ahead)
        tracks = self._objects.update(frame, detections, motion, cut=ahead is not None and self._shot != shot)
        if self._gain is not None:
            self._gain.detected(frame, tracks)
        # The next result is probably for the frame that is the newest now: the detector has just become free.
        self._motion_ahead = IncrementalMotion(self._objects.tracker.to_carry(), index, self._newest)
        self._shot = shot
        boxes = tracks.boxes.astype(np.float64)
        self._catching_up = _Carried(
            tracks,
            frame.time_s,
            index,
            boxes,
            self._velocities(tracks),
            np.ones(len(tracks), np.bool_),
            np.zeros_like(boxes),
        )

    def advance(self, frame: Frame, result: Detected | None = None) -> Tracks:
        """The tracks on the next frame; `result` is for this frame or a dropped one just before it."""
        self._newest, self._segment = frame.index, frame.segment
        field = self._cache.add(frame, None if self._shown is None else self._shown.boxes)
        elapsed_s, self._last_s = min(frame.time_s - self._last_s, 1.0), frame.time_s
        fade = math.exp(-max(elapsed_s, 0.0) / _FADE_S)
        if field is None:  # a new shot
            self._shown = self._catching_up = None
        elif self._shown is not None:
            self._shown.step(field, frame.index)
            self._shown.offsets *= fade
        if result is not None and result.detections is not None:
            self.add(result.frame, result.detections)
        if self._catching_up is not None:
            self._catch_up(self._catching_up, frame.index, elapsed_s, fade)
        elif self._motion_ahead is not None:
            self._motion_ahead.advance(self._cache)
        tracks = self._tracks(self._shown, frame)
        if self._gain is not None:
            self._gain.shown(frame, tracks)
            self._gain.moved(frame, field)
        return tracks

    def hold(self, frame: Frame) -> Tracks:
        """The tracks of the last frame on a frame that is too late for motion estimation.

        The next frame is compared with the one before this.
        """
        return self._tracks(self._shown if frame.segment == self._segment else None, frame)

    def _catch_up(self, late: _Carried, index: int, elapsed_s: float, fade: float) -> None:
        fields = self._cache.fields(late.index, index)
        if fields is None:
            self._catching_up = None
            return
        groups = strides(fields)
        most = max(CATCH_UP_STRIDES, round(elapsed_s * _STRIDES_PER_S))
        for stride in groups[:most]:
            late.step(composed(stride), self._cache.after(late.index, len(stride)))
        if len(groups) <= most:
            late.index = index
            late.offsets = self._offsets(late) * fade
            self._shown, self._catching_up = late, None

    def _velocities(self, tracks: Tracks) -> Array:
        """The own velocity of each object that is on display and was followed, else 0."""
        velocities = np.zeros((len(tracks), 2))
        if self._shown is not None:
            here, there = _common(tracks.ids, self._shown.tracks.ids)
            known = self._shown.trusted[there]
            velocities[here[known]] = self._shown.velocities[there[known]]
        return velocities

    def _offsets(self, late: _Carried) -> Array:
        """From the boxes that replace them to those on display."""
        offsets = np.zeros_like(late.boxes)
        if self._shown is not None:
            here, there = _common(late.tracks.ids, self._shown.tracks.ids)
            apart = self._shown.boxes[there] + self._shown.offsets[there] - late.boxes[here]
            size = np.tile(late.boxes[here, 2:] - late.boxes[here, :2], 2)
            near = (np.abs(apart) < _JUMP * size).all(axis=1)
            offsets[here[near]] = apart[near]
        return offsets

    def _tracks(self, shown: _Carried | None, frame: Frame) -> Tracks:
        if shown is None:
            return Tracks.empty()
        boxes = shown.boxes + shown.offsets
        if not shown.trusted.all() and not self._cache.camera_known:
            # Motion estimation found nothing: these boxes follow the tracker's motion model.
            predicted = self._objects.tracker.predict(frame.time_s)
            here, there = _common(shown.tracks.ids, predicted.ids)
            blind = ~shown.trusted[here]
            boxes[here[blind]] = predicted.boxes[there[blind]]
        return carried_tracks(shown.tracks, boxes, frame, shown.time_s)


def carried_tracks(tracks: Tracks, boxes: Array, frame: Frame, time_s: float) -> Tracks:
    """Tracks of time `time_s` with their boxes `(N, 4)` on another frame, without those that left the frame."""
    kept = visible_share(boxes, frame) >= LEAST_VISIBLE
    elapsed_s = np.float32(frame.time_s - time_s)
    carried = dataclasses.replace(
        tracks,
        boxes=boxes.astype(np.float32),
        age_s=np.maximum(tracks.age_s + elapsed_s, 0),
        unseen_s=np.maximum(tracks.unseen_s + elapsed_s, 0),
        origin=np.full(len(tracks), Origin.PREDICTED, np.uint8),
    )
    return carried if kept.all() else carried.select(kept)


def visible_share(boxes: Array, frame: Frame) -> Array:
    """The share of each box `(N, 4)` that lies inside the frame, 0 to 1."""
    x0, y0, x1, y1 = boxes.T
    wide = np.minimum(x1, frame.width) - np.maximum(x0, 0)
    high = np.minimum(y1, frame.height) - np.maximum(y0, 0)
    whole = np.maximum(x1 - x0, 1e-6) * np.maximum(y1 - y0, 1e-6)
    seen = np.maximum(wide, 0) * np.maximum(high, 0) / whole
    return np.asarray(seen, np.float64)


def _common(ids: IdArray, others: IdArray) -> tuple[Rows, Rows]:
    """The rows of the ids that both arrays have, in each of them."""
    _, here, there = np.intersect1d(ids, others, return_indices=True)
    return here, there
