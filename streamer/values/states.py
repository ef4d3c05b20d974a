"""Names of frame states, drop causes and overlays.

Members are equal to the strings that JSON lines, reports, metrics and replay logs contain.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NoReturn


class FrameState(StrEnum):
    """The final state of a frame in the frame ledger."""

    DETECTED = "detected"
    """A detector processed it."""
    INTERPOLATED = "interpolated"
    """Shown with boxes from the detections before and after it."""
    PREDICTED = "predicted"
    """Shown with boxes carried from one side."""
    LOST = "lost"
    """The detector failed on it. It may have been shown."""
    DROPPED = "dropped"
    """Neither detected nor shown."""
    CORRUPT = "corrupt"
    """Damaged: not decoded, or shown without detection."""


class DropCause(StrEnum):
    """Why a frame was dropped. Sources add causes of their own (`streamer.interfaces.Damage`)."""

    DETECTOR_BUSY = "detector busy"
    OUTPUT_LATE = "output late"
    NOT_SELECTED = "not to be detected"
    """Only detected frames are shown, and the cadence left this one out."""
    NOT_TAKEN = "not taken in time"
    CONNECTION_LOST = "connection lost"
    INTERRUPTED = "interrupted"
    ERROR = "error"


class Overlay(StrEnum):
    """Which frames of a live source are shown, and when."""

    NOW = "now"
    """Every frame on arrival, with boxes carried forward to it."""
    DETECTED = "detected"
    """Detected frames only, when their result is there."""
    DELAYED = "delayed"
    """Every frame a fixed time after arrival, with boxes from both sides."""

    @classmethod
    def _missing_(cls, value: object) -> NoReturn:
        raise ValueError(f"overlay must be now, detected or delayed, not {value!r}")
