"""A detector for tests of several runs: it counts, and fails when a test says so."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

import pytest

from streamer.errors import ModelError
from streamer.features import DetectorContext, DetectorFeature
from streamer.registry import DETECTORS
from streamer.values.frame import Frame
from streamer.values.labels import LabelTable
from tracking.types import Detections


class ScriptedDetector(DetectorFeature):
    """Fails on its n-th frame, counted over all its instances, with the error for n."""

    built: ClassVar[int] = 0
    closed: ClassVar[int] = 0
    frames: ClassVar[int] = 0
    errors: ClassVar[dict[int, Exception]] = {}
    before: ClassVar[Callable[[], object] | None] = None
    """Called before each frame."""
    labels = LabelTable(("thing",))
    top_score: float | None = None

    def __init__(self) -> None:
        self.unknown_classes: dict[str, int] = {}

    @classmethod
    def accepts(cls, name: str) -> bool:
        return name == "scripted"

    @classmethod
    def from_settings(cls, settings: Any, context: DetectorContext) -> Sequence[Any]:
        del settings, context
        cls.built += 1
        if cls.built in cls.errors and isinstance(cls.errors[cls.built], ModelError):
            raise cls.errors[cls.built]
        return [cls()]

    def detect(self, frame: Frame) -> Detections:
        del frame
        type(self).frames += 1
        self.top_score, self.unknown_classes = 0.5, {"gnu": self.unknown_classes.get("gnu", 0) + 1}
        if (before := type(self).before) is not None:
            before()
        if self.frames in self.errors:
            raise self.errors[self.frames]
        return Detections.empty()

    def close(self) -> None:
        type(self).closed += 1


@contextmanager
def scripted_detector(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[ScriptedDetector]]:
    """The detector `scripted` with counts from 0, in the registry."""
    for name, value in {"built": 0, "closed": 0, "frames": 0, "errors": {}, "before": None}.items():
        monkeypatch.setattr(ScriptedDetector, name, value)
    DETECTORS.register("scripted", ScriptedDetector)
    try:
        yield ScriptedDetector
    finally:
        DETECTORS.unregister("scripted")
