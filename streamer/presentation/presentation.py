"""What a presentation is: it decides which frames are shown, when, and with which tracks.

`EveryFrame` is for files, `ShowNow`, `ShowDetected` and `ShowDelayed` for live sources. None of them reads a clock, so
the same frames and results give the same tracks on every machine. Owned by the display thread of one stream.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from streamer.presentation.shot_tracker import ShotTracker
from streamer.values.delivery import Delivery
from streamer.values.frame import Frame
from streamer.values.states import FrameState
from tracking.types import Detections, Tracks


@dataclass(frozen=True, slots=True, eq=False)
class Presented:
    """A frame that is ready to be shown.

    Attributes:
        frame: the frame.
        tracks: at the time of the frame, confirmed or not.
        state: DETECTED, INTERPOLATED, PREDICTED or LOST.
        detections: of the detector, None unless the state is DETECTED.
        cause: of a LOST frame.
    """

    frame: Frame
    tracks: Tracks
    state: FrameState
    detections: Detections | None = None
    cause: str = ""

    @classmethod
    def without_detections(cls, frame: Frame, tracks: Tracks, state: FrameState, error_cause: str = "") -> Presented:
        """A frame that was not detected: LOST if `error_cause` says how the detector failed, else as `state`."""
        return cls(frame, tracks, FrameState.LOST if error_cause else state, cause=error_cause)


class Presentation(Protocol):
    """The rule of one run."""

    @property
    def objects(self) -> ShotTracker:
        """The tracker, with the frames on which each object was detected."""
        ...

    def take(self, delivery: Delivery) -> Iterator[Presented]:
        """The frames that can be shown after this delivery."""
        ...

    def flush(self) -> Iterator[Presented]:
        """The frames that are left when the stream ends."""
        ...
