"""Constructed motion fields, for which the correct boxes are known exactly."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from streamer.motion.motion_field import MotionField
from tests.motion.drawn import Array

SCALE, ELAPSED_S = 0.4, 0.08
AT_REST = np.array([[1.0, 0, 0], [0, 1, 0]])


def spread(box: Sequence[float], count: int = 6, share: float = 0.7) -> Array:
    """`count` x `count` points, evenly in the inner `share` of a box."""
    centre, size = (np.array(box[:2]) + box[2:]) / 2, np.array(box[2:]) - box[:2]
    steps = np.linspace(-share / 2, share / 2, count)
    across, down = np.meshgrid(steps, steps)
    return centre + size * np.stack([across.ravel(), down.ravel()], axis=1)


def made_field(
    *groups: tuple[Array, tuple[float, float]],
    camera: Array = AT_REST,
    scale: float = SCALE,
    elapsed_s: float = ELAPSED_S,
) -> MotionField:
    """Groups of points and their shifts beyond the camera's motion, in pixels of the frame."""
    points = np.concatenate([np.empty((0, 2)), *(points for points, _ in groups)])
    shifts = np.concatenate([np.empty((0, 2)), *(np.tile(shift, (len(points), 1)) for points, shift in groups)])
    return MotionField(
        (points * scale).astype(np.float32),
        (shifts * scale).astype(np.float32),
        camera,
        scale,
        elapsed_s,
        np.full(len(points), -1),
    )
