"""The presentations of live sources that hold no frame back. Owned by the display thread."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from streamer.motion.expected_gain import ExpectedGain
from streamer.presentation.latency_compensation import LatencyCompensator
from streamer.presentation.presentation import Presented
from streamer.presentation.shot_tracker import ShotTracker
from streamer.values.delivery import Arrived, Delivery, Detected
from streamer.values.states import FrameState
from tracking.types import Detections, Tracker


class ShowDetected:
    """`overlay: detected`: only frames that a detector is done with are shown.

    Args:
        tracker: owned by this presentation from now on.
        gain: kept up to date, if other streams share the detector.
    """

    def __init__(self, tracker: Tracker, gain: ExpectedGain | None = None) -> None:
        self.objects = ShotTracker(tracker)
        self._gain = gain or ExpectedGain()
        self._segment = -1
        self._newest_result = -1

    def take(self, delivery: Delivery) -> Iterator[Presented]:
        """The frame of a result, unless a result for a newer frame came before it."""
        if not isinstance(delivery, Detected) or delivery.frame.index < self._newest_result:
            return
        frame = delivery.frame
        self._newest_result = frame.index
        if frame.segment > self._segment:
            self.objects.tracker.reset()
            self._segment = frame.segment
            self._gain.moved(frame, None)
        if delivery.detections is None:
            tracks = self.objects.tracker.predict(frame.time_s)
            yield Presented.without_detections(frame, tracks, FrameState.PREDICTED, delivery.error_cause)
        else:
            tracks = self.objects.update(frame, delivery.detections)
            self._gain.detected(frame, tracks)
            self._gain.shown(frame, tracks)
            yield Presented(frame, tracks, FrameState.DETECTED, delivery.detections)

    def flush(self) -> Iterator[Presented]:
        """No frame waits here."""
        return iter(())


class ShowNow:
    """`overlay: now`: each frame is shown when it arrives, with the boxes of the last result carried to it.

    Args:
        tracker: owned by this presentation from now on.
        gain: kept up to date, if other streams share the detector.
    """

    def __init__(self, tracker: Tracker, gain: ExpectedGain | None = None) -> None:
        self.objects = ShotTracker(tracker)
        self._compensator = LatencyCompensator(self.objects, gain)
        self._newest_result = self._newest_frame = -1
        self._early: deque[Detected] = deque()

    def take(self, delivery: Delivery) -> Iterator[Presented]:
        """A frame that arrived; a result changes what is shown from the next frame on."""
        if isinstance(delivery, Arrived):
            frame = delivery.frame
            self._newest_frame = frame.index
            early = None
            while self._early and self._early[0].frame.index <= frame.index:
                early = self._early.popleft()
            if early is not None and early.frame.segment != frame.segment:
                early = None
            tracks = self._compensator.hold(frame) if delivery.late else self._compensator.advance(frame, early)
            yield Presented.without_detections(frame, tracks, FrameState.PREDICTED)
        elif isinstance(delivery, Detected) and delivery.detections is not None:
            self._add(delivery, delivery.detections)

    def _add(self, delivery: Detected, detections: Detections) -> None:
        frame = delivery.frame
        if frame.index > self._newest_result:
            self._newest_result = frame.index
            if frame.index > self._newest_frame:  # a fast detector: the frame itself is not delivered yet
                self._early.append(delivery)
            else:
                self._compensator.add(frame, detections)

    def flush(self) -> Iterator[Presented]:
        """No frame waits here."""
        return iter(())
