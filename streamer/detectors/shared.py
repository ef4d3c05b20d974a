"""Detectors that several runs use, one after the other. Used by the main thread; see `_Exclusive` for the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from threading import Lock
from types import TracebackType
from typing import Self

from streamer.config.detector import DetectorSettings
from streamer.detectors.selection import BuiltDetectors, build_detector, check_classes
from streamer.features import DetectorContext
from streamer.interfaces import Detector
from streamer.values.frame import Frame
from streamer.values.labels import LabelTable
from tracking.types import Detections


class SharedDetectors:
    """Loads the detectors for the first run, and keeps them for the next ones; leaving it closes them.

    They are loaded again for other settings, for a live source after a file, and after `discard`.
    """

    def __init__(self) -> None:
        self._built: BuiltDetectors | None = None
        self._made_for: tuple[DetectorSettings, bool] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.discard()

    @property
    def longest_interval_s(self) -> float:
        """0: the runs do not share the detector at the same time."""
        return 0.0

    def check_classes(self, settings: DetectorSettings) -> LabelTable | None:
        """See `streamer.detectors.selection.check_classes`."""
        return check_classes(settings)

    def build(self, settings: DetectorSettings, context: DetectorContext) -> BuiltDetectors:
        """The detectors for a run, which must not close them. Raises what `build_detector` raises."""
        wanted = settings, context.info is not None and context.info.live
        if self._built is None or wanted != self._made_for:
            self.discard()
            built = build_detector(settings, context)
            self._built = replace(built, detectors=[_Exclusive(one) for one in built.detectors])
            self._made_for = wanted
        return self._built

    def discard(self) -> None:
        """Close the detectors, such as after a hang. The next run loads them again."""
        built, self._built = self._built, None
        for detector in () if built is None else built.detectors:
            detector.close()


class _Exclusive:
    """A detector with one caller at a time: a run that fails may leave its detector thread in `detect`."""

    def __init__(self, inner: Detector) -> None:
        self.recorded = bool(getattr(inner, "recorded", False))
        self._inner = inner
        self._busy = Lock()

    @property
    def labels(self) -> LabelTable:
        return self._inner.labels

    @property
    def top_score(self) -> float | None:
        """That of the last frame, perhaps of an earlier run; None if the detector does not know it."""
        return getattr(self._inner, "top_score", None)

    @property
    def unknown_classes(self) -> Mapping[str, int]:
        """Those of the detector inside, with those of the runs before; empty if it does not know them."""
        return getattr(self._inner, "unknown_classes", {})

    def detect(self, frame: Frame) -> Detections:
        """See `streamer.interfaces.Detector`."""
        with self._busy:
            return self._inner.detect(frame)

    def close(self) -> None:
        """Does not wait for `detect`."""
        self._inner.close()
