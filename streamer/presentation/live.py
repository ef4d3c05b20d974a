"""Rules for live sources that wait for nothing. Owned by the main thread."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from streamer.presentation.every_frame import Presented, undetected
from streamer.presentation.last_detected import LastDetected
from streamer.presentation.latency_compensation import LatencyCompensator
from streamer.values.delivery import Arrived, Delivery
from streamer.values.frame import Frame
from streamer.values.states import FrameState
from tracking.types import Detections, Tracker


class ShowDetected:
    """`overlay: detected`: frames are shown as a detector is done with them, and no others.

    Args:
        tracker: gives the boxes their identity; owned by this from now on.
    """

    def __init__(self, tracker: Tracker) -> None:
        self.last_detected = LastDetected()
        self._tracker = tracker
        self._segment = -1
        self._looked_at = -1  # the last frame that a detector was done with

    def take(self, delivery: Delivery) -> Iterator[Presented]:
        """A frame that a detector is done with."""
        frame = delivery.frame
        if isinstance(delivery, Arrived) or frame.index < self._looked_at:
            return  # another detector overtook this one, and what came later is known
        self._looked_at = frame.index
        if frame.segment > self._segment:
            self._tracker.reset()
            self._segment = frame.segment
        if delivery.detections is None:
            tracks = self._tracker.predict(frame.time_s)
            yield undetected(frame, tracks, FrameState.PREDICTED, delivery.error_cause)
        else:
            tracks = self._tracker.update(delivery.detections, frame.time_s)
            self.last_detected.add(frame, tracks)
            yield Presented(frame, tracks, FrameState.DETECTED, delivery.detections)

    def flush(self) -> Iterator[Presented]:
        """Nothing waits here."""
        return iter(())


class ShowNow:
    """`overlay: now`: each frame is shown as it comes, with the boxes of the last detection carried to it.

    Args:
        tracker: gives the boxes their identity; owned by this from now on.
    """

    def __init__(self, tracker: Tracker) -> None:
        self.last_detected = LastDetected()
        self._now = LatencyCompensator(tracker, self.last_detected.add)
        self._looked_at = self._came = -1
        self._early: deque[tuple[Frame, Detections]] = deque()

    def take(self, delivery: Delivery) -> Iterator[Presented]:
        """A frame that came, or one that a detector is done with, which is shown when it comes."""
        frame = delivery.frame
        if isinstance(delivery, Arrived):
            self._came = frame.index
            early = None
            while self._early and self._early[0][0].index <= frame.index:
                early = self._early.popleft()
            if early is not None and early[0].segment != frame.segment:
                early = None
            tracks = self._now.stay(frame) if delivery.late else self._now.show(frame, early)
            yield undetected(frame, tracks, FrameState.PREDICTED)
        elif delivery.detections is not None and frame.index > self._looked_at:
            self._looked_at = frame.index
            if frame.index > self._came:  # a quick detector: the frame itself is still on its way here
                self._early.append((frame, delivery.detections))
            else:
                self._now.learn(frame, delivery.detections)

    def flush(self) -> Iterator[Presented]:
        """Nothing waits here."""
        return iter(())
