"""`overlay: delayed`: every frame is shown a fixed time after it came, with boxes from both sides. Owned by the main
thread.

A frame waits until the detection behind it is known. How long that takes is measured; the delay is its p95 and a
margin, told when it is chosen, and raised, never lowered, when detections come to take longer. A frame whose time has
come before the detection behind it is shown with boxes carried from the one before.
"""

from __future__ import annotations

import logging
from bisect import bisect_right
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from streamer.motion.motion_cache import MotionCache
from streamer.motion.motion_field import MotionField
from streamer.motion.propagation import follow
from streamer.presentation.every_frame import Presented, undetected
from streamer.presentation.interpolation import Anchor, between
from streamer.presentation.last_detected import LastDetected
from streamer.presentation.latency_compensation import aged
from streamer.values.delivery import Arrived, Delivery, Detected
from streamer.values.frame import Frame
from streamer.values.states import FrameState
from tracking.types import Detections, Tracker, Tracks

log = logging.getLogger(__name__)

# A model that works for the first time takes longer than it ever will again, and the second result waits for it.
_UNUSUAL_WAITS = 2
_FIRST_WAITS = 2
_WAITS = 100
_PERCENT = 95
_MARGIN = 0.1
_MOST_BYTES = 512 * 2**20
"""What waiting pictures may hold."""
_MOST_AT_ONCE = 2
"""Frames shown for each that comes, of those that waited until a delay was chosen: outputs would lose a flood."""
_ROUNDING_S = 1e-6


class Delay:
    """How long frames are held back, seconds; None until it was measured.

    Args:
        fixed_s: given by the user; then nothing is measured.
    """

    def __init__(self, fixed_s: float | None = None) -> None:
        self.chosen_s = fixed_s
        self._fixed = fixed_s is not None
        self._waits_s: deque[float] = deque(maxlen=_WAITS)
        self._unusual = _UNUSUAL_WAITS

    def take(self, wait_s: float, interval_s: float) -> None:
        """A frame had to wait so long for the detection behind it; frames come every `interval_s`."""
        if self._fixed:
            return
        self._unusual -= 1
        if self._unusual >= 0:
            return
        self._waits_s.append(wait_s)
        if len(self._waits_s) < _FIRST_WAITS:
            return
        usual_s = float(np.percentile(self._waits_s, _PERCENT, method="higher"))
        needed_s = usual_s * (1 + _MARGIN) + interval_s
        if self.chosen_s is None or usual_s > self.chosen_s:
            log.warning("the picture is shown %.2f s after it came: detections take so long", needed_s)
            self.chosen_s = needed_s


@dataclass(slots=True, eq=False)
class _Waiting:
    """A frame that came; `tracks` are None until the detection behind it is known.

    `came_s` is when it came here, which is later than it arrived where pictures come in bursts.
    """

    frame: Frame
    came_s: float
    field: MotionField | None
    tracks: Tracks | None = None
    state: FrameState = FrameState.PREDICTED
    detections: Detections | None = None
    lost: str = ""
    shown: bool = False


