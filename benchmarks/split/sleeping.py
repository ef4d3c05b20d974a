"""A detector that takes a given time for a frame and needs no processor, known to all processes on this machine.

Two cores then show how many workers a pool can keep busy. Workers are other processes, so the detector is an entry
point in a folder that they inherit in PYTHONPATH.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

import streamer
from streamer.registry import DETECTORS

NAME = "sleeping"
_ROOT = Path(__file__).parents[2]
_POLL_S = 0.005


class SleepingSettings(streamer.Section):
    """`extensions.sleeping`."""

    sleep_s: float = 0.5
    """For a frame."""
    go: str = ""
    """Detect the frames of the video only when this file is there, so that all workers begin together."""
    width: int = 0
    """Of the video, pixels; the canary has another."""


class SleepingDetector(streamer.Detector, streamer.DetectorFeature):
    """One box that moves with the time of the frame."""

    section = SleepingSettings
    labels = streamer.LabelTable(("box",))

    def __init__(self, settings: SleepingSettings) -> None:
        self._settings = settings

    @classmethod
    def accepts(cls, name: str) -> bool:
        """Whether `detector.name` means this class."""
        return name == NAME

    @classmethod
    def labels_of(cls, settings: streamer.DetectorSettings) -> streamer.LabelTable:  # noqa: ARG003
        """One class."""
        return cls.labels

    @classmethod
    def from_settings(
        cls,
        settings: SleepingSettings,
        context: streamer.DetectorContext,  # noqa: ARG003
    ) -> Sequence[SleepingDetector]:
        """One detector."""
        return [cls(settings)]

    def detect(self, frame: streamer.Frame) -> streamer.Detections:
        """Sleep."""
        settings = self._settings
        while settings.go and frame.width == settings.width and not Path(settings.go).exists():
            time.sleep(_POLL_S)
        time.sleep(settings.sleep_s)
        x = 20 + 40 * float(frame.time_s % 1)
        boxes = np.array([[x, 40, x + 60, 100]], np.float32)
        return streamer.Detections(boxes, np.array([0.9], np.float32), np.zeros(1, np.int32))

    def close(self) -> None:
        """Nothing to release."""


@contextmanager
def installed(folder: Path) -> Iterator[None]:
    """The detector has a name in this process, and in those that it starts.

    Args:
        folder: an empty one.
    """
    facts = folder / f"{NAME}-1.0.dist-info"
    facts.mkdir(parents=True)
    (facts / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {NAME}\nVersion: 1.0\n", encoding="utf-8")
    (facts / "entry_points.txt").write_text(
        f"[streamer.detectors]\n{NAME} = {__name__}:{SleepingDetector.__name__}\n", encoding="utf-8"
    )
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(folder), str(_ROOT), *([before] if before else [])])
    DETECTORS.register(NAME, SleepingDetector)  # this process has read its entry points already
    try:
        yield
    finally:
        DETECTORS.unregister(NAME)
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before
