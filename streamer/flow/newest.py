"""The route of a live source: capture never waits.

At most one frame waits for a detector, and a newer one replaces it. Frames wait for display until they are due
(`streamer.flow.playout`); of overdue frames only the newest are kept, unless an output keeps all. Methods are
thread-safe; the calling threads are those of `streamer.flow.routes.Route`.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import NamedTuple

from streamer.flow.frame_ledger import FrameLedger
from streamer.flow.outcomes import FrameOutcomes
from streamer.flow.playout import Playout
from streamer.flow.queues import ClosableQueue, Closed
from streamer.flow.routes import never
from streamer.flow.turns import AlwaysTurn, Turns
from streamer.values.delivery import Arrived, Delivery, Detected, DisplayDue
from streamer.values.frame import Frame, held_bytes
from streamer.values.states import DropCause, FrameState

_OVERDUE_CAPACITY = 2
MOST_BYTES = 512 << 20
"""Memory limit of the frames that wait for display."""
LATE_S = 0.25
"""Motion is not estimated for a frame that is overdue by more than this: the frames behind it are shown sooner."""


class _Due(NamedTuple):
    """A frame that waits for display until `due_s`."""

    due_s: float
    arrived: Arrived
    held_bytes: int


class NewestRoute(ClosableQueue):
    """Keeps the newest frame for the detector and counts every frame that is dropped.

    A frame ends as `detected` or `lost` if a detector had it, as `corrupt` if it is damaged, as `predicted` or
    `interpolated` if it was only shown, else as `dropped`: `detector busy` where only detected frames are shown,
    `output late` where the display thread was too slow.

    Args:
        ledger: records the state of every frame.
        selects: chooses the frames to detect; called in frame order, not for damaged frames.
        every_frame: the display thread gets each frame when it is due, and again with the result of a detector;
            otherwise only with the result.
        keep_all: the display thread gets every frame, if late, also those that wait when the run ends. Frames are
            dropped only beyond `MOST_BYTES`. Otherwise it gets the two newest frames that are due.
        playout: decides when frames are due; on arrival if None.
        next_due_s: when the display thread next shows a frame that it holds back, called by that thread; infinite for
            never.
        turns: when a frame may be taken, if other streams use the same detector; at any time if None.
        clock: monotonic seconds, the clock of `Frame.captured_s`.
    """

    def __init__(
        self,
        ledger: FrameLedger,
        selects: Callable[[Frame], bool],
        *,
        every_frame: bool,
        keep_all: bool = False,
        playout: Playout | None = None,
        next_due_s: Callable[[], float] = never,
        turns: Turns | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(_OVERDUE_CAPACITY)
        self._turns = turns or AlwaysTurn()
        self._ledger = ledger
        self._outcomes = FrameOutcomes(ledger)
        self._selects = selects
        self._every_frame = every_frame
        self._drop_cause = DropCause.OUTPUT_LATE if every_frame else DropCause.DETECTOR_BUSY
        self._keep_all = keep_all
        self._playout = playout
        self._next_due_s = next_due_s
        self._clock = clock
        self._began_s = clock()
        self._waiting: Frame | None = None
        self._detecting = 0  # frames that detectors have
        self._arrived: deque[_Due] = deque()
        self._arrived_bytes = 0
        self._results: deque[Detected] = deque()
        self._ended = False

    @property
    def waiting(self) -> int:
        """Frames that wait for a detector: 0 or 1."""
        with self._changed:
            return int(self._waiting is not None)

    def put(self, frame: Frame) -> None:
        with self._changed:
            self._ledger.enter()
            if self._closed:
                raise Closed
            selected = not frame.damage and self._selects(frame)
            self._outcomes.add(
                frame, may_be_shown=self._every_frame, may_be_detected=selected, drop_cause=self._drop_cause
            )
            if self._every_frame:
                self._arrive(frame)
            if selected:
                displaced, self._waiting = self._waiting, frame
                if displaced is not None:
                    self._outcomes.not_detected(displaced)
            self._changed.notify_all()

    def _arrive(self, frame: Frame) -> None:
        # Frames from before the start are a burst only because this machine was loading a model.
        is_early = frame.captured_s < self._began_s
        due_s = frame.captured_s if self._playout is None or is_early else self._playout.due_s(frame)
        if self._arrived:
            due_s = max(due_s, self._arrived[-1].due_s)  # keeps the order of the frames
        self._arrived.append(_Due(due_s, Arrived(frame, due_s), held_bytes(frame.picture)))
        self._arrived_bytes += self._arrived[-1].held_bytes
        while len(self._arrived) > 1 and self._must_drop():
            self._outcomes.not_shown(self._take_arrived().frame)

    def _must_drop(self) -> bool:
        """Whether the next frame for display is dropped."""
        if self._arrived_bytes > MOST_BYTES:
            return True
        now_s = self._clock()
        return not self._keep_all and sum(one.due_s <= now_s for one in self._arrived) > self._capacity

    def _take_arrived(self) -> Arrived:
        one = self._arrived.popleft()
        self._arrived_bytes -= one.held_bytes
        late = self._keep_all and bool(self._arrived) and self._clock() - one.due_s > LATE_S
        return replace(one.arrived, late=late)

    def end(self) -> None:
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def frames(self) -> Iterator[Frame]:
        while self._has_frame():
            with self._turns.turn():  # meanwhile a newer frame may have arrived
                frame = self._take_waiting()
                if frame is not None:
                    yield frame

    def _has_frame(self) -> bool:
        """Wait for a frame; False at the end of the stream."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._ended or self._waiting is not None)
            if self._closed:
                raise Closed
            return self._waiting is not None

    def _take_waiting(self) -> Frame | None:
        with self._changed:
            if self._closed:
                raise Closed
            frame, self._waiting = self._waiting, None
            self._detecting += frame is not None
            return frame

    def close(self) -> None:
        super().close()
        self._turns.cancel()

    def done(self, result: Detected) -> None:
        with self._changed:
            self._outcomes.detected(result)
            # With the display thread behind, the detector waits here and then takes a newer frame.
            self._changed.wait_for(lambda: self._closed or len(self._results) < self._capacity)
            if self._closed:
                raise Closed
            self._results.append(result)
            self._detecting -= 1
            self._changed.notify_all()

    def __iter__(self) -> Iterator[Delivery]:
        while True:
            due_s = self._next_due_s()
            with self._changed:
                while not self._can_deliver(due_s):
                    next_s = min(due_s, self._arrived[0].due_s) if self._arrived else due_s
                    self._changed.wait(None if next_s == math.inf else next_s - self._clock())
                if self._closed and not (self._keep_all and self._arrived):
                    raise Closed
                delivery = self._take_delivery(due_s)
                if delivery is None:
                    return
                self._changed.notify_all()
            yield delivery

    def _take_delivery(self, display_due_s: float) -> Delivery | None:
        if self._results:  # first: frames that arrived meanwhile get better boxes
            return self._results.popleft()
        if display_due_s <= self._clock() and not (self._arrived and self._arrived[0].due_s <= display_due_s):
            return DisplayDue(display_due_s)
        return self._take_arrived() if self._arrived else None

    def shown(self, frame: Frame, state: FrameState, cause: str) -> None:  # noqa: ARG002
        with self._changed:
            self._outcomes.shown(frame, state)

    def _can_deliver(self, display_due_s: float) -> bool:
        now_s = self._clock()
        if self._closed or self._results or display_due_s <= now_s:
            return True
        if self._arrived:
            return self._arrived[0].due_s <= now_s
        return self._ended and self._waiting is None and not self._detecting
