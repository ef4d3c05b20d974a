"""A detector that finds what was found before: detections from a file. Used by one detector thread."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from streamer.values.frame import Frame
from streamer.values.labels import LabelTable
from tracking.types import Detections


class RecordedDetector:
    """Gives each frame the detections that are recorded for it; a frame that is not there has none.

    Args:
        detections: by the frame's key.
        labels: names of their labels.
        by_pts: whether the key is `Frame.pts`, otherwise it is `Frame.index`.
        size: width and height in pixels of the picture that the boxes are in; they are scaled where the frame has
            another one. The frame's own if None.
    """

    def __init__(
        self,
        detections: Mapping[int, Detections],
        labels: LabelTable,
        *,
        by_pts: bool = False,
        size: tuple[int, int] | None = None,
    ) -> None:
        self._detections = detections
        self._labels = labels
        self._by_pts = by_pts
        self._size = size

    @property
    def labels(self) -> LabelTable:
        return self._labels

    def detect(self, frame: Frame) -> Detections:
        """What is recorded for the frame."""
        found = self._detections.get(frame.pts if self._by_pts else frame.index)
        if found is None:
            return Detections.empty()
        if self._size is None or self._size == (frame.width, frame.height):
            return found
        share = np.tile(np.array([frame.width, frame.height]) / self._size, 2)
        return Detections((found.boxes * share).astype(np.float32), found.scores, found.labels)

    def close(self) -> None:
        """Nothing to release."""
