"""Rules for live sources that wait for nothing. Owned by the main thread."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from streamer.flow.routes import Finished
from streamer.presentation.every_frame import Presented, undetected
from streamer.presentation.last_detected import LastDetected
from streamer.presentation.latency_compensation import LatencyCompensator
from streamer.values.frame import Frame
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

    def take(self, finished: Finished) -> Iterator[Presented]:
        """A frame that a detector is done with."""
        frame = finished.frame
        if not finished.looked or frame.index < self._looked_at:
            return  # another detector overtook this one, and what came later is known
        self._looked_at = frame.index
        if frame.segment > self._segment:
            self._tracker.reset()
            self._segment = frame.segment
        if finished.detections is None:
            cause = finished.error.cause if finished.error else ""
            yield undetected(frame, self._tracker.predict(frame.time_s), "predicted", cause)
        else:
            tracks = self._tracker.update(finished.detections, frame.time_s)
            self.last_detected.add(frame, tracks)
            yield Presented(frame, tracks, "detected", finished.detections)

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

    def take(self, finished: Finished) -> Iterator[Presented]:
        """A frame that came, or one that a detector is done with, which is shown when it comes."""
        frame = finished.frame
        if not finished.looked:
            self._came = frame.index
            early = None
            while self._early and self._early[0][0].index <= frame.index:
                early = self._early.popleft()
            if early is not None and early[0].segment != frame.segment:
                early = None
            tracks = self._now.stay(frame) if finished.late else self._now.show(frame, early)
            yield undetected(frame, tracks, "predicted")
        elif finished.detections is not None and frame.index > self._looked_at:
            self._looked_at = frame.index
            if frame.index > self._came:  # a quick detector: the frame itself is still on its way here
                self._early.append((frame, finished.detections))
            else:
                self._now.learn(frame, finished.detections)

    def flush(self) -> Iterator[Presented]:
        """Nothing waits here."""
        return iter(())
