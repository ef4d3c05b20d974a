"""Which frame meets which detections. Owned by the main thread.

`EveryFrame` is the rule for files: every frame is shown, some are detected, and those between wait for the next
detection so that their boxes come from both sides. A frame that the detector failed on is one of those between. The
rules for live sources are in `streamer.presentation.live` and `streamer.presentation.delayed`. None of them looks at a
clock, so that the same frames and detections give the same boxes on every machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from streamer.motion.motion_cache import motion_along
from streamer.motion.motion_field import MotionEstimator, MotionField, still
from streamer.motion.thumbnail import is_cut, thumbnail_of
from streamer.presentation.interpolation import Anchor, between, with_others
from streamer.presentation.last_detected import LastDetected
from streamer.values.delivery import Delivery, Detected
from streamer.values.frame import Frame
from streamer.values.states import FrameState
from tracking.types import Detections, Tracker, Tracks


@dataclass(frozen=True, slots=True, eq=False)
class Presented:
    """A frame that is ready to be shown.

    Attributes:
        frame: the frame.
        tracks: the tracks at its time, confirmed or not.
        state: its state in the ledger: `detected`, `interpolated`, `predicted` or `lost`.
        detections: the detector's own, None where it did not look or failed.
        cause: why it is `lost`.
    """

    frame: Frame
    tracks: Tracks
    state: FrameState
    detections: Detections | None = None
    cause: str = ""


class Presentation(Protocol):
    """The rule for a run."""

    @property
    def last_detected(self) -> LastDetected:
        """On which frames the objects that are shown were found."""
        ...

    def take(self, delivery: Delivery) -> Iterator[Presented]:
        """What can be shown now that a frame came, or a detector is done with it."""
        ...

    def flush(self) -> Iterator[Presented]:
        """What is left when no more frames come."""
        ...


class _Waiting(NamedTuple):
    frame: Frame
    field: MotionField | None  # leads to the frame; None where a shot begins
    lost: str  # the cause where the detector failed


class EveryFrame:
    """Every frame is shown, some or all are detected.

    Args:
        tracker: gives the boxes their identity; owned by this from now on.
        all_frames: each one is detected: then no pictures are compared. Otherwise those between two detections wait
            here, and as many more for each one in a row that the detector failed on.
    """

    def __init__(self, tracker: Tracker, *, all_frames: bool = True) -> None:
        self.last_detected = LastDetected()
        self._tracker = tracker
        self._estimator = None if all_frames else MotionEstimator()
        self._waiting: list[_Waiting] = []
        self._anchor: Anchor | None = None
        self._last: Frame | None = None

    def take(self, delivery: Delivery) -> Iterator[Presented]:
        """The next frame in order, with its detections if it was looked at; yields what can now be shown."""
        frame = delivery.frame
        if self._last is not None and frame.segment != self._last.segment:
            yield from self.flush()
            self._tracker.reset()
            self._last = self._anchor = None
        before, field, self._last = self._last, self._step(frame), frame
        detections = delivery.detections if isinstance(delivery, Detected) else None
        if detections is None:
            lost = delivery.error_cause if isinstance(delivery, Detected) else ""
            self._waiting.append(_Waiting(frame, field, lost))
            return
        fields = [*(one.field for one in self._waiting), field]
        anchor = Anchor(frame, self._update(frame, detections, fields))
        if before is not None and self._estimator is None and _shows_ghosts(anchor.tracks, before, frame):
            self._tracker.reset()
            anchor = Anchor(frame, self._tracker.update(detections, frame.time_s))
        self.last_detected.add(frame, anchor.tracks)
        yield from self._between(anchor, fields)
        self._anchor = anchor
        yield Presented(frame, anchor.tracks, FrameState.DETECTED, detections)

    def flush(self) -> Iterator[Presented]:
        """The frames after the last detection: nothing comes behind them, so their boxes are predicted."""
        fields = [one.field for one in self._waiting]
        carried = between(self._anchor, None, [one.frame for one in self._waiting], fields)
        cut = self._anchor is None
        for (frame, field, lost), tracks in zip(self._waiting, carried, strict=True):
            cut = cut or field is None
            # What the pictures say nothing of goes on as the tracker expects.
            shown = tracks if cut else with_others(tracks, self._tracker.predict(frame.time_s))
            yield undetected(frame, shown, FrameState.PREDICTED, lost)
        self._waiting.clear()

    def _step(self, frame: Frame) -> MotionField | None:
        if self._estimator is not None:
            return self._estimator.step(frame)
        return None if self._last is None else still(frame.time_s - self._last.time_s)

    def _update(self, frame: Frame, detections: Detections, fields: list[MotionField | None]) -> Tracks:
        """The tracks on a detected frame; `fields` lead to it from the one before."""
        steps = [field for field in fields if field is not None]
        if self._anchor is None or self._estimator is None:
            return self._tracker.update(detections, frame.time_s)
        if len(steps) < len(fields):  # another shot: nobody in it is who was in the last one
            self._tracker.reset()
            return self._tracker.update(detections, frame.time_s)
        return self._tracker.update(detections, frame.time_s, motion_along(steps))

    def _between(self, after: Anchor, fields: list[MotionField | None]) -> Iterator[Presented]:
        frames = [one.frame for one in self._waiting]
        known = self._anchor is not None and None not in fields
        for one, tracks in zip(self._waiting, between(self._anchor, after, frames, fields), strict=True):
            state = FrameState.INTERPOLATED if known else FrameState.PREDICTED
            yield undetected(one.frame, tracks, state, one.lost)
        self._waiting.clear()


def _shows_ghosts(tracks: Tracks, before: Frame, frame: Frame) -> bool:
    """Whether objects that were not found on a frame are of another shot; only then pictures are looked at."""
    if not (tracks.unseen_s > 0).any():
        return False
    one, other = thumbnail_of(before), thumbnail_of(frame)
    return one.grey.shape != other.grey.shape or is_cut(one.grey, other.grey, 0.0)


def undetected(frame: Frame, tracks: Tracks, state: FrameState, lost: str = "") -> Presented:
    """A frame that the detector did not see, or failed on for the cause `lost`."""
    return Presented(frame, tracks, FrameState.LOST if lost else state, cause=lost)
