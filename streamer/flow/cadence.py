"""Which frames a detector looks at: every N-th, or so many a second of media time. Pure; frames are asked in order."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from streamer.values.frame import Frame

_ROUNDING = 1e-6
_UNKNOWN_FPS = 25.0


@dataclass(frozen=True, slots=True)
class Cadence:
    """How often to detect.

    Attributes:
        every: the N of every N-th frame.
        fps: detections a second of media time instead, whatever the container tells of its rate.

    Raises:
        ValueError: neither is positive.
    """

    every: int = 1
    fps: float | None = None

    def __post_init__(self) -> None:
        if self.every < 1 or (self.fps is not None and not self.fps > 0):
            raise ValueError("detect every frame (1), every N-th (N), or some a second (fps above 0)")

    @property
    def all_frames(self) -> bool:
        """Whether no frame is left out."""
        return self.every == 1 and self.fps is None

    def of(self, average_fps: Fraction | None) -> Cadence:
        """The same for a stream whose rate is known: every frame, where it has no more than are to be detected."""
        return Cadence() if self.fps and average_fps and self.fps >= average_fps else self

    def interval_s(self, average_fps: Fraction | None) -> float:
        """Media time from one detection to the next, seconds."""
        return 1 / self.fps if self.fps else self.every / float(average_fps or _UNKNOWN_FPS)

    def every_of(self, average_fps: Fraction | None) -> int:
        """About how many frames there are for one that is detected."""
        return max(round(float(average_fps or _UNKNOWN_FPS) / self.fps), 1) if self.fps else self.every


class Schedule:
    """Picks the frames of one run.

    Args:
        cadence: how often.
    """

    def __init__(self, cadence: Cadence) -> None:
        self._cadence = cadence
        self._slot = -math.inf

    def wants(self, frame: Frame) -> bool:
        """Whether a detector should look at a frame; asked once, in the order of the frames, not of damaged ones.

        Media time is cut into slots of 1/fps; the first frame in each is wanted. So a frame that is late or damaged
        moves no other, and the mean is exact.
        """
        fps = self._cadence.fps
        if fps is None:
            return frame.index % self._cadence.every == 0
        slot = math.floor(frame.time_s * fps + _ROUNDING)
        if slot <= self._slot:
            return False
        self._slot = slot
        return True
