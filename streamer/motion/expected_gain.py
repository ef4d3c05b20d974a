"""What the next detection of a live stream would probably improve on its screen.

Updated by the display thread of the stream, read by any thread (the policy of a detector that several streams share).
"""

from __future__ import annotations

import threading

from streamer.motion.motion_field import MotionField
from streamer.values.frame import Frame
from tracking.types import Detections, Tracks


class ExpectedGain:
    """The expected number of wrong boxes on the screen of one stream.

    The constant 1 until the display thread knows more, so that every stream is detected.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._value = 1.0

    def shown(self, frame: Frame, tracks: Tracks, field: MotionField | None) -> None:
        """Display thread: a frame is shown with these tracks.

        Args:
            frame: the frame.
            tracks: on it.
            field: the motion that leads to it; None if it begins a shot.
        """

    def detected(self, frame: Frame, detections: Detections) -> None:
        """Display thread: the detections of a frame that was shown before, or is shown next."""

    def at(self, now_s: float) -> float:
        """The expected gain of a detection at this time, on the clock of `Frame.captured_s`; at least 0."""
        with self._lock:
            return self._value
