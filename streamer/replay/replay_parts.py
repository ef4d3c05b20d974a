"""A recorded run in place of a live one: the frames that came, and what the main thread was given in which order."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Generator, Iterator
from typing import Self

import av

from streamer.errors import DetectorError, SourceLost
from streamer.flow.frame_ledger import FrameLedger
from streamer.flow.queues import BoundedQueue, Closed
from streamer.flow.routes import CAPTURED_CAPACITY
from streamer.replay.event_log import Arrival, Captured, Discarded, Entered, Opened, Result, Settled
from streamer.replay.recorded_frames import Pictures
from streamer.replay.recording import Recording
from streamer.sources.decode.source_base import SourceBase
from streamer.sources.live.paced import Pace
from streamer.values.delivery import Arrived, Delivery, Detected
from streamer.values.frame import Frame
from streamer.values.labels import LabelTable
from streamer.values.states import FrameState
from tracking.types import Detections

log = logging.getLogger(__name__)


class ReplayedSource(SourceBase):
    """The frames of a recorded run, each with all that was known of it. Entered by the main thread, then owned by the
    capture thread.

    Args:
        recording: where they are.
    """

    def __init__(self, recording: Recording) -> None:
        super().__init__()
        self._recording = recording
        self._pictures = Pictures(recording.folder)

    def __enter__(self) -> Self:
        self._check_unused()
        # Nothing comes by itself any more.
        told = self._recording.header.info
        frames = self._recording.frames or None
        self._info = dataclasses.replace(told, live=False, frame_count=frames, path=None)
        self._frames = self._make_frames()
        return self

    def _release(self) -> None:
        self._pictures.close()

    def _make_frames(self) -> Generator[Frame]:
        for event in self._recording.events():
            if isinstance(event, Opened):
                self._pictures.opened(event)
            elif isinstance(event, Discarded):
                self._pictures.discarded(event)
            elif isinstance(event, Captured):
                try:
                    picture = self._pictures.of(event)
                except SourceLost as error:
                    if self._recording.ended is not None:
                        raise
                    log.warning("%s; the recording is played up to there", error)
                    return
                yield _frame(event, picture)


def _frame(event: Captured, picture: av.VideoFrame) -> Frame:
    return Frame(
        picture=picture,
        index=event.index,
        pts=event.pts,
        time_base=event.time_base,
        captured_s=event.captured_s,
        segment=event.segment,
        duration=event.duration,
        corrupt=event.corrupt,
        damage=event.damage,
        raw_pts=event.raw_pts,
        wall_clock_s=event.wall_clock_s,
    )


class ReplayedDetector:
    """Stands for the detector of the run, whose results the route has.

    Args:
        labels: of the run's detections.
    """

    def __init__(self, labels: LabelTable) -> None:
        self._labels = labels

    @property
    def labels(self) -> LabelTable:
        return self._labels

    def detect(self, frame: Frame) -> Detections:
        """Never asked: the route gives no frame to detectors."""
        raise DetectorError(f"frame {frame.index} was not to be detected again")

    def close(self) -> None:
        """Nothing to release."""


class ReplayedRoute:
    """Gives the main thread what it was given, in that order; see `streamer.flow.routes.Route`.

    Args:
        recording: of the run.
        ledger: gets the entries that the run's had.
        in_real_time: at the pace of the run, to be looked at.
    """

    def __init__(self, recording: Recording, ledger: FrameLedger, *, in_real_time: bool = False) -> None:
        self._recording = recording
        self._ledger = ledger
        self._captured: BoundedQueue[Frame] = BoundedQueue(CAPTURED_CAPACITY)
        self._pace = Pace(lambda: not self._captured.closed) if in_real_time else None
        # Main thread only:
        self._frames: dict[int, Frame] = {}  # that will be given
        self._uses: dict[int, int] = {}

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
        raise AssertionError("no detector had a frame")

    def __iter__(self) -> Iterator[Delivery]:
        # One is held back: what the run's ledger had at its end must be there before the last one, which may end the
        # run, is given.
        last: Delivery | None = None
        for given in self._given():
            if last is not None:
                yield self._on_time(last)
            last = given
        if last is not None:
            yield self._on_time(last)

    def _on_time(self, finished: Delivery) -> Delivery:
        if self._pace is not None:
            arrived_s = finished.done_s if isinstance(finished, Detected) else finished.due_s
            at_s = arrived_s or finished.frame.captured_s
            for _ in self._pace.until(at_s):
                pass
        return finished

    def _given(self) -> Iterator[Delivery]:
        for event in self._recording.events():
            if isinstance(event, Captured):
                if not self._take(event.index):
                    return
            elif isinstance(event, Arrival):
                yield Arrived(self._frame(event), event.due_s, event.late)
            elif isinstance(event, Result):
                yield self._result(event)
            elif isinstance(event, Entered):
                self._ledger.enter(event.frames)
            elif isinstance(event, Settled):
                self._ledger.settle(event.state, event.cause, event.frames)

    def _take(self, index: int) -> bool:
        """Have the next frame at hand; False if it cannot be had, as the recording stops."""
        try:
            frame = self._captured.get()
        except Closed:
            if self._captured.closed:
                raise
            return False
        if self._recording.uses(index):
            self._frames[index], self._uses[index] = frame, self._recording.uses(index)
        return True

    def _frame(self, event: Arrival | Result) -> Frame:
        frame = self._frames[event.index]
        if frame.captured_s != event.captured_s:  # a virtual clock had its own
            frame = self._frames[event.index] = dataclasses.replace(frame, captured_s=event.captured_s)
        self._uses[event.index] -= 1
        if not self._uses[event.index]:
            del self._frames[event.index], self._uses[event.index]
        return frame

    def _result(self, event: Result) -> Detected:
        detections = None if event.found is None else event.found.detections()
        error = None if event.failed is None else event.failed.error()
        return Detected(self._frame(event), detections, error, event.detect_s, event.done_s)

    def shown(self, frame: Frame, state: FrameState, cause: str) -> None:
        """The ledger has it from the log."""

    def close(self) -> None:
        self._captured.close()
