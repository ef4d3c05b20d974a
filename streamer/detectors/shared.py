"""Detectors that several runs use, one after the other or at the same time. Used by the threads of the runs."""

from __future__ import annotations

from collections import Counter
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
        self._lock = Lock()  # guards all below
        self._built: BuiltDetectors | None = None
        self._made_for: tuple[DetectorSettings, bool] | None = None
        self._busy: tuple[Lock, ...] = ()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.discard()

    @property
    def longest_interval_s(self) -> float:
        """0: the runs are not live, so none of them waits for its turn at the cost of its boxes."""
        return 0.0

    def check_classes(self, settings: DetectorSettings) -> LabelTable | None:
        """See `streamer.detectors.selection.check_classes`."""
        return check_classes(settings)

    def build(self, settings: DetectorSettings, context: DetectorContext) -> BuiltDetectors:
        """The detectors for a run, which must not close them. Raises what `build_detector` raises."""
        wanted = settings, context.info is not None and context.info.live
        with self._lock:
            if self._built is None or wanted != self._made_for:
                self._close()
                self._built = build_detector(settings, context)
                self._made_for = wanted
                self._busy = tuple(Lock() for _ in self._built.detectors)
            pairs = zip(self._built.detectors, self._busy, strict=True)
            return replace(self._built, detectors=[_DetectorOfRun(one, busy) for one, busy in pairs])

    def discard(self) -> None:
        """Close the detectors, such as after a hang. The next run loads them again."""
        with self._lock:
            self._close()

    def _close(self) -> None:
        built, self._built = self._built, None
        for detector in () if built is None else built.detectors:
            detector.close()


class _DetectorOfRun:
    """A shared detector as one run sees it, with what it reports of the frames of this run.

    Args:
        inner: the detector.
        busy: held while it detects: other runs use it, and a run that fails may leave its detector thread in `detect`.
    """

    def __init__(self, inner: Detector, busy: Lock) -> None:
        self.recorded = bool(getattr(inner, "recorded", False))
        self._inner = inner
        self._busy = busy
        self._lock = Lock()  # guards the two below
        self._top_score: float | None = None
        self._unknown: Counter[str] = Counter()

    @property
    def labels(self) -> LabelTable:
        return self._inner.labels

    @property
    def top_score(self) -> float | None:
        """That of the last frame of this run; None if the detector does not know it."""
        with self._lock:
            return self._top_score

    @property
    def unknown_classes(self) -> Mapping[str, int]:
        """Those of the frames of this run; empty if the detector does not know them."""
        with self._lock:
            return Counter(self._unknown)

    def detect(self, frame: Frame) -> Detections:
        """See `streamer.interfaces.Detector`."""
        with self._busy:
            before = self._count_unknown()
            try:
                return self._inner.detect(frame)
            finally:
                with self._lock:
                    self._top_score = getattr(self._inner, "top_score", None)
                    self._unknown.update(self._count_unknown() - before)

    def close(self) -> None:
        """Does nothing: other runs use the detector, which `SharedDetectors` closes."""

    def _count_unknown(self) -> Counter[str]:
        """The counts of the detector, which include those of other runs."""
        return Counter(getattr(self._inner, "unknown_classes", {}))
