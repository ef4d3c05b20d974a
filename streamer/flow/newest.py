"""The way of the frames of a live source: capture never waits, at most one frame waits for a detector and the newest
wins; what is shown waits for its time (`streamer.flow.playout`), for as many of those that are late as the outputs
want.

Any thread may call any method; who calls which is written at `streamer.flow.routes.Route`.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from streamer.flow.playout import Playout
from streamer.flow.queues import ClosableQueue, Closed
from streamer.flow.stats import FrameLedger
from streamer.values.delivery import Arrived, Delivery, Detected
from streamer.values.frame import Frame, held_bytes
from streamer.values.states import DropCause, FrameState

_SHOWN_CAPACITY = 2
MOST_BYTES = 512 << 20
"""What the pictures that wait to be shown may hold."""
LATE_S = 0.25
"""A frame that is so late is not looked at for motion: what waits behind it is shown sooner."""


@dataclass(slots=True)
class _Fate:
    """What is known of a frame's end; None = not yet."""

    shown: bool | None
    looked: bool | None
    shown_as: FrameState = FrameState.PREDICTED


class _Due(NamedTuple):
    """A frame that waits to be shown, from this time on."""

    due_s: float
    arrived: Arrived
    held_bytes: int


class NewestRoute(ClosableQueue):
    """One frame waits for a detector, the newest; whoever is late loses frames, and every loss is counted.

    A frame that a detector saw ends as `detected` or `lost`, a damaged one as `corrupt`, one that was only shown as
    `predicted` or `interpolated`, and one that was neither as `dropped`: `detector busy` where only detected frames are
    shown, `output late` where the main thread did not keep up.

    Args:
        ledger: told of every frame.
        wants: whether a detector should look at a frame that is not damaged; asked in their order.
        every_frame: the main thread gets each frame when it is to be shown, and once more when a detector is done with
            it; otherwise only then.
        keep_all: the main thread gets every frame, if a little late, and what waits when it all ends; none is left out
            until those that wait hold `MOST_BYTES`. Otherwise it gets the two newest that are due.
        playout: when frames are shown; as they come if None.
        clock: monotonic seconds, that of `Frame.captured_s`.
    """

    def __init__(
        self,
        ledger: FrameLedger,
        wants: Callable[[Frame], bool],
        *,
        every_frame: bool,
        keep_all: bool = False,
        playout: Playout | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(_SHOWN_CAPACITY)
        self._ledger = ledger
        self._wants = wants
        self._every_frame = every_frame
        self._keep_all = keep_all
        self._playout = playout
        self._clock = clock
        self._began_s = clock()
        self._waiting: Frame | None = None
        self._looking = 0  # frames that are with a detector
        self._arrived: deque[_Due] = deque()
        self._arrived_bytes = 0
        self._results: deque[Detected] = deque()
        self._fates: dict[int, _Fate] = {}  # of frames whose end is open: those here, with a detector, or being shown
        self._damages: dict[int, str] = {}
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
            candidate = not frame.damage and self._wants(frame)
            self._fates[frame.index] = _Fate(None if self._every_frame else False, None if candidate else False)
            if frame.damage:
                self._damages[frame.index] = frame.damage
            if self._every_frame:
                self._arrive(frame)
            if candidate:
                displaced, self._waiting = self._waiting, frame
                if displaced is not None:
                    self._decide(displaced, looked=False)
            self._decide(frame)
            self._changed.notify_all()

    def _arrive(self, frame: Frame) -> None:
        # What came while a model was loaded came together because this machine was busy.
        is_early = frame.captured_s < self._began_s
        due_s = frame.captured_s if self._playout is None or is_early else self._playout.due_s(frame)
        if self._arrived:
            due_s = max(due_s, self._arrived[-1].due_s)  # never before the one that came before
        self._arrived.append(_Due(due_s, Arrived(frame, due_s), held_bytes(frame.picture)))
        self._arrived_bytes += self._arrived[-1].held_bytes
        while len(self._arrived) > 1 and self._is_too_late():
            self._decide(self._take_arrived().frame, shown=False)

    def _is_too_late(self) -> bool:
        """Whether the next frame to be shown has to go."""
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
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._ended or self._waiting is not None)
                if self._closed:
                    raise Closed
                if self._waiting is None:
                    return
                frame, self._waiting = self._waiting, None
                self._looking += 1
            yield frame

    def done(self, result: Detected) -> None:
        with self._changed:
            if self._fates.pop(result.frame.index, None) is not None:
                state = FrameState.DETECTED if result.error is None else FrameState.LOST
                self._ledger.settle(state, result.error_cause)
            # The main thread is behind: the detector waits for it, and takes a newer frame then.
            self._changed.wait_for(lambda: self._closed or len(self._results) < self._capacity)
            if self._closed:
                raise Closed
            self._results.append(result)
            self._looking -= 1
            self._changed.notify_all()

    def __iter__(self) -> Iterator[Delivery]:
        while True:
            with self._changed:
                while not self._has_news():
                    self._changed.wait(self._arrived[0].due_s - self._clock() if self._arrived else None)
                if self._closed and not (self._keep_all and self._arrived):
                    raise Closed
                # Results first: boxes for the frame that came meanwhile are better with them.
                if not (self._results or self._arrived):
                    return
                delivery = self._results.popleft() if self._results else self._take_arrived()
                self._changed.notify_all()
            yield delivery

    def shown(self, frame: Frame, state: FrameState, cause: str) -> None:  # noqa: ARG002
        with self._changed:
            fate = self._fates.get(frame.index)
            if fate is not None and state == FrameState.INTERPOLATED:
                fate.shown_as = state
            self._decide(frame, shown=True)

    def _has_news(self) -> bool:
        if self._closed or self._results:
            return True
        if self._arrived:
            return self._arrived[0].due_s <= self._clock()
        return self._ended and self._waiting is None and not self._looking

    def _decide(self, frame: Frame, *, shown: bool | None = None, looked: bool | None = None) -> None:
        """Note what became known of a frame, and settle it once nothing is open."""
        fate = self._fates.get(frame.index)
        if fate is None:
            return
        fate.shown = fate.shown if shown is None else shown
        fate.looked = fate.looked if looked is None else looked
        if fate.shown is None or fate.looked is None:
            return
        del self._fates[frame.index]
        damage = self._damages.pop(frame.index, "")
        if damage:
            self._ledger.settle(FrameState.CORRUPT, damage)
        elif fate.shown:
            self._ledger.settle(fate.shown_as)
        else:
            cause = DropCause.OUTPUT_LATE if self._every_frame else DropCause.DETECTOR_BUSY
            self._ledger.settle(FrameState.DROPPED, cause)
