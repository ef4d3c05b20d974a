"""A quick detector that finds the number which a test clip shows on each frame."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

import numpy as np

from streamer.features import DetectorContext, DetectorFeature
from streamer.registry import DETECTORS
from streamer.values.frame import Frame
from streamer.values.labels import LabelTable
from tests.clips import read_number
from tracking.types import Detections

NAME = "numbers"


class NumberDetector(DetectorFeature):
    """One box whose size is the number. The canary, which is larger than the clips, is not counted.

    Attributes:
        before: called with the number of each frame before it is detected; by the detector threads.
        contexts: what it was built with.
    """

    labels = LabelTable(("Number",))
    before: ClassVar[Callable[[int], None]] = staticmethod(lambda _: None)
    contexts: ClassVar[list[DetectorContext]] = []

    @classmethod
    def accepts(cls, name: str) -> bool:
        """Whether the name is that of this detector."""
        return name == NAME

    @classmethod
    def from_settings(cls, settings: Any, context: DetectorContext) -> Sequence[Any]:
        """As many as the settings say."""
        cls.contexts.append(context)
        return [cls() for _ in range(settings.workers or 1)]

    def detect(self, frame: Frame) -> Detections:
        """See `streamer.interfaces.Detector`."""
        number = 0
        if frame.width < 1280:
            number = read_number(frame.picture)
            type(self).before(number)
        return Detections(np.array([[0, 0, number / 3, number]]), np.array([0.5]), np.array([0]))

    def close(self) -> None:
        """Nothing to release."""


def number_of(found: Detections) -> int:
    """The number that was found."""
    return round(float(found.boxes[0, 3]))


@contextmanager
def registered() -> Iterator[type[NumberDetector]]:
    """The detector can be named in settings."""
    DETECTORS.register(NAME, NumberDetector)
    try:
        yield NumberDetector
    finally:
        NumberDetector.before = staticmethod(lambda _: None)
        NumberDetector.contexts.clear()
        DETECTORS.unregister(NAME)
