"""A quick detector whose boxes, scores and classes depend on every pixel of the picture."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from streamer.features import DetectorContext, DetectorFeature
from streamer.registry import DETECTORS
from streamer.values.frame import Frame
from streamer.values.labels import LabelTable
from tracking.types import Detections

NAME = "picture"
LABELS = LabelTable(("Red", "Green", "Blue"))
SIZE = (64, 48)


class PictureDetector(DetectorFeature):
    """Finds the centre of each colour. Equal pictures have equal detections; one other pixel changes all scores."""

    labels = LABELS

    @classmethod
    def accepts(cls, name: str) -> bool:
        """Whether the name is that of this detector."""
        return name == NAME

    @classmethod
    def from_settings(cls, settings: Any, context: DetectorContext) -> Sequence[Any]:
        """As many as the settings say."""
        del context
        return [cls() for _ in range(settings.workers or 1)]

    def detect(self, frame: Frame) -> Detections:
        """Three boxes, by falling score."""
        rgb = frame.rgb(SIZE).astype(np.float64) + 1
        y, x = np.mgrid[: SIZE[1], : SIZE[0]]
        scale = frame.width / SIZE[0], frame.height / SIZE[1]
        noise = zlib.crc32(frame.rgb().tobytes()) / 2**32
        boxes = []
        for channel in range(3):
            weights = rgb[..., channel] ** 3 / (rgb[..., channel] ** 3).sum()
            centre = float((x * weights).sum()) * scale[0], float((y * weights).sum()) * scale[1]
            side = frame.height * (0.1 + 0.1 * channel) + 4 * noise
            boxes.append([centre[0] - side / 2, centre[1] - side / 2, centre[0] + side / 2, centre[1] + side / 2])
        scores = np.array([0.9, 0.7, 0.5]) + 0.05 * noise
        return Detections(np.array(boxes, np.float32), scores.astype(np.float32), np.arange(3, dtype=np.int32))

    def close(self) -> None:
        """Nothing to release."""


@contextmanager
def registered(feature: type = PictureDetector) -> Iterator[None]:
    """The detector can be named in settings."""
    DETECTORS.register(NAME, feature)
    try:
        yield
    finally:
        DETECTORS.unregister(NAME)
