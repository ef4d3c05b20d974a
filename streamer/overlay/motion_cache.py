"""The motion fields of the last seconds, so that a late result is moved without looking at a picture again. Owned by
the main thread.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque

import numpy as np
import numpy.typing as npt

from streamer.frame import Frame
from streamer.overlay.motion_field import LEAST_CAMERA_POINTS, MotionEstimator, MotionField, composed
from streamer.overlay.propagation import by_camera, propagate, strides
from tracking.types import Carried

KEPT_S = 10.0
"""Media time for which fields are kept: a result that is later than that moves nothing any more."""
_KEPT_FRAMES = 1200  # 10 KB each

Array = npt.NDArray[np.float64]


class MotionCache:
    """Compares each frame with the one before, once, and keeps the fields.

    A reconnect, a change of the picture's size and a cut begin a new shot: nothing is carried from one to another.
    """

    def __init__(self) -> None:
        self._estimator = MotionEstimator()
        self._indices: deque[int] = deque()  # of the frames of this shot
        self._times_s: deque[float] = deque()
        self._fields: deque[MotionField] = deque()  # the n-th leads from frame n to frame n + 1
        self.shot = -1
        """Counts shots; the frames of one can be reached from each other."""

    def add(self, frame: Frame) -> MotionField | None:
        """The next frame; returns the step that leads to it, None if it begins a shot."""
        field = self._estimator.step(frame)
        if field is None:
            self.shot += 1
            for kept in (self._indices, self._times_s, self._fields):
                kept.clear()
        else:
            self._fields.append(field)
        self._indices.append(frame.index)
        self._times_s.append(frame.time_s)
        while len(self._indices) > _KEPT_FRAMES or frame.time_s - self._times_s[0] > KEPT_S:
            self._indices.popleft()
            self._times_s.popleft()
            self._fields.popleft()
        return field

    @property
    def camera_known(self) -> bool:
        """Whether the last step had enough points to tell what the camera did."""
        return bool(self._fields) and len(self._fields[-1].points) >= LEAST_CAMERA_POINTS

    def fields(self, first: int, last: int) -> list[MotionField] | None:
        """The steps from frame `first` to frame `last`, by index; of one that was never added, from the next.

        None where `first` is of an earlier shot, or so long ago that its fields are gone.
        """
        if not self._indices or first < self._indices[0]:
            return None
        begin, end = bisect_left(self._indices, first), bisect_left(self._indices, last)
        return [self._fields[step] for step in range(begin, min(end, len(self._fields)))]

    def motion(self, first: int, last: int) -> PictureMotion | None:
        """What the picture did between two frames, for a tracker; None where that is not known."""
        fields = self.fields(first, last)
        return None if fields is None else PictureMotion(fields)


class PictureMotion:
    """`tracking.types.Motion` along some fields."""

    def __init__(self, fields: list[MotionField]) -> None:
        self._fields = fields

    def carry(self, boxes: Array) -> Carried:
        """Boxes `(N, 4)` at the first frame, moved to the last one."""
        camera, seen = boxes, np.zeros(len(boxes), np.int64)
        velocities = np.zeros((len(boxes), 2))
        groups = strides(self._fields)
        for stride in groups:
            field = composed(stride)
            step = propagate(boxes, velocities, field)
            camera = by_camera(camera * field.scale, field.camera) / field.scale
            boxes, velocities, seen = step.boxes, step.velocities, seen + step.trusted
        trusted = 2 * seen >= len(groups)  # short occlusions are bridged
        return Carried(np.where(trusted[:, None], boxes, camera), camera, trusted)
