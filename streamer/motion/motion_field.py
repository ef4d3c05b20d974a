"""How the picture moved from one frame to the next: a sparse field of points. Owned by the main thread.

Corners, the best of each small cell, are followed from the earlier frame to the later one with pyramidal Lucas-Kanade
on a small grey picture. What most points outside the known boxes have in common is the camera's motion, a similarity
found by RANSAC; what is left of each point is its own. Points that do not go with the camera must come back to where
they were when they are followed the other way (Kalal et al., "Forward-Backward Error", ICPR 2010). A point that was
followed is followed on, as long as its cell is worth a point, so that several steps can be made one.
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

# Measured on walking people at 7 frames/s (docs/accuracy.md): half as many points cost 2 points of F1, larger windows
# mix people with what is behind them.
_POINTS = 600
_POINTS_WHERE_KNOWN = 340
_POINTS_INSIDE = 200
_AROUND = 0.35
# After so much media time, or when so few are left, points are chosen anew.
_RENEWAL_S = 0.1
_LEFT = 0.8
_WINDOW_PX = 8
_LEVELS = 2
_RETURN_PX = 1.0
_UNLIKE_LEVELS = 25.0  # mean difference of the two windows
_CAMERA_PX = 1.0
_BEYOND_DOUBT_PX = 0.3
LEAST_CAMERA_POINTS = 24
_AGREEING = 0.3
_FORWARD = (cv2.TERM_CRITERIA_COUNT + cv2.TERM_CRITERIA_EPS, 10, 0.03)
_BACKWARD = (cv2.TERM_CRITERIA_COUNT + cv2.TERM_CRITERIA_EPS, 5, 0.05)


@dataclass(frozen=True, slots=True, eq=False)
class MotionField:
    """One step.

    Attributes:
        points: float32 `(P, 2)`, x and y in small pixels (`scale` of the frame's), in the earlier frame.
        shifts: float32 `(P, 2)`, small pixels: how far each went beyond what the camera does to it.
        camera: float64 `(2, 3)`, the affine map of the camera's motion from small pixels to small pixels.
        scale: small pixels per pixel of the frame.
        elapsed_s: media time from the earlier frame to the later one.
        origins: int64 `(P,)`, which point of the step before each one was; -1 for a new one.
    """

    points: Points
    shifts: Points
    camera: npt.NDArray[np.float64]
    scale: float
    elapsed_s: float
    origins: npt.NDArray[np.int64]

    def reversed(self) -> MotionField:
        """The same step from the later frame to the earlier one."""
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
    """Compares each frame with the one before it, once."""

    def __init__(self) -> None:
        self._last: Thumbnail | None = None
        self._followed = Corners.none()
        self._renewed_s = -math.inf
        self._chosen = 0  # how many points there were then

    def step(self, frame: Frame, boxes: Boxes | None = None) -> MotionField | None:
        """The motion since the frame before; None if this one does not continue it (the first, a cut, a reconnect).

        Args:
            frame: the next one.
            boxes: `(N, 4)`, x0, y0, x1, y1 in pixels: objects on the frame before. Most points are spent on them, and
                fewer elsewhere, which costs less than to look everywhere alike; None if nothing is known of objects.
        """
        last, now = self._last, thumbnail_of(frame)
        followed, self._followed, self._last = self._followed, Corners.none(), now
        if last is None or now.segment != last.segment or now.grey.shape != last.grey.shape:
            return None
        elapsed_s = now.time_s - last.time_s
        if elapsed_s < 0:
            return None
        starts = self._starts(last, followed, boxes)
        if not len(starts.points):
            return None if is_cut(last.grey, now.grey, 0.0) else still(elapsed_s, now.scale)
        ends, arrived, unlike = _forward(last.grey, now.grey, starts.points)
        camera = _camera(starts, ends, arrived)
        if camera is None:  # too many went astray
            arrived[arrived] = _come_back(now.grey, last.grey, starts.points[arrived], ends[arrived])
            camera = _camera(starts, ends, arrived)
        if camera is None:
            camera = np.eye(2, 3)
        shifts = (ends - moved(starts.points, camera)).astype(np.float32)
        found = arrived & (np.abs(shifts).max(axis=1) < _BEYOND_DOUBT_PX)
        doubtful = np.flatnonzero(arrived & ~found)
        found[doubtful] = _come_back(now.grey, last.grey, starts.points[doubtful], ends[doubtful])
        # Points on what changes its looks (people that walk) may be unlike, and are right all the same.
        if is_cut(last.grey, now.grey, float((found & (unlike < _UNLIKE_LEVELS)).mean())):
            return None
        self._followed = starts.going_on(found, ends)
        return MotionField(starts.points[found], shifts[found], camera, now.scale, elapsed_s, starts.origins[found])

    def _starts(self, last: Thumbnail, followed: Corners, boxes: Boxes | None) -> Corners:
        """The points to follow from the last picture on."""
        lasts_s = last.time_s - self._renewed_s
        if 0 <= lasts_s < _RENEWAL_S and len(followed.points) >= _LEFT * self._chosen > 0:
            return followed
        if boxes is None:
            starts = corners(last.grey, followed.points, np.empty((0, 4)), _POINTS, 0)
        else:
            around = np.tile(boxes[:, 2:] - boxes[:, :2], 2) * (-_AROUND, -_AROUND, _AROUND, _AROUND)
            known = (boxes + around) * last.scale
            starts = corners(last.grey, followed.points, known, _POINTS_WHERE_KNOWN, _POINTS_INSIDE)
        self._renewed_s, self._chosen = last.time_s, len(starts.points)
        return starts


def moved(points: npt.NDArray[np.floating], camera: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Points `(P, 2)` under an affine map `(2, 3)`."""
    there: npt.NDArray[np.float64] = points @ camera[:, :2].T + camera[:, 2]
    return there


def still(elapsed_s: float, scale: float = 1.0) -> MotionField:
    """A step of which nothing is known: the camera rests, there are no points."""
    return MotionField(_NO_POINTS, _NO_POINTS, np.eye(2, 3), scale, elapsed_s, np.empty(0, np.int64))


def composed(fields: Sequence[MotionField]) -> MotionField:
    """Steps that follow one another as one, with the points that were followed all the way. At least one."""
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
    """Where points went, which of them arrived somewhere, and how unlike their surroundings are there, grey levels."""
    window, origin = (_WINDOW_PX, _WINDOW_PX), starts[:, None]
    ends, found, unlike = cv2.calcOpticalFlowPyrLK(
        before, after, origin, origin.copy(), winSize=window, maxLevel=_LEVELS, criteria=_FORWARD
    )
    return np.asarray(ends[:, 0], np.float32), found[:, 0] > 0, np.asarray(unlike[:, 0], np.float32)


def _come_back(after: Grey, before: Grey, starts: Points, ends: Points) -> Flags:
    """Which points come back to where they started."""
    if not len(starts):
        return np.empty(0, np.bool_)
    # Starting from where it should arrive saves most of the way back, and whoever is wrong still goes astray.
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
    """What the points outside all boxes have in common, or all points, where those are few; None where nothing is."""
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
    """The similarity `(2, 3)` with the least squared error (Umeyama, 1991): as complex numbers, a straight line."""
    one, other = (np.ascontiguousarray(points, np.float64).view(np.complex128)[:, 0] for points in (starts, ends))
    one_mean, other_mean = one.mean(), other.mean()
    centred = one - one_mean
    spread = float((centred * centred.conj()).real.sum())
    turn = complex((centred.conj() * (other - other_mean)).sum()) / spread if spread > 0 else 1.0 + 0j
    shift = other_mean - turn * one_mean
    return np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])
