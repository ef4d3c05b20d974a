"""The presentation of files: every frame is shown with tracks from both sides. Owned by the display thread."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol

from streamer.motion.motion_cache import motion_along
from streamer.motion.motion_field import MotionField, still
from streamer.motion.thumbnail import is_cut, thumbnail_of
from streamer.presentation.interpolation import Anchor, interpolated, joined
from streamer.presentation.presentation import Presented
from streamer.presentation.shot_tracker import ShotTracker
from streamer.values.delivery import Delivery, Detected, DisplayDue
from streamer.values.frame import Frame
from streamer.values.states import FrameState
from tracking.types import Detections, Tracker, Tracks


class _Waiting(NamedTuple):
    frame: Frame
    field: MotionField | None  # leads to the frame; None where a shot begins
    error_cause: str  # empty unless the detector failed


class MotionSteps(Protocol):
    """The motion of a stream, frame by frame."""

    def step(self, frame: Frame) -> MotionField | None:
        """The motion that leads to this frame, the next one; None if it begins a shot."""
        ...


class EveryFrame:
    """Shows every frame. Frames without detections wait for the next detected frame and are interpolated.

    Args:
        tracker: owned by this presentation from now on.
        motion: estimates the motion from each frame to the next; None if every frame is detected. The frames between
            two detections wait here, and as many more for each detection in a row that fails.
    """

    def __init__(self, tracker: Tracker, motion: MotionSteps | None = None) -> None:
        self.objects = ShotTracker(tracker)
        self._motion = motion
        self._waiting: list[_Waiting] = []
        self._anchor: Anchor | None = None
        self._last: Frame | None = None

    def take(self, delivery: Delivery) -> Iterator[Presented]:
        """The frames that can be shown after this delivery; deliveries come in frame order."""
        if isinstance(delivery, DisplayDue):
            return  # the route of files has none
        frame = delivery.frame
        if self._last is not None and frame.segment != self._last.segment:
            yield from self.flush()
            self.objects.tracker.reset()
            self._last = self._anchor = None
        before, field, self._last = self._last, self._step(frame), frame
        detections = delivery.detections if isinstance(delivery, Detected) else None
        if detections is None:
            error_cause = delivery.error_cause if isinstance(delivery, Detected) else ""
            self._waiting.append(_Waiting(frame, field, error_cause))
            return
        fields = [*(one.field for one in self._waiting), field]
        tracks = self._update(frame, detections, fields)
        if before is not None and self._motion is None and _shows_ghosts(tracks, before, frame):
            tracks = self.objects.update(frame, detections, cut=True)
        anchor = Anchor(frame, tracks)
        yield from self._interpolate(anchor, fields)
        self._anchor = anchor
        yield Presented(frame, tracks, FrameState.DETECTED, detections)

    def flush(self) -> Iterator[Presented]:
        """The frames after the last detection, with predicted tracks."""
        fields = [one.field for one in self._waiting]
        carried = interpolated(self._anchor, None, [one.frame for one in self._waiting], fields)
        cut = self._anchor is None
        for (frame, field, error_cause), tracks in zip(self._waiting, carried, strict=True):
            cut = cut or field is None
            # Objects that motion estimation lost continue as the tracker predicts.
            shown = tracks if cut else joined(tracks, self.objects.tracker.predict(frame.time_s))
            yield Presented.without_detections(frame, shown, FrameState.PREDICTED, error_cause)
        self._waiting.clear()

    def _step(self, frame: Frame) -> MotionField | None:
        if self._motion is not None:
            return self._motion.step(frame)
        return None if self._last is None else still(frame.time_s - self._last.time_s)

    def _update(self, frame: Frame, detections: Detections, fields: list[MotionField | None]) -> Tracks:
        """The tracks on a detected frame; `fields` lead to it from the last detected frame."""
        if self._anchor is None or self._motion is None:
            return self.objects.update(frame, detections)
        steps = [field for field in fields if field is not None]
        return self.objects.update(frame, detections, motion_along(steps), cut=len(steps) < len(fields))

    def _interpolate(self, after: Anchor, fields: list[MotionField | None]) -> Iterator[Presented]:
        if not self._waiting:
            return
        frames = [one.frame for one in self._waiting]
        both_sides = self._anchor is not None and None not in fields
        state = FrameState.INTERPOLATED if both_sides else FrameState.PREDICTED
        for one, tracks in zip(self._waiting, interpolated(self._anchor, after, frames, fields), strict=True):
            yield Presented.without_detections(one.frame, tracks, state, one.error_cause)
        self._waiting.clear()


def _shows_ghosts(tracks: Tracks, before: Frame, frame: Frame) -> bool:
    """Whether a cut lies between two frames; the pictures are compared only if a track has no detection."""
    if not (tracks.unseen_s > 0).any():
        return False
    one, other = thumbnail_of(before), thumbnail_of(frame)
    return one.grey.shape != other.grey.shape or is_cut(one.grey, other.grey, 0.0)
