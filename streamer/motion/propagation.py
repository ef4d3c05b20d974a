"""Moves boxes along motion fields. Pure functions of arrays, called by the display thread.

Some points in a box belong to the object, others to its background. The object's motion is a mode of their shifts,
found by mean shift (Comaniciu and Meer, 2002) from three starts: the previous motion of the box, the mean of the moving
points, and rest. The mode with the best support is used; the support is reduced with the distance of a mode from the
previous motion. A point in several boxes belongs to the box nearest to the camera, whose bottom is lowest.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from streamer.motion.motion_field import MotionField, composed, moved

Array = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.intp]
Complex = npt.NDArray[np.complex128]

# Tuned on two sequences of walking people (docs/engineering/accuracy.md); lengths in thumbnail pixels, shares of the
# box size.
_INNER = 0.4
_SPREAD = 0.4
_BANDWIDTH_PX = 0.7
_BANDWIDTH_SHARE = 0.15
_MOVES_PX = 0.5
_MOVING_SHARE = 0.2
_LEAST_SUPPORT = 0.45
_NO_SUPPORT = 1e-3
_FAR_WEIGHT = 0.3
_ITERATIONS = 3
_FRONT_SHARE = 0.05
STRIDE_S = 0.15
"""Steps of up to this media time are composed into one stride: more loses points and does not follow turns."""
# A box whose content is not recognized keeps its velocity and comes to rest in about this time.
_COAST_S = 1.0


class Moved(NamedTuple):
    """Boxes after a step.

    Attributes:
        boxes: float64 `(N, 4)`, x0, y0, x1, y1 in pixels.
        velocities: float64 `(N, 2)`, px/s beyond the camera's motion.
        trusted: bool `(N,)`, whether enough of the content of the box was recognized.
    """

    boxes: Array
    velocities: Array
    trusted: Flags


def propagate(boxes: Array, velocities: Array, field: MotionField) -> Moved:
    """Move boxes `(N, 4)` with their own velocities `(N, 2)`, px/s, by one field."""
    small = boxes * field.scale
    held = by_camera(small, field.camera) / field.scale
    if not len(boxes) or field.elapsed_s <= 0:
        return Moved(held, velocities, np.zeros(len(boxes), np.bool_))
    before = velocities * (field.scale * field.elapsed_s)
    shifts, trusted = _own_shifts(small, before, field)
    coasting = before * max(0.0, 1.0 - field.elapsed_s / _COAST_S)
    shifts = np.where(trusted[:, None], shifts, coasting)
    return Moved(
        (held.reshape(-1, 2, 2) + (shifts / field.scale)[:, None]).reshape(-1, 4),
        shifts / (field.scale * field.elapsed_s),
        trusted,
    )


def follow(boxes: Array, velocities: Array, fields: Sequence[MotionField]) -> Moved:
    """Move boxes `(N, 4)` with their own velocities `(N, 2)`, px/s, along several steps."""
    moved = Moved(boxes, velocities, np.ones(len(boxes), np.bool_))
    for stride in strides(fields):
        moved = propagate(moved.boxes, moved.velocities, composed(stride))
    return moved


def strides(fields: Sequence[MotionField]) -> list[Sequence[MotionField]]:
    """Group steps that are composed into one: a late result is moved over many frames in few strides.

    Steps without points (a flash) are grouped separately: a stride over them would have no points.
    """
    groups: list[list[MotionField]] = []
    length_s = math.inf
    for field in fields:
        length_s += field.elapsed_s
        if length_s > STRIDE_S or bool(len(field.points)) != bool(len(groups[-1][-1].points)):
            groups.append([])
            length_s = field.elapsed_s
        groups[-1].append(field)
    return [*groups]


def by_camera(small: Array, camera: Array) -> Array:
    """Boxes `(N, 4)` under a similarity: the centre moves, the size scales, the box stays upright."""
    centres = moved((small[:, :2] + small[:, 2:]) / 2, camera)
    halves = (small[:, 2:] - small[:, :2]) * (0.5 * float(np.hypot(camera[0, 0], camera[1, 0])))
    return np.concatenate([centres - halves, centres + halves], axis=1)


def _own_shifts(small: Array, before: Array, field: MotionField) -> tuple[Array, Flags]:
    """The motion of each box beyond the camera's, thumbnail pixels, and whether it has enough support."""
    found, trusted = np.zeros_like(before), np.zeros(len(small), np.bool_)
    rows, cols, weights = _support(small, field)
    if not len(rows):
        return found, trusted
    # Pairs are sorted by box. Complex numbers for x and y, and sums over slices, save most of the time.
    counts = np.bincount(rows, minlength=len(small))
    boxes = counts.nonzero()[0]
    lengths = counts[boxes]
    first = lengths.cumsum() - lengths
    shifts = _complex(field.shifts[cols])
    usual = _complex(before[boxes])
    modes = np.zeros((3, len(boxes)), np.complex128)
    modes[0], modes[1] = usual, _mean_of_moving(shifts, weights, first)
    for _ in range(_ITERATIONS):
        narrowness = 1 / (_BANDWIDTH_PX + _BANDWIDTH_SHARE * np.abs(modes))
        away = (shifts - modes.repeat(lengths, axis=1)) * narrowness.repeat(lengths, axis=1)
        kernel = weights * np.exp(-0.5 * (away * away.conj()).real)
        supports = np.add.reduceat(kernel, first, axis=1)
        sums = np.add.reduceat(kernel * shifts, first, axis=1)
        # A mode without support stays at its place.
        modes = (sums + _NO_SUPPORT * modes) / (supports + _NO_SUPPORT)
    distance = np.abs(modes - usual) / (1.0 + np.abs(usual))
    merits = supports * (_FAR_WEIGHT + (1 - _FAR_WEIGHT) * np.exp(-0.5 * distance**2))
    best, each = merits.argmax(axis=0), np.arange(len(boxes))
    chosen = modes[best, each]
    found[boxes, 0], found[boxes, 1] = chosen.real, chosen.imag
    trusted[boxes] = merits[best, each] > _LEAST_SUPPORT
    return found, trusted


