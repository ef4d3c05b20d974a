"""Which frames are detected: every N-th, a number per second of media time, or where something changes.

Pure; called with frames in order. `streamer.motion.detection_demand` chooses the frames of a cadence with `max_gap_s`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from streamer.config.detector import DetectorSettings
from streamer.errors import ConfigError
from streamer.interfaces import StreamInfo
from streamer.values.frame import Frame

_ROUNDING = 1e-6
_UNKNOWN_FPS = 25.0


@dataclass(frozen=True, slots=True)
class Cadence:
    """How often to detect.

    Attributes:
        every: N, to detect every N-th frame.
        fps: instead, detections per second of media time, whatever frame rate the container declares.
        max_gap_s: instead, where something changes, and after this media time at the latest. For files.

    Raises:
        ValueError: a value is not positive.
    """

    every: int = 1
    fps: float | None = None
    max_gap_s: float | None = None

    def __post_init__(self) -> None:
        positive = all(value is None or value > 0 for value in (self.fps, self.max_gap_s))
        if self.every < 1 or not positive:
            raise ValueError("detect every frame (1), every N-th (N), some a second (fps above 0), or by max_gap_s")

    @property
    def all_frames(self) -> bool:
        """Whether every frame is detected."""
        return self.every == 1 and self.fps is None and self.max_gap_s is None

    def of(self, average_fps: Fraction | None) -> Cadence:
        """The cadence for a stream of this frame rate: all frames, if the rate is not above `fps`."""
        return Cadence() if self.fps and average_fps and self.fps >= average_fps else self

    def interval_s(self, average_fps: Fraction | None) -> float:
        """Media time from one detected frame to the next, seconds; the longest if it varies."""
        if self.max_gap_s is not None:
            return self.max_gap_s
        return 1 / self.fps if self.fps else self.every / float(average_fps or _UNKNOWN_FPS)

    def every_of(self, average_fps: Fraction | None) -> int:
        """About how many frames there are per detected frame."""
        return max(round(float(average_fps or _UNKNOWN_FPS) / self.fps), 1) if self.fps else self.every


def choose_cadence(settings: DetectorSettings, info: StreamInfo) -> Cadence:
    """Which frames are detected.

    Raises:
        ConfigError: both `detector.fps` and `detector.every` are given, or `detector.every` is `auto` in a live run.
    """
    if settings.fps is not None and settings.every != 1:
        raise ConfigError("detector.every and detector.fps both set the rate of detections; give one of them")
    if settings.every == "auto":
        if info.live or settings.latency is not None:
            raise ConfigError(
                "detector.every auto is for files; a live source is detected as often as the detector can: "
                "give a number, or detector.fps"
            )
        return Cadence(max_gap_s=settings.max_gap_s)
    return Cadence(settings.every, settings.fps).of(info.average_fps)


class Schedule:
    """Selects the frames of one run.

    Args:
        cadence: how often.
    """

    def __init__(self, cadence: Cadence) -> None:
        self._cadence = cadence
        self._slot = -math.inf

    def selects(self, frame: Frame) -> bool:
        """Whether to detect a frame; called once per undamaged frame, in order.

        Media time is cut into slots of 1/fps, and the first frame of each slot is selected. So a late or damaged frame
        moves no other selection, and the mean rate is exact.
        """
        fps = self._cadence.fps
        if fps is None:
            return frame.index % self._cadence.every == 0
        slot = math.floor(frame.time_s * fps + _ROUNDING)
        if slot <= self._slot:
            return False
        self._slot = slot
        return True
