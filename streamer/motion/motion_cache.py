"""The motion fields of the last seconds, so that a late result is moved without looking at a picture again. Owned by
the main thread.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from streamer.motion.motion_field import LEAST_CAMERA_POINTS, MotionEstimator, MotionField, composed
from streamer.motion.propagation import by_camera, propagate, strides
from streamer.values.frame import Frame
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

    def add(self, frame: Frame, boxes: Array | None = None) -> MotionField | None:
        """The next frame; returns the step that leads to it, None if it begins a shot.

        Args:
            frame: the next one.
            boxes: as for `MotionEstimator.step`.
        """
        field = self._estimator.step(frame, boxes)
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

    def after(self, first: int, steps: int) -> int:
        """The index of the frame to which so many of the steps of `fields(first, ...)` lead."""
        return self._indices[bisect_left(self._indices, first) + steps]

    def motion(self, first: int, last: int, begun: IncrementalMotion | None = None) -> FieldMotion | None:
        """What the picture did between two frames, for a tracker; None where that is not known.

        Args:
            first: index of the one.
            last: index of the other.
            begun: from the first one.
        """
        fields = self.fields(first, last)
        return None if fields is None else motion_along(fields, begun)


def motion_along(fields: Sequence[MotionField], begun: IncrementalMotion | None = None) -> FieldMotion | None:
    """What the picture did along some steps, for a tracker.

    None where most of them are blind, as of dark or empty pictures: a tracker knows better then by itself.
    """
    seen_s = sum(field.elapsed_s for field in fields if len(field.points))
    return None if 2 * seen_s < sum(field.elapsed_s for field in fields) else FieldMotion(fields, begun)


class _Way(NamedTuple):
    """Boxes on their way along some strides."""

    boxes: Array
    camera: Array
    velocities: Array
    seen: npt.NDArray[np.int64]  # along how many strides the pictures told where each went
    strides: int = 0

    @classmethod
    def begun(cls, boxes: Array) -> _Way:
        return cls(boxes, boxes, np.zeros((len(boxes), 2)), np.zeros(len(boxes), np.int64))

    def along(self, stride: Sequence[MotionField]) -> _Way:
        field = composed(stride)
        step = propagate(self.boxes, self.velocities, field)
        camera = by_camera(self.camera * field.scale, field.camera) / field.scale
        return _Way(step.boxes, camera, step.velocities, self.seen + step.trusted, self.strides + 1)


class FieldMotion:
    """`tracking.types.Motion` along some fields.

    Args:
        fields: that lead from the first frame to the last one.
        begun: boxes that were carried along the first of them before.
    """

    def __init__(self, fields: Sequence[MotionField], begun: IncrementalMotion | None = None) -> None:
        self._fields = fields
        self._begun = begun

    def carry(self, boxes: Array) -> Carried:
        """Boxes `(N, 4)` at the first frame, moved to the last one."""
        groups, way = strides(self._fields), _Way.begun(boxes)
        if self._begun is not None:
            way = self._begun.way(boxes, groups) or way
        for stride in groups[way.strides :]:
            way = way.along(stride)
        trusted = 2 * way.seen >= len(groups)  # short occlusions are bridged
        return Carried(np.where(trusted[:, None], way.boxes, way.camera), way.camera, trusted)


class IncrementalMotion:
    """Carries boxes while it is not known yet how far they will have to go, so that little is left to do then.

    Args:
        boxes: float64 `(N, 4)`, x0, y0, x1, y1 in pixels, on frame `first`.
        first: index of that frame.
        until: index of the frame behind which nobody will look for them soon.
    """

    def __init__(self, boxes: Array, first: int, until: int) -> None:
        self.first = first
        self._until = until
        self._boxes = boxes
        self._ways = [_Way.begun(boxes)]
        self._fields = [0]  # how many of them each of the ways has used
        self._done = not len(boxes)

    def go_on(self, cache: MotionCache) -> None:
        """One more stride, if a whole one is there."""
        if self._done:
            return
        fields = cache.fields(self.first, self._until)
        ahead = strides(fields[self._fields[-1] :]) if fields is not None else []
        self._done = len(ahead) <= 1
        if not self._done:  # the last one may grow
            self._ways.append(self._ways[-1].along(ahead[0]))
            self._fields.append(self._fields[-1] + len(ahead[0]))

    def way(self, boxes: Array, groups: Sequence[Sequence[MotionField]]) -> _Way | None:
        """How far `boxes` have come along `groups`, the strides from the first frame on; None if they are others."""
        if not np.array_equal(boxes, self._boxes):
            return None
        used = accumulate(map(len, groups), initial=0)
        common = sum(one == other for one, other in zip(self._fields, used, strict=False))
        return self._ways[common - 1]
