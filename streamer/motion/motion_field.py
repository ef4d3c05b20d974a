"""Sparse optical flow from one frame to the next. Owned by the display thread.

The best corner of each small cell is tracked from the earlier frame to the later one with pyramidal Lucas-Kanade on
thumbnails. The common motion of the points outside the known boxes is the camera's, a similarity estimated by RANSAC;
the rest of each point's motion is its own shift. Points that do not move with the camera must return to their start
when they are tracked backwards (Kalal et al., "Forward-Backward Error", ICPR 2010). A point is tracked further while
its cell is used, so several steps can be composed into one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from streamer.motion.corners import Corners, Points, corners
from streamer.motion.thumbnail import Grey, Thumbnail, is_cut, thumbnail_of
from streamer.values.frame import Frame

Boxes = npt.NDArray[np.floating]
Flags = npt.NDArray[np.bool_]
_NO_POINTS: Points = np.empty((0, 2), np.float32)

# Measured on walking people at 7 frames/s (docs/engineering/accuracy.md): half as many points cost 2 points of F1,
# larger windows mix people with their background.
_POINTS = 600
_POINTS_WHERE_KNOWN = 340
_POINTS_INSIDE = 200
_AROUND = 0.35
# After this media time, or when only this share of them is left, points are chosen again.
_RENEWAL_S = 0.1
_LEFT = 0.8
_WINDOW_PX = 8
_LEVELS = 2
_RETURN_PX = 1.0
_DIFFERENT_LEVELS = 25.0  # mean difference of the windows
_CAMERA_PX = 1.0
_BEYOND_DOUBT_PX = 0.3
LEAST_CAMERA_POINTS = 24
_AGREEING = 0.3
_FORWARD = (cv2.TERM_CRITERIA_COUNT + cv2.TERM_CRITERIA_EPS, 10, 0.03)
_BACKWARD = (cv2.TERM_CRITERIA_COUNT + cv2.TERM_CRITERIA_EPS, 5, 0.05)


@dataclass(frozen=True, slots=True, eq=False)
class MotionField:
    """The motion from one frame to the next.

    Attributes:
        points: float32 `(P, 2)`, x and y in thumbnail pixels, on the earlier frame.
        shifts: float32 `(P, 2)`, thumbnail pixels: the motion of each beyond the camera's.
        camera: float64 `(2, 3)`, the affine map of the camera's motion in thumbnail pixels.
        scale: thumbnail pixels per pixel of the frame.
        elapsed_s: media time from the earlier frame to the later one.
        origins: int64 `(P,)`, the index of each among the points of the previous step; -1 for a new point.
    """

    points: Points
    shifts: Points
    camera: npt.NDArray[np.float64]
    scale: float
    elapsed_s: float
    origins: npt.NDArray[np.int64]

    def reversed(self) -> MotionField:
        """The motion from the later frame to the earlier one."""
        back = np.asarray(cv2.invertAffineTransform(self.camera), np.float64)
        there = moved(self.points, self.camera) + self.shifts
        return MotionField(
            there.astype(np.float32),
            (self.points - moved(there, back)).astype(np.float32),
            back,
            self.scale,
            self.elapsed_s,
            np.full(len(self.points), -1),
        )


class MotionEstimator:
    """Compares each frame with the previous one, once."""

    def __init__(self) -> None:
        self._last: Thumbnail | None = None
        self._tracked = Corners.none()
        self._renewed_s = -math.inf
        self._chosen = 0  # number of points at that time

    def step(self, frame: Frame, boxes: Boxes | None = None) -> MotionField | None:
        """The motion since the previous frame; None if this frame does not continue it (the first, a cut, a reconnect).

        Args:
            frame: the next one.
            boxes: `(N, 4)`, x0, y0, x1, y1 in pixels: objects on the previous frame. Most points are placed on them and
                fewer elsewhere, which is faster than an even distribution; None if objects are unknown.
        """
        last, now = self._last, thumbnail_of(frame)
        tracked, self._tracked, self._last = self._tracked, Corners.none(), now
        if last is None or now.segment != last.segment or now.grey.shape != last.grey.shape:
            return None
        elapsed_s = now.time_s - last.time_s
        if elapsed_s < 0:
            return None
        starts = self._starts(last, tracked, boxes)
        if not len(starts.points):
            return None if is_cut(last.grey, now.grey, 0.0) else still(elapsed_s, now.scale)
        ends, arrived, different = _forward(last.grey, now.grey, starts.points)
        camera = _camera(starts, ends, arrived)
        if camera is None:  # too many points were lost
            arrived[arrived] = _returns(now.grey, last.grey, starts.points[arrived], ends[arrived])
            camera = _camera(starts, ends, arrived)
        if camera is None:
            camera = np.eye(2, 3)
        shifts = (ends - moved(starts.points, camera)).astype(np.float32)
        found = arrived & (np.abs(shifts).max(axis=1) < _BEYOND_DOUBT_PX)
        doubtful = np.flatnonzero(arrived & ~found)
        found[doubtful] = _returns(now.grey, last.grey, starts.points[doubtful], ends[doubtful])
        # Points on objects that change their appearance (walking people) may look different and still be correct.
        if is_cut(last.grey, now.grey, float((found & (different < _DIFFERENT_LEVELS)).mean())):
            return None
        self._tracked = starts.continued(found, ends)
        return MotionField(starts.points[found], shifts[found], camera, now.scale, elapsed_s, starts.origins[found])

    def _starts(self, last: Thumbnail, tracked: Corners, boxes: Boxes | None) -> Corners:
        """The points to track from the last thumbnail."""
        elapsed_s = last.time_s - self._renewed_s
        if 0 <= elapsed_s < _RENEWAL_S and len(tracked.points) >= _LEFT * self._chosen > 0:
            return tracked
        if boxes is None:
            starts = corners(last.grey, tracked.points, np.empty((0, 4)), _POINTS, 0)
        else:
            around = np.tile(boxes[:, 2:] - boxes[:, :2], 2) * (-_AROUND, -_AROUND, _AROUND, _AROUND)
            known = (boxes + around) * last.scale
            starts = corners(last.grey, tracked.points, known, _POINTS_WHERE_KNOWN, _POINTS_INSIDE)
        self._renewed_s, self._chosen = last.time_s, len(starts.points)
        return starts


def moved(points: npt.NDArray[np.floating], camera: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Points `(P, 2)` under an affine map `(2, 3)`."""
    there: npt.NDArray[np.float64] = points @ camera[:, :2].T + camera[:, 2]
    return there


