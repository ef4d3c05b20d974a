"""`overlay: delayed`: every frame is shown a fixed time after it arrived, with boxes from both sides.

Each frame waits for the detection after it; `streamer.presentation.delay` measures how long. A frame that is due
before the next detection gets the boxes of the last one, carried to it. Owned by the display thread.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from streamer.motion.expected_gain import ExpectedGain
from streamer.motion.motion_cache import MotionCache
from streamer.motion.motion_field import MotionField
from streamer.motion.propagation import follow
from streamer.presentation.delay import Delay
from streamer.presentation.interpolation import Anchor, interpolated
from streamer.presentation.latency_compensation import carried_tracks
from streamer.presentation.presentation import Presented
from streamer.presentation.shot_tracker import ShotTracker
from streamer.values.delivery import Arrived, Delivery, Detected, DisplayDue
from streamer.values.frame import Frame
from streamer.values.states import FrameState
from tracking.types import Detections, Tracker, Tracks

_MOST_BYTES = 512 * 2**20
"""Memory limit of the waiting frames."""
_ROUNDING_S = 1e-6


@dataclass(slots=True, eq=False)
class _Waiting:
    """A frame since the last detected one; `tracks` are None until the detection after it is known.

    `arrived_s` is its delivery, which is after its capture where frames come in bursts.
    """

    frame: Frame
    arrived_s: float
    field: MotionField | None
    tracks: Tracks | None = None
    state: FrameState = FrameState.PREDICTED
    detections: Detections | None = None
    error_cause: str = ""
    shown: bool = False


class ShowDelayed:
    """Shows every frame `delay` after it arrived.

    Args:
        tracker: owned by this presentation from now on.
        delay_s: chosen by the user; measured if None.
        gain: kept up to date, if other streams share the detector.
    """

    def __init__(self, tracker: Tracker, delay_s: float | None = None, gain: ExpectedGain | None = None) -> None:
        self.objects = ShotTracker(tracker)
        self.delay = Delay(delay_s)
        self._gain = gain or ExpectedGain()
        self._cache = MotionCache()
        self._queue: deque[_Waiting] = deque()
        self._since: deque[_Waiting] = deque()  # all after the last detected frame, shown or not
        self._anchor: Anchor | None = None
        self._displayed: Anchor | None = None  # the last frame that was shown, with its tracks
        self._interval_s = 0.0
        self._last: Frame | None = None
        self._early: deque[Detected] = deque()

    def next_due_s(self) -> float:
        """When the next frame is to be shown, on the clock of `Frame.captured_s`; infinite if that is not known yet."""
        if not self._queue:
            return math.inf
        arrived_s = self._queue[0].arrived_s
        delay_s = self.delay.of(arrived_s)
        return math.inf if delay_s is None else arrived_s + delay_s

    def take(self, delivery: Delivery) -> Iterator[Presented]:
        """The frames that are due after this delivery."""
        if isinstance(delivery, DisplayDue):
            yield from self._show_due(delivery.at_s)
        elif isinstance(delivery, Arrived):
            yield from self._arrive(delivery.frame, delivery.due_s or delivery.frame.captured_s)
        elif self._last is None or delivery.frame.index > self._last.index:
            self._early.append(delivery)  # a fast detector: the frame itself is not delivered yet
        elif delivery.detections is not None:
            self._add_result(delivery.frame, delivery.detections, delivery.done_s)
        else:
            for one in self._since:
                if one.frame is delivery.frame:
                    one.error_cause = delivery.error_cause

    def flush(self) -> Iterator[Presented]:
        """All frames that wait."""
        while self._queue:
            yield self._show(self._queue.popleft())

    def _arrive(self, frame: Frame, arrived_s: float) -> Iterator[Presented]:
        last, self._last = self._last, frame
        if last is not None and frame.segment != last.segment:
            yield from self.flush()
            self.objects.tracker.reset()
            self._anchor = self._displayed = None
            self._since.clear()
        elif last is not None:
            self._interval_s = frame.captured_s - last.captured_s
        entry = _Waiting(frame, arrived_s, self._cache.add(frame))
        self._queue.append(entry)
        self._since.append(entry)
        if entry.field is None:
            self._gain.moved(frame, None)
        while self._early and self._early[0].frame.index <= frame.index:
            deque(self.take(self._early.popleft()), maxlen=0)  # a result shows no frame
        room = max(2, _MOST_BYTES // max(1, 2 * frame.width * frame.height))
        if len(self._since) > room:  # a detector that hangs
            self._since.popleft()
            self._anchor = None
        while len(self._queue) > room:
            yield self._show(self._queue.popleft())
        yield from self._show_due(arrived_s)

    def _show_due(self, now_s: float) -> Iterator[Presented]:
        while self.next_due_s() <= now_s + _ROUNDING_S:
            yield self._show(self._queue.popleft())

    def _add_result(self, frame: Frame, detections: Detections, done_s: float) -> None:
        at = bisect_right(self._since, frame.index, key=lambda one: one.frame.index) - 1
        if at < 0 or self._since[at].frame is not frame:
            return  # of an earlier segment, or older than the result of another detector
        span = [self._since.popleft() for _ in range(at + 1)]
        next_s = self._queue[0].arrived_s if self._queue else span[-1].arrived_s
        self.delay.add(done_s - span[0].arrived_s, self._interval_s, now_s=done_s, next_s=next_s)
        before, fields = self._anchor, [one.field for one in span]
        motion = None if before is None else self._cache.motion(before.frame.index, frame.index)
        tracks = self.objects.update(frame, detections, motion, cut=before is not None and None in fields)
        self._gain.detected(frame, tracks)
        self._gain.shown(frame, tracks)
        anchor = Anchor(frame, tracks)
        both_sides = before is not None and None not in fields
        found = interpolated(before, anchor, [one.frame for one in span[:-1]], fields)
        for one, between in zip(span[:-1], found, strict=True):
            one.tracks, one.state = between, FrameState.INTERPOLATED if both_sides else FrameState.PREDICTED
        span[-1].tracks, span[-1].state, span[-1].detections = tracks, FrameState.DETECTED, detections
        self._anchor = anchor
        if span[-1].shown:
            self._displayed = self._catch_up(anchor)

    def _catch_up(self, anchor: Anchor) -> Anchor | None:
        """The boxes of a detection whose frame was shown before, carried to the frame that was shown last."""
        if self._displayed is None:
            return anchor
        shown = self._displayed.frame
        fields = self._cache.fields(anchor.frame.index, shown.index)
        return self._displayed if fields is None else _carried(anchor, shown, fields)

    def _show(self, one: _Waiting) -> Presented:
        one.shown = True
        if one.tracks is None:
            last = self._displayed
            carried = None if last is None or one.field is None else _carried(last, one.frame, [one.field])
            self._displayed = carried or Anchor(one.frame, Tracks.empty())
            tracks = self._displayed.tracks
            return Presented.without_detections(one.frame, tracks, FrameState.PREDICTED, one.error_cause)
        self._displayed = Anchor(one.frame, one.tracks)
        if one.detections is None:
            return Presented.without_detections(one.frame, one.tracks, one.state, one.error_cause)
        return Presented(one.frame, one.tracks, FrameState.DETECTED, one.detections)


def _carried(anchor: Anchor, frame: Frame, fields: list[MotionField]) -> Anchor:
    velocities = np.zeros((len(anchor.tracks), 2))
    moved = follow(anchor.tracks.boxes.astype(np.float64), velocities, fields)
    return Anchor(frame, carried_tracks(anchor.tracks, moved.boxes, frame, anchor.frame.time_s))