def _support(small: Array, field: MotionField) -> tuple[Rows, Rows, Array]:
    """Pairs of a box and a point that supports it, sorted by box: the rows of both, and the point's weight."""
    sizes = np.maximum(small[:, 2:] - small[:, :2], 1e-6)
    centres = (small[:, :2] + small[:, 2:]) / 2
    # Single precision is enough: most pairs of a box and a point are far apart.
    inverse, points = (1 / sizes).astype(np.float32), field.points
    dx = np.abs(points[:, 0] - centres[:, :1].astype(np.float32)) * inverse[:, :1]
    dy = np.abs(points[:, 1] - centres[:, 1:].astype(np.float32)) * inverse[:, 1:]
    apart = np.maximum(dx, dy)
    rows, cols = np.nonzero(apart < 0.5)
    # A point in several boxes belongs to the box with the lowest bottom, or one hardly higher.
    bottoms, front = small[:, 3], np.full(len(points), -np.inf)
    np.maximum.at(front, cols, bottoms[rows])
    nearest = (bottoms + _FRONT_SHARE * sizes[:, 1])[rows] >= front[cols]
    kept = (nearest & (apart[rows, cols] < _INNER)).nonzero()[0]
    rows, cols = rows[kept], cols[kept]
    weights = np.exp((dx[rows, cols] ** 2 + dy[rows, cols] ** 2) * (-0.5 / _SPREAD**2))
    return rows, cols, weights.astype(np.float64)


def _mean_of_moving(shifts: Complex, weights: Array, first: Rows) -> Complex:
    """The mean shift of the moving points of each box; 0 if they are few."""
    moving = weights * (np.abs(shifts) > _MOVES_PX)
    sums = np.add.reduceat(moving, first)
    means = np.add.reduceat(moving * shifts, first) / np.maximum(sums, _NO_SUPPORT)
    return np.where(sums > _MOVING_SHARE * np.add.reduceat(weights, first), means, 0)


def _complex(vectors: npt.NDArray[np.floating]) -> Complex:
    """`(N, 2)` vectors as `(N,)` complex numbers."""
    numbers: Complex = np.ascontiguousarray(vectors, np.float64).view(np.complex128)[:, 0]
    return numbers
