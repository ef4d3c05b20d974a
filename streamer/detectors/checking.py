"""Loads a detector and runs it, to see whether and where and how fast it works. Called by the main thread."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass

from streamer.detectors import selection
from streamer.interfaces import Detector
from streamer.values.frame import Frame


@dataclass(frozen=True, slots=True)
class Findings:
    """What was seen.

    Attributes:
        classes: names that it can give.
        loaded_s: building it, s.
        first_s: the first frame, s.
        frame_s: the median of the others, s.
        size: `(width, height)` of the frames in pixels.
        where: lines on device, precision and where the operations ran; for a hub module only.
    """

    classes: int
    loaded_s: float
    first_s: float
    frame_s: float
    size: tuple[int, int]
    where: tuple[str, ...] = ()

    def lines(self) -> Iterator[str]:
        """For people."""
        width, height = self.size
        yield f"{self.classes} classes, loaded in {self.loaded_s:.2f} s"
        yield from self.where
        yield f"first frame {self.first_s * 1e3:.0f} ms, then {self.frame_s * 1e3:.0f} ms a frame of {width}x{height}"


def check(choice: selection.Choice, options: selection.Options, frames: Sequence[Frame]) -> Findings:
    """Build the chosen detector and run it over the frames.

    Args:
        choice: of `selection.choose`.
        options: as for a run.
        frames: at least two, of one size.

    Raises:
        ConfigError: a value out of range, or a precision that the device has not.
        ModelError: the model cannot be loaded.
        DetectorError: it failed on a frame.
    """
    began_s = time.perf_counter()
    detector = _build(choice, options)
    with closing(detector):
        loaded_s = time.perf_counter() - began_s
        first_s, *others_s = [_timed_s(detector, frame) for frame in frames]
        size = (frames[0].width, frames[0].height)
        where = _where(detector, options.precision, size)
        classes = sum(1 for _ in detector.labels.used())
    return Findings(classes, loaded_s, first_s, statistics.median(others_s), size, where)


def _build(choice: selection.Choice, options: selection.Options) -> Detector:
    if choice.module_dir is None:
        return selection.build(choice, options)[0]
    return selection.load_hub(choice, options)  # without a watchdog: its own calls are wanted too


def _timed_s(detector: Detector, frame: Frame) -> float:
    began_s = time.perf_counter()
    detector.detect(frame)
    return time.perf_counter() - began_s


def _where(detector: Detector, precision: str, size: tuple[int, int]) -> tuple[str, ...]:
    from streamer.detectors.tfhub import devices, hub

    if not isinstance(detector, hub.HubDetector):
        return ()
    number = detector.device.gpu
    name = "CPU" if number is None else f"GPU {number}, {devices.gpu_name(number)}"
    ran = ", ".join(f"{count} on {device}" for device, count in detector.placement(*size).most_common())
    return (f"device {detector.device}: {name}, {precision}", f"operations that ran: {ran or 'not told'}")