def still(elapsed_s: float, scale: float = 1.0) -> MotionField:
    """A step without information: no camera motion, no points."""
    return MotionField(_NO_POINTS, _NO_POINTS, np.eye(2, 3), scale, elapsed_s, np.empty(0, np.int64))


def composed(fields: Sequence[MotionField]) -> MotionField:
    """Consecutive steps, at least one, as one step with the points that were tracked through all of them."""
    first = fields[0]
    rows = [np.arange(len(fields[-1].points))]
    for field in fields[:0:-1]:
        origins = field.origins[rows[-1]]
        known = origins >= 0
        rows = [*(row[known] for row in rows), origins[known]]
    rows.reverse()
    shifts, camera = first.shifts[rows[0]], first.camera
    for field, row in zip(fields[1:], rows[1:], strict=True):
        shifts = shifts @ field.camera[:, :2].T.astype(np.float32) + field.shifts[row]
        turned = field.camera[:, :2] @ camera
        turned[:, 2] += field.camera[:, 2]
        camera = turned
    elapsed_s = sum(field.elapsed_s for field in fields)
    return MotionField(first.points[rows[0]], shifts, camera, first.scale, elapsed_s, first.origins[rows[0]])


def _forward(before: Grey, after: Grey, starts: Points) -> tuple[Points, Flags, npt.NDArray[np.float32]]:
    """The new places of points, which of them were found, and how different their surroundings are, grey levels."""
    window, origin = (_WINDOW_PX, _WINDOW_PX), starts[:, None]
    ends, found, different = cv2.calcOpticalFlowPyrLK(
        before, after, origin, origin.copy(), winSize=window, maxLevel=_LEVELS, criteria=_FORWARD
    )
    return np.asarray(ends[:, 0], np.float32), found[:, 0] > 0, np.asarray(different[:, 0], np.float32)


def _returns(after: Grey, before: Grey, starts: Points, ends: Points) -> Flags:
    """Which points return to their start when they are tracked backwards."""
    if not len(starts):
        return np.empty(0, np.bool_)
    # The search starts at the expected place, which saves time; wrong points still miss it.
    back, returned, _ = cv2.calcOpticalFlowPyrLK(
        after,
        before,
        ends[:, None],
        starts[:, None].copy(),
        winSize=(_WINDOW_PX, _WINDOW_PX),
        maxLevel=0,
        criteria=_BACKWARD,
        flags=cv2.OPTFLOW_USE_INITIAL_FLOW,
    )
    return np.asarray((np.abs(back[:, 0] - starts).max(axis=1) < _RETURN_PX) & (returned[:, 0] > 0), np.bool_)


def _camera(starts: Corners, ends: Points, arrived: Flags) -> npt.NDArray[np.float64] | None:
    """The common motion of the points outside all boxes, or of all points if those are few; None if there is none."""
    for among in ((arrived & ~starts.inside).nonzero()[0], arrived.nonzero()[0]):
        if len(among) < LEAST_CAMERA_POINTS:
            continue
        start, end = starts.points[among], ends[among]
        found, agree = cv2.estimateAffinePartial2D(
            start,
            end,
            method=cv2.RANSAC,
            ransacReprojThreshold=_CAMERA_PX,
            maxIters=500,
            confidence=0.99,
            refineIters=0,
        )
        if found is not None and agree.mean() > _AGREEING:
            agreeing = agree[:, 0] > 0
            return _similarity(start[agreeing], end[agreeing])
    return None


def _similarity(starts: Points, ends: Points) -> npt.NDArray[np.float64]:
    """The similarity `(2, 3)` with the least squared error (Umeyama, 1991): linear regression of complex numbers."""
    one, other = (np.ascontiguousarray(points, np.float64).view(np.complex128)[:, 0] for points in (starts, ends))
    one_mean, other_mean = one.mean(), other.mean()
    centred = one - one_mean
    spread = float((centred * centred.conj()).real.sum())
    turn = complex((centred.conj() * (other - other_mean)).sum()) / spread if spread > 0 else 1.0 + 0j
    shift = other_mean - turn * one_mean
    return np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])
