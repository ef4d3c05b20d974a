"""The motion fields of the last seconds, along which late results are moved. Owned by the display thread."""

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
"""Media time for which fields are kept; later results are not moved."""
_KEPT_FRAMES = 1200  # 10 KB each

Array = npt.NDArray[np.float64]


class MotionCache:
    """Compares each frame with the previous one, once, and keeps the fields.

    A reconnect, a change of the frame size and a cut begin a new shot. Boxes are not moved between shots.
    """

    def __init__(self) -> None:
        self._estimator = MotionEstimator()
        self._indices: deque[int] = deque()  # of the frames of this shot
        self._times_s: deque[float] = deque()
        self._fields: deque[MotionField] = deque()  # field n leads from frame n to frame n + 1
        self.shot = -1
        """The number of the shot; boxes can be moved between the frames of one shot."""

    def add(self, frame: Frame, boxes: Array | None = None) -> MotionField | None:
        """Add the next frame; returns the field that leads to it, None if it begins a shot.

        Args:
            frame: the next frame.
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
        """Whether the last step had enough points to estimate the camera's motion."""
        return bool(self._fields) and len(self._fields[-1].points) >= LEAST_CAMERA_POINTS

    def fields(self, first: int, last: int) -> list[MotionField] | None:
        """The steps from frame `first` to frame `last`, by index; a frame that was never added stands for the next one.

        None if `first` belongs to an earlier shot, or if its fields are no longer kept.
        """
        if not self._indices or first < self._indices[0]:
            return None
        begin, end = bisect_left(self._indices, first), bisect_left(self._indices, last)
        return [self._fields[step] for step in range(begin, min(end, len(self._fields)))]

    def after(self, first: int, steps: int) -> int:
        """The index of the frame after `steps` of the steps of `fields(first, ...)`."""
        return self._indices[bisect_left(self._indices, first) + steps]

    def motion(self, first: int, last: int, begun: IncrementalMotion | None = None) -> FieldMotion | None:
        """The motion between two frames, for a tracker; None if unknown.

        Args:
            first: index of the earlier frame.
            last: index of the later frame.
            begun: motion of the same boxes from `first`, already computed in part.
        """
        fields = self.fields(first, last)
        return None if fields is None else motion_along(fields, begun)


def motion_along(fields: Sequence[MotionField], begun: IncrementalMotion | None = None) -> FieldMotion | None:
    """The motion along some steps, for a tracker.

    None if most of the steps have no points, as for dark or empty frames: the tracker's own prediction is better then.
    """
    known_s = sum(field.elapsed_s for field in fields if len(field.points))
    return None if 2 * known_s < sum(field.elapsed_s for field in fields) else FieldMotion(fields, begun)


class _Progress(NamedTuple):
    """Boxes after some strides."""

    boxes: Array
    camera: Array
    velocities: Array
    trusted: npt.NDArray[np.int64]  # number of strides in which the content of each was recognized
    strides: int = 0

    @classmethod
    def start(cls, boxes: Array) -> _Progress:
        return cls(boxes, boxes, np.zeros((len(boxes), 2)), np.zeros(len(boxes), np.int64))

    def along(self, stride: Sequence[MotionField]) -> _Progress:
        field = composed(stride)
        step = propagate(self.boxes, self.velocities, field)
        camera = by_camera(self.camera * field.scale, field.camera) / field.scale
        return _Progress(step.boxes, camera, step.velocities, self.trusted + step.trusted, self.strides + 1)


class FieldMotion:
    """`tracking.types.Motion` along some fields.

    Args:
        fields: from the first frame to the last one.
        begun: the same motion, already computed for the first of the fields.
    """

    def __init__(self, fields: Sequence[MotionField], begun: IncrementalMotion | None = None) -> None:
        self._fields = fields
        self._begun = begun

    def carry(self, boxes: Array) -> Carried:
        """Boxes `(N, 4)` on the first frame, moved to the last one."""
        groups, progress = strides(self._fields), _Progress.start(boxes)
        if self._begun is not None:
            progress = self._begun.progress(boxes, groups) or progress
        for stride in groups[progress.strides :]:
            progress = progress.along(stride)
        trusted = 2 * progress.trusted >= len(groups)  # short occlusions are bridged
        return Carried(np.where(trusted[:, None], progress.boxes, progress.camera), progress.camera, trusted)


class IncrementalMotion:
    """Moves boxes along the fields as they arrive, so that little work is left when their result arrives.

    Args:
        boxes: float64 `(N, 4)`, x0, y0, x1, y1 in pixels, on frame `first`.
        first: index of that frame.
        until: index of the last frame to which they are moved in advance.
    """

    def __init__(self, boxes: Array, first: int, until: int) -> None:
        self.first = first
        self._until = until
        self._boxes = boxes
        self._steps = [_Progress.start(boxes)]
        self._fields = [0]  # number of fields used by each progress
        self._done = not len(boxes)

    def advance(self, cache: MotionCache) -> None:
        """Move them by one more stride, if a complete one is available."""
        if self._done:
            return
        fields = cache.fields(self.first, self._until)
        ahead = strides(fields[self._fields[-1] :]) if fields is not None else []
        self._done = len(ahead) <= 1
        if not self._done:  # the last stride may still grow
            self._steps.append(self._steps[-1].along(ahead[0]))
            self._fields.append(self._fields[-1] + len(ahead[0]))

    def progress(self, boxes: Array, groups: Sequence[Sequence[MotionField]]) -> _Progress | None:
        """The progress of `boxes` along `groups`, the strides from the first frame; None for other boxes."""
        if not np.array_equal(boxes, self._boxes):
            return None
        used = accumulate(map(len, groups), initial=0)
        common = sum(one == other for one, other in zip(self._fields, used, strict=False))
        return self._steps[common - 1]
