"""Measures how much a faster precision changes detections, on the first frames of a run. One detector thread."""

from __future__ import annotations

import numpy as np

from tracking.assignment import assign
from tracking.boxes import overlapping_pairs
from tracking.types import Detections

FRAMES = 3
"""Frames that are detected twice."""

_SAME_OBJECT_IOU = 0.5


class Deviation:
    """Collects the differences between the detections of two precisions on the same frames."""

    def __init__(self) -> None:
        self._frames = 0
        self._expected = 0
        self._given = 0
        self._moved_px: list[float] = []
        self._score_changes: list[float] = []

    @property
    def complete(self) -> bool:
        """Whether enough frames were compared."""
        return self._frames >= FRAMES

    def add(self, exact: Detections, given: Detections) -> None:
        """Compare one frame. A box is found again if one of the same class has an IoU of at least 0.5 with it."""
        self._frames += 1
        self._expected += len(exact)
        self._given += len(given)
        order = np.argsort(given.boxes[:, 0], kind="stable")
        boxes, scores, labels = given.boxes[order], given.scores[order], given.labels[order]
        pairs = overlapping_pairs(exact.boxes.astype(np.float64), boxes.astype(np.float64), _SAME_OBJECT_IOU)
        pairs = pairs.select(exact.labels[pairs.rows] == labels[pairs.cols])
        rows, cols = assign(pairs.rows, pairs.cols, pairs.iou)
        self._moved_px += np.abs(exact.boxes[rows] - boxes[cols]).max(axis=1, initial=0).tolist()
        self._score_changes += np.abs(exact.scores[rows] - scores[cols]).tolist()

    def __str__(self) -> str:
        found = len(self._moved_px)
        text = f"on the first {self._frames} frames {found} of {self._expected} boxes are found again"
        if self._given > found:
            text += f", {self._given - found} are new"
        if found:
            text += (
                f"; edges move by up to {max(self._moved_px):.2g} px, scores by up to {max(self._score_changes):.2g}"
            )
        return text