class ShowDelayed:
    """Every frame is shown `delay` after it came.

    Args:
        tracker: gives the boxes their identity; owned by this from now on.
        delay_s: fixed by the user; measured if None.
    """

    def __init__(self, tracker: Tracker, delay_s: float | None = None) -> None:
        self.last_detected = LastDetected()
        self._tracker = tracker
        self.delay = Delay(delay_s)
        self._backlog = delay_s is None
        self._cache = MotionCache()
        self._queue: deque[_Waiting] = deque()
        self._since: deque[_Waiting] = deque()  # all behind the last detected frame, shown or not
        self._anchor: Anchor | None = None
        self._ahead: Anchor | None = None  # what was shown last
        self._interval_s = 0.0
        self._last: Frame | None = None
        self._early: deque[Detected] = deque()

    def take(self, delivery: Delivery) -> Iterator[Presented]:
        """A frame that came, or one that a detector is done with."""
        if isinstance(delivery, Arrived):
            yield from self._arrive(delivery.frame, delivery.due_s or delivery.frame.captured_s)
        elif self._last is None or delivery.frame.index > self._last.index:
            self._early.append(delivery)  # a quick detector: the frame itself is still on its way here
        elif delivery.detections is not None:
            self._learn(delivery.frame, delivery.detections, delivery.done_s)
        else:
            for one in self._since:
                if one.frame is delivery.frame:
                    one.lost = delivery.error_cause

    def flush(self) -> Iterator[Presented]:
        """No more frames come: all that wait are shown."""
        while self._queue:
            yield self._show(self._queue.popleft())

    def _arrive(self, frame: Frame, came_s: float) -> Iterator[Presented]:
        last, self._last = self._last, frame
        if last is not None and frame.segment != last.segment:
            yield from self.flush()
            self._tracker.reset()
            self._anchor = self._ahead = None
            self._since.clear()
        elif last is not None:
            self._interval_s = frame.captured_s - last.captured_s
        entry = _Waiting(frame, came_s, self._cache.add(frame))
        self._queue.append(entry)
        self._since.append(entry)
        while self._early and self._early[0].frame.index <= frame.index:
            deque(self.take(self._early.popleft()), maxlen=0)  # shows nothing
        room = max(2, _MOST_BYTES // max(1, 2 * frame.width * frame.height))
        if len(self._since) > room:  # a detector that hangs must not make this one grow
            self._since.popleft()
            self._anchor = None
        shown, most = 0, _MOST_AT_ONCE if self._backlog else room
        while self._queue and (len(self._queue) > room or (shown < most and self._is_due(came_s))):
            yield self._show(self._queue.popleft())
            shown += 1
        self._backlog &= self.delay.chosen_s is None or shown == most

    def _is_due(self, now_s: float) -> bool:
        """Whether the time of the next frame has come."""
        delay_s = self.delay.chosen_s
        return delay_s is not None and self._queue[0].came_s + delay_s <= now_s + _ROUNDING_S

    def _learn(self, frame: Frame, detections: Detections, done_s: float) -> None:
        at = bisect_right(self._since, frame.index, key=lambda one: one.frame.index) - 1
        if at < 0 or self._since[at].frame is not frame:
            return  # of a segment that is over, or overtaken by another detector
        span = [self._since.popleft() for _ in range(at + 1)]
        self.delay.take(done_s - span[0].came_s, self._interval_s)
        fields = [one.field for one in span]
        anchor = Anchor(frame, self._update(frame, detections, fields))
        self.last_detected.add(frame, anchor.tracks)
        known = self._anchor is not None and None not in fields
        found = between(self._anchor, anchor, [one.frame for one in span[:-1]], fields)
        for one, tracks in zip(span[:-1], found, strict=True):
            one.tracks, one.state = tracks, FrameState.INTERPOLATED if known else FrameState.PREDICTED
        span[-1].tracks, span[-1].state, span[-1].detections = anchor.tracks, FrameState.DETECTED, detections
        self._anchor = anchor
        if span[-1].shown:
            self._ahead = self._catch_up(anchor)

    def _update(self, frame: Frame, detections: Detections, fields: list[MotionField | None]) -> Tracks:
        if self._anchor is None:
            return self._tracker.update(detections, frame.time_s)
        if None in fields:
            self._tracker.reset()
            return self._tracker.update(detections, frame.time_s)
        motion = self._cache.motion(self._anchor.frame.index, frame.index)
        return self._tracker.update(detections, frame.time_s, motion)

    def _catch_up(self, anchor: Anchor) -> Anchor | None:
        """The boxes of a detection that came after its frame was shown, on the frame that was shown last."""
        if self._ahead is None:
            return anchor
        shown = self._ahead.frame
        fields = self._cache.fields(anchor.frame.index, shown.index)
        return self._ahead if fields is None else _carried(anchor, shown, fields)

    def _show(self, one: _Waiting) -> Presented:
        one.shown = True
        if one.tracks is None:
            ahead = None if self._ahead is None or one.field is None else _carried(self._ahead, one.frame, [one.field])
            self._ahead = ahead or Anchor(one.frame, Tracks.empty())
            return undetected(one.frame, self._ahead.tracks, FrameState.PREDICTED, one.lost)
        self._ahead = Anchor(one.frame, one.tracks)
        if one.detections is None:
            return undetected(one.frame, one.tracks, one.state, one.lost)
        return Presented(one.frame, one.tracks, FrameState.DETECTED, one.detections)


def _carried(anchor: Anchor, frame: Frame, fields: list[MotionField]) -> Anchor:
    velocities = anchor.tracks.velocities.astype(np.float64) * 0
    moved = follow(anchor.tracks.boxes.astype(np.float64), velocities, fields)
    return Anchor(frame, aged(anchor.tracks, moved.boxes, frame, anchor.frame.time_s))
