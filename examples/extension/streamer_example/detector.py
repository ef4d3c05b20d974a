"""A detector: boxes around bright regions, with `--detector bright`."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from pydantic import Field

import streamer


class BrightSettings(streamer.Section):
    """`extensions.bright` in the settings."""

    threshold: int = Field(default=128, ge=0, le=255)
    """A pixel is bright above this grey level."""


class BrightDetector(streamer.Detector, streamer.DetectorFeature):
    """Finds connected bright regions. One detector thread uses it."""

    section = BrightSettings
    labels = streamer.LabelTable(("bright",))

    def __init__(self, settings: BrightSettings) -> None:
        self._threshold = settings.threshold

    @classmethod
    def accepts(cls, name: str) -> bool:
        """Whether `detector.name` means this class."""
        return name == "bright"

    @classmethod
    def labels_of(cls, settings: streamer.DetectorSettings) -> streamer.LabelTable:  # noqa: ARG003
        """The classes, to check `--classes` before the run."""
        return cls.labels

    @classmethod
    def from_settings(cls, settings: BrightSettings, context: streamer.DetectorContext) -> Sequence[BrightDetector]:  # noqa: ARG003
        """One detector for each detector thread."""
        return [cls(settings)]

    def detect(self, frame: streamer.Frame) -> streamer.Detections:
        """Boxes in pixels, in order of decreasing score."""
        grey = cv2.cvtColor(frame.rgb(), cv2.COLOR_RGB2GRAY)
        _, _, regions, _ = cv2.connectedComponentsWithStats((grey > self._threshold).astype(np.uint8))
        x, y, width, height, area = regions[1:].T  # the first one is the background
        scores = area / (width * height)
        order = np.argsort(-scores)
        boxes = np.stack([x, y, x + width, y + height], axis=1)
        return streamer.Detections(boxes[order], scores[order], np.zeros(len(order), np.int32))

    def close(self) -> None:
        """Nothing to release."""
