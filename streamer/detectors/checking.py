"""Loads a detector and runs it, to show whether it works, where, and how fast. Main thread."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from streamer.config.detector import DetectorSettings
from streamer.detectors.selection import build_detector
from streamer.features import DetectorContext
from streamer.interfaces import Detector
from streamer.values.frame import Frame


@runtime_checkable
class Described(Protocol):
    """A detector that can describe where it runs."""

    def describe(self, width: int, height: int) -> Sequence[str]:
        """Lines on device, precision and placement for frames of this size in pixels; runs the model once."""
        ...


@dataclass(frozen=True, slots=True)
class Findings:
    """The results of a check.

    Attributes:
        classes: number of class names.
        loaded_s: time to build the detector, s.
        first_s: time of the first frame, s.
        frame_s: median time of the other frames, s.
        size: `(width, height)` of the frames in pixels.
        where: lines on device, precision and placement; empty for a detector without `describe`.
    """

    classes: int
    loaded_s: float
    first_s: float
    frame_s: float
    size: tuple[int, int]
    where: Sequence[str] = ()

    def lines(self) -> Iterator[str]:
        """For people."""
        width, height = self.size
        yield f"{self.classes} classes, loaded in {self.loaded_s:.2f} s"
        yield from self.where
        yield f"first frame {self.first_s * 1e3:.0f} ms, then {self.frame_s * 1e3:.0f} ms a frame of {width}x{height}"


def check(settings: DetectorSettings, frames: Sequence[Frame]) -> Findings:
    """Build one detector and run it on the frames.

    Args:
        settings: of the detector; `workers` is 1.
        frames: at least two, of one size.

    Raises:
        ConfigError: a value out of range, or a precision that the device does not have.
        ModelError: the model cannot be loaded.
        DetectorError: the model failed on a frame.
    """
    began_s = time.perf_counter()
    (detector,) = build_detector(settings, DetectorContext()).detectors
    with closing(detector):
        loaded_s = time.perf_counter() - began_s
        first_s, *others_s = [_timed_s(detector, frame) for frame in frames]
        size = (frames[0].width, frames[0].height)
        where = detector.describe(*size) if isinstance(detector, Described) else ()
        classes = sum(1 for _ in detector.labels.used())
    return Findings(classes, loaded_s, first_s, statistics.median(others_s), size, where)


def _timed_s(detector: Detector, frame: Frame) -> float:
    began_s = time.perf_counter()
    detector.detect(frame)
    return time.perf_counter() - began_s
