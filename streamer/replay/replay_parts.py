"""The source, detector and route of a replay. They repeat what the recorded run captured and delivered."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Generator, Iterator
from typing import Self

from streamer.errors import DetectorError, SourceLost
from streamer.flow.frame_ledger import FrameLedger
from streamer.flow.queues import BoundedQueue, Closed
from streamer.flow.routes import CAPTURED_CAPACITY
from streamer.replay.event_log import (
    DetectorResult,
    FrameArrived,
    FrameCaptured,
    FrameDue,
    FramesEntered,
    FramesSettled,
    PacketDiscarded,
    StreamOpened,
)
from streamer.replay.recorded_frames import RecordedFrames
from streamer.replay.recording import Recording
from streamer.sources.decode.source_base import SourceBase
from streamer.sources.live.paced import Pace
from streamer.values.delivery import Arrived, Delivery, Detected, DisplayDue
from streamer.values.frame import Frame
from streamer.values.labels import LabelTable
from streamer.values.states import FrameState
from tracking.types import Detections

log = logging.getLogger(__name__)


class ReplayedSource(SourceBase):
    """The captured frames of a recorded run. Entered by the main thread, then owned by the capture thread.

    Args:
        recording: of the run.
    """

    def __init__(self, recording: Recording) -> None:
        super().__init__()
        self._recording = recording
        self._pictures = RecordedFrames(recording.folder)

    def __enter__(self) -> Self:
        self._check_unused()
        info, frames = self._recording.header.info, self._recording.frames or None
        self._info = dataclasses.replace(info, live=False, frame_count=frames, path=None)
        self._frames = self._make_frames()
        return self

    def _release(self) -> None:
        self._pictures.close()

    def _make_frames(self) -> Generator[Frame]:
        for event in self._recording.events():
            if isinstance(event, StreamOpened):
                self._pictures.open_stream(event)
            elif isinstance(event, PacketDiscarded):
                self._pictures.discard(event)
            elif isinstance(event, FrameCaptured):
                try:
                    picture = self._pictures.picture(event)
                except SourceLost as error:
                    if self._recording.ended is not None:
                        raise
                    log.warning("%s; the recording is played up to there", error)
                    return
                yield event.frame(picture)


class ReplayedDetector:
    """Has the labels of the recorded detector; the route has its results.

    Args:
        labels: of the detections.
    """

    def __init__(self, labels: LabelTable) -> None:
        self._labels = labels

    @property
    def labels(self) -> LabelTable:
        return self._labels

    def detect(self, frame: Frame) -> Detections:
        """Never called: the route gives no frame to detectors."""
        raise DetectorError(f"a replay does not detect: frame {frame.index} must not get here")

    def close(self) -> None:
        """Nothing to release."""


class ReplayedRoute:
    """Delivers what the recorded route delivered, in that order; see `streamer.flow.routes.Route`.

    Args:
        recording: of the run.
        ledger: gets the entries of the run's frame ledger.
        in_real_time: at the speed of the run.
    """

    def __init__(self, recording: Recording, ledger: FrameLedger, *, in_real_time: bool = False) -> None:
        self._recording = recording
        self._ledger = ledger
        self._captured: BoundedQueue[Frame] = BoundedQueue(CAPTURED_CAPACITY)
        self._pace = Pace(lambda: not self._captured.closed) if in_real_time else None
        # Display thread only:
        self._frames: dict[int, Frame] = {}  # that will be delivered
        self._uses: dict[int, int] = {}  # how often

    @property
    def waiting(self) -> int:
        return len(self._captured)

    def put(self, frame: Frame) -> None:
        self._captured.put(frame)

    def end(self) -> None:
        self._captured.finish()

    def frames(self) -> Iterator[Frame]:
        return iter(())

    def done(self, result: Detected) -> None:  # noqa: ARG002
        raise AssertionError("a replay does not detect")

    def __iter__(self) -> Iterator[Delivery]:
        # The last delivery may end the run. It is held back until the ledger has all entries after it.
        last: Delivery | None = None
        for delivery in self._deliveries():
            if last is not None:
                yield self._on_time(last)
            last = delivery
        if last is not None:
            yield self._on_time(last)

    def _on_time(self, delivery: Delivery) -> Delivery:
        if self._pace is not None:
            for _ in self._pace.until(_time_s(delivery)):
                pass
        return delivery

    def _deliveries(self) -> Iterator[Delivery]:
        for event in self._recording.events():
            if isinstance(event, FrameCaptured):
                if not self._take(event.index):
                    return
            elif isinstance(event, FrameArrived):
                yield Arrived(self._frame(event), event.due_s, event.late)
            elif isinstance(event, FrameDue):
                yield DisplayDue(event.at_s)
            elif isinstance(event, DetectorResult):
                detections = None if event.found is None else event.found.detections()
                error = None if event.failed is None else event.failed.error()
                yield Detected(self._frame(event), detections, error, event.detect_s, event.done_s)
            elif isinstance(event, FramesEntered):
                self._ledger.enter(event.frames)
            elif isinstance(event, FramesSettled):
                self._ledger.settle(event.state, event.cause, event.frames)

    def _take(self, index: int) -> bool:
        """Take the next captured frame; False if the recording stops before it."""
        try:
            frame = self._captured.get()
        except Closed:
            if self._captured.closed:
                raise
            return False
        if self._recording.uses(index):
            self._frames[index], self._uses[index] = frame, self._recording.uses(index)
        return True

    def _frame(self, event: FrameArrived | DetectorResult) -> Frame:
        frame = self._frames[event.index]
        if frame.captured_s != event.captured_s:  # on a simulated clock
            frame = self._frames[event.index] = dataclasses.replace(frame, captured_s=event.captured_s)
        self._uses[event.index] -= 1
        if not self._uses[event.index]:
            del self._frames[event.index], self._uses[event.index]
        return frame

    def shown(self, frame: Frame, state: FrameState, cause: str) -> None:
        """The ledger gets the recorded entries instead."""

    def close(self) -> None:
        self._captured.close()


def _time_s(delivery: Delivery) -> float:
    if isinstance(delivery, Detected):
        return delivery.done_s
    return delivery.at_s if isinstance(delivery, DisplayDue) else delivery.due_s or delivery.frame.captured_s
