"""Detections for tracker tests."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from tracking.types import Detections, Tracks

BoxArray = npt.NDArray[np.float32]


def detections(boxes: Iterable[Sequence[float]], score: float = 0.9, labels: Sequence[int] | None = None) -> Detections:
    """Boxes `x0, y0, x1, y1` with one score; label 0 by default."""
    array = np.array(list(boxes), np.float32).reshape(-1, 4)
    rows = np.zeros(len(array), np.int32) if labels is None else np.array(labels, np.int32)
    return Detections(array, np.full(len(array), score, np.float32), rows)


def grid(count: int, shift: tuple[float, float] = (0.0, 0.0)) -> BoxArray:
    """`count` boxes of 40x80 px that do not overlap (100 px apart, in rows of ten), moved by `shift` px."""
    k = np.arange(count)
    corner = np.stack([k % 10 * 100.0, k // 10 * 100.0], axis=1) + np.array(shift)
    return np.concatenate([corner, corner + np.array([40.0, 80.0])], axis=1).astype(np.float32)


def by_place(tracks: Tracks) -> dict[tuple[float, ...], int]:
    """Id of each box, by its corners rounded to a pixel."""
    return {tuple(np.round(box).tolist()): int(i) for box, i in zip(tracks.boxes, tracks.ids, strict=True)}


def same(one: Tracks, other: Tracks) -> bool:
    """Whether two results are equal bit for bit, apart from the order of their rows."""
    if len(one) != len(other):
        return False
    a, b = one.select(np.argsort(one.ids)), other.select(np.argsort(other.ids))
    names = ("ids", "boxes", "scores", "labels", "velocities", "age_s", "unseen_s", "origin", "confirmed")
    return all(np.array_equal(getattr(a, name), getattr(b, name)) for name in names)
