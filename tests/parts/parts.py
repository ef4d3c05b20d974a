"""Parts for tests."""

from __future__ import annotations

import numpy as np

from streamer.classes import open_images
from streamer.parts.values import FrameDetections, PartDetections, Worker
from streamer.values.labels import LabelTable
from tracking.types import Detections

WORKER = Worker("test CPU", {"av": "18.1"}, "ab" * 32, "float32", "cd" * 32)


def detections(count: int, seed: int = 1) -> Detections:
    """So many boxes with values that need all bits of a float32."""
    random = np.random.default_rng(seed)
    corners = random.random((count, 4), np.float32) * np.float32(1000)
    boxes = np.concatenate([corners[:, :2], corners[:, :2] + corners[:, 2:]], axis=1)
    return Detections(boxes, random.random(count, np.float32), np.arange(count, dtype=np.int32))


def part(
    counts: tuple[int, ...] = (3, 0, 2), *, number: int = 7, plan: str = "12" * 32, labels: LabelTable | None = None
) -> PartDetections:
    """A part with so many detections on each frame; the first frame has a negative pts."""
    frames = {
        pts: FrameDetections(pts, bytes([row]) * 16, detections(count, seed=row))
        for row, (pts, count) in enumerate(zip(range(-512, 10**6, 512), counts, strict=False))
    }
    return PartDetections(plan, number, WORKER, open_images.label_table() if labels is None else labels, frames)


def equal(one: Detections, other: Detections) -> bool:
    """Whether two frames have the same detections, bit by bit."""
    return all(
        getattr(one, name).tobytes() == getattr(other, name).tobytes()
        and getattr(one, name).dtype == getattr(other, name).dtype
        for name in ("boxes", "scores", "labels")
    )
