"""How the picture moved from one frame to the next: a sparse field of points. Owned by the main thread.

Corners, the best of each small cell, are followed from the earlier frame to the later one with pyramidal Lucas-Kanade
on a small grey picture and back again (Kalal et al., "Forward-Backward Error", ICPR 2010). What most points have in
common is the camera's motion, a similarity found by RANSAC; what is left of each point is its own. A point that was
followed is followed on, as long as its cell is worth a point, so that several steps can be made one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import av
import cv2
import numpy as np
import numpy.typing as npt

from streamer.frame import Frame

Grey = npt.NDArray[np.uint8]
Points = npt.NDArray[np.float32]
_NO_POINTS: Points = np.empty((0, 2), np.float32)

# Measured on walking people at 7 frames/s (docs/accuracy.md): half as many points cost 2 points of F1, larger windows
# mix people with what is behind them.
_POINTS = 600
_PIXELS = 480 * 270
_WINDOW_PX = 8
_LEVELS = 2
_CELL_PX = 3  # of the halved picture in which corners are looked for
# Corners no better than this are noise, which goes anywhere: noise of 2 grey levels makes some of up to 4e-5.
_NOISE = 1e-4
_RETURN_PX = 1.0
_UNLIKE_LEVELS = 25.0  # mean difference of the two windows
_CAMERA_PX = 1.0
LEAST_CAMERA_POINTS = 24
_AGREEING = 0.3
_LOST = 0.6
_FLAT_LEVELS = 4.0
_LIKENESS = 0.5
_FORWARD = (cv2.TERM_CRITERIA_COUNT + cv2.TERM_CRITERIA_EPS, 10, 0.03)
_BACKWARD = (cv2.TERM_CRITERIA_COUNT + cv2.TERM_CRITERIA_EPS, 5, 0.05)
# Planes whose first one is luma with a byte a sample.
_LUMA_FIRST = ("yuv4", "yuvj4", "nv", "gray")


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


class _Small(NamedTuple):
    grey: Grey
    scale: float
    time_s: float
    segment: int


class MotionEstimator:
    """Compares each frame with the one before it, once.

    Args:
        points: how many are followed at most.
    """

    def __init__(self, points: int = _POINTS) -> None:
        self._points = points
        self._last: _Small | None = None
        self._ends = _NO_POINTS

    def step(self, frame: Frame) -> MotionField | None:
        """The motion since the frame before; None if this one does not continue it (the first, a cut, a reconnect)."""
        last, now = self._last, _small(frame)
        old, self._ends = self._ends, _NO_POINTS
        self._last = now
        if last is None or now.segment != last.segment or now.grey.shape != last.grey.shape:
            return None
        elapsed_s = now.time_s - last.time_s
        if elapsed_s < 0:
            return None
        starts, origins = _corners(last.grey, self._points, old)
        if not len(starts):
            return None if _is_cut(last.grey, now.grey, 0.0) else still(elapsed_s, now.scale)
        ends, found, alike = _follow(last.grey, now.grey, starts)
        if _is_cut(last.grey, now.grey, alike):
            return None
        starts, self._ends = starts[found], ends[found]
        camera = _camera(starts, self._ends)
        shifts = (self._ends - moved(starts, camera)).astype(np.float32)
        return MotionField(starts, shifts, camera, now.scale, elapsed_s, origins[found])


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


def _small(frame: Frame) -> _Small:
    grey = _luma(frame.picture)
    height, width = grey.shape
    # Halving averages four pixels exactly and is cheap; the rest is interpolated.
    while width * height >= 4 * _PIXELS:
        grey = np.asarray(cv2.resize(grey, (width // 2, height // 2), interpolation=cv2.INTER_AREA), np.uint8)
        height, width = grey.shape
    share = math.sqrt(_PIXELS / (width * height))
    if share < 1:
        size = round(width * share), round(height * share)
        grey = np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_LINEAR), np.uint8)
    return _Small(grey, grey.shape[1] / frame.width, frame.time_s, frame.segment)


def _luma(picture: av.VideoFrame) -> Grey:
    if not picture.format.name.startswith(_LUMA_FIRST) or picture.format.components[0].bits != 8:
        picture = picture.reformat(format="gray")
    plane = picture.planes[0]
    rows: Grey = np.frombuffer(memoryview(plane), np.uint8)[: plane.line_size * picture.height].reshape(
        picture.height, -1
    )
    return rows[:, : picture.width]


def _corners(grey: Grey, count: int, old: Points) -> tuple[Points, npt.NDArray[np.int64]]:
    """The best corner of each cell (Shi and Tomasi, "Good Features to Track", 1994), and of these the best `count`.

    In a cell with a point of `old` that goes on. Returns the points and which of `old` each is, -1 if none.
    """
    half = cv2.resize(grey, (grey.shape[1] // 2, grey.shape[0] // 2), interpolation=cv2.INTER_AREA)
    quality = cv2.cornerMinEigenVal(half, 3)
    height, width = quality.shape[0] // _CELL_PX, quality.shape[1] // _CELL_PX
    rows, columns = height * _CELL_PX, width * _CELL_PX
    # Views of one sample of every cell: their maximum is quicker than one over blocks.
    samples = [quality[y:rows:_CELL_PX, x:columns:_CELL_PX] for y in range(_CELL_PX) for x in range(_CELL_PX)]
    best = samples[0]
    for sample in samples[1:]:
        best = np.maximum(best, sample)
    ranked = best.ravel()
    wanted = np.argpartition(ranked, -count)[-count:] if len(ranked) > count else np.arange(len(ranked))
    wanted = wanted[ranked[wanted] > _NOISE]
    row, column = np.divmod(wanted, width)
    within = np.stack([sample[row, column] for sample in samples]).argmax(axis=0)
    corner = np.stack([column * _CELL_PX + within % _CELL_PX, row * _CELL_PX + within // _CELL_PX], axis=1)
    points = (corner * 2 + 0.5).astype(np.float32)
    origins = _in_cells(old, width, height)[wanted]
    goes_on = origins >= 0
    points[goes_on] = old[origins[goes_on]]
    return points, origins


def _in_cells(points: Points, width: int, height: int) -> npt.NDArray[np.int64]:
    """For each cell a point that is in it, -1 where none is."""
    column, row = np.floor_divide(points, 2 * _CELL_PX).astype(np.int64).T
    known = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    occupants = np.full(width * height, -1)
    occupants[(row * width + column)[known]] = np.flatnonzero(known)
    return occupants


def _follow(before: Grey, after: Grey, starts: Points) -> tuple[Points, npt.NDArray[np.bool_], float]:
    """Where points went, which of them also come back, and what share of all do and look the same."""
    window = (_WINDOW_PX, _WINDOW_PX)
    origin = starts[:, None]
    ends, found, unlike = cv2.calcOpticalFlowPyrLK(
        before, after, origin, origin.copy(), winSize=window, maxLevel=_LEVELS, criteria=_FORWARD
    )
    # Starting from where it should arrive saves most of the way back, and whoever is wrong still goes astray.
    back, returned, _ = cv2.calcOpticalFlowPyrLK(
        after,
        before,
        ends,
        origin.copy(),
        winSize=window,
        maxLevel=0,
        criteria=_BACKWARD,
        flags=cv2.OPTFLOW_USE_INITIAL_FLOW,
    )
    near = np.abs(back - origin)[:, 0].max(axis=1) < _RETURN_PX
    kept = near & (found[:, 0] > 0) & (returned[:, 0] > 0)
    # Points on what changes its looks (people that walk) may be unlike, and are right all the same.
    alike = float((kept & (unlike[:, 0] < _UNLIKE_LEVELS)).mean())
    return np.asarray(ends[:, 0], np.float32), kept, alike


def _camera(starts: Points, ends: Points) -> npt.NDArray[np.float64]:
    if len(starts) >= LEAST_CAMERA_POINTS:
        found, agree = cv2.estimateAffinePartial2D(
            starts, ends, method=cv2.RANSAC, ransacReprojThreshold=_CAMERA_PX, maxIters=500, confidence=0.99
        )
        if found is not None and agree.mean() > _AGREEING:
            return np.asarray(found, np.float64)
    return np.eye(2, 3)


def _is_cut(before: Grey, after: Grey, followed: float) -> bool:
    """Whether these are two shots: hardly anything is recognized, and light and dark lie elsewhere.

    A flash or a change of exposure hides the points, too, but leaves light and dark where they were.
    """
    if followed > _LOST:
        return False
    tiny = [cv2.resize(grey, (16, 9), interpolation=cv2.INTER_AREA).astype(np.float64) for grey in (before, after)]
    one, other = (picture - picture.mean() for picture in tiny)
    spread = one.std() * other.std()
    flat = min(one.std(), other.std()) <= _FLAT_LEVELS
    return not flat and bool((one * other).mean() < _LIKENESS * spread)
