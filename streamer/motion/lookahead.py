"""The route of a file whose frames are detected where the detections around them leave something open.

Frames are divided into gaps between two detected frames. When the detections of both ends are known, the gap is either
settled, so that its frames are delivered without detections, or a frame inside it is detected and both parts are
treated in the same way. What is chosen depends on the frames and their detections alone, so it is the same in every
run, whatever the number and the speed of the detectors. The frames of two gaps wait at most; then capture is blocked.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterator
from itertools import pairwise
from typing import Protocol

from streamer.flow.frame_ledger import FrameLedger
from streamer.flow.queues import ClosableQueue, Closed
from streamer.flow.turns import AlwaysTurn, Turns
from streamer.values.delivery import Arrived, Detected
from streamer.values.frame import Frame
from streamer.values.states import FrameState

HELD_GAPS = 2  # detectors have work in one gap while the last frame of the other is awaited


class GapChoice(Protocol):
    """Chooses the frames to detect."""

    def ends_gap(self, frame: Frame) -> bool:
        """Capture thread, for each frame in order: whether it is the end of a gap."""
        ...

    def end(self, frame: Frame) -> None:
        """Capture thread: the stream ends with this frame, which is detected although it does not end a gap."""
        ...

    def between(self, before: Detected, after: Detected) -> int | None:
        """Any detector thread: the index of a frame to detect between the two ends of a gap; None settles the gap."""
        ...


class LookaheadRoute(ClosableQueue):
    """Delivers every frame in order; blocks capture while two gaps wait.

    Args:
        ledger: records the state of every frame.
        choice: chooses the frames to detect.
        turns: when a frame may be detected, if other streams use the same detector; at any time if None.
    """

    def __init__(self, ledger: FrameLedger, choice: GapChoice, turns: Turns | None = None) -> None:
        super().__init__(HELD_GAPS)
        self._ledger = ledger
        self._choice = choice
        self._turns = turns or AlwaysTurn()
        self._last: Frame | None = None  # capture thread only
        self._last_end = -1  # capture thread only
        # Guarded by `_changed`, as is everything below; keys are `Frame.index`.
        self._frames: dict[int, Frame] = {}  # in an open gap, and not chosen
        self._chosen: list[tuple[int, Frame]] = []  # a heap: the earliest frame is detected first
        self._gaps: list[tuple[int, int]] = []  # open ones
        self._ends: deque[int] = deque()  # captured and not delivered
        self._detected: dict[int, Detected] = {}  # until the gap behind them is settled
        self._ready: dict[int, Arrived | Detected] = {}
        self._next = 0
        self._count: int | None = None  # of all frames, once the stream has ended

    @property
    def waiting(self) -> int:
        with self._changed:
            return len(self._chosen)

    def put(self, frame: Frame) -> None:
        self._ledger.enter()
        ends_gap = self._choice.ends_gap(frame)
        with self._changed:
            self._changed.wait_for(lambda: self._closed or len(self._ends) < self._capacity)
            if self._closed:
                raise Closed
            self._frames[frame.index] = frame
            if ends_gap:
                self._end_gap(frame)
        self._last = frame

    def end(self) -> None:
        last = self._last
        unfinished = last is not None and last.index > self._last_end
        if last is not None and unfinished:
            self._choice.end(last)
        with self._changed:
            if last is not None and unfinished:
                self._end_gap(last)
            self._count = 0 if last is None else last.index + 1
            self._changed.notify_all()

    def _end_gap(self, frame: Frame) -> None:
        if self._last_end >= 0:
            self._gaps.append((self._last_end, frame.index))
        self._last_end = frame.index
        self._ends.append(frame.index)
        self._choose(frame.index)

    def _choose(self, index: int) -> None:
        heapq.heappush(self._chosen, (index, self._frames.pop(index)))
        self._changed.notify_all()

    def frames(self) -> Iterator[Frame]:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._chosen or self._settled())
                if self._closed:
                    raise Closed
                if not self._chosen:
                    return
                _, frame = heapq.heappop(self._chosen)
            with self._turns.turn():
                yield frame

    def _settled(self) -> bool:
        return self._count is not None and not self._gaps

    def done(self, result: Detected) -> None:
        with self._changed:
            if self._closed:
                raise Closed
            index = result.frame.index
            self._detected[index] = self._ready[index] = result
            ends = [
                (gap, self._detected[gap[0]], self._detected[gap[1]])
                for gap in self._gaps
                if index in gap and all(end in self._detected for end in gap)
            ]
            self._changed.notify_all()
        for gap, before, after in ends:
            self._decide(gap, self._choice.between(before, after))

    def _decide(self, gap: tuple[int, int], chosen: int | None) -> None:
        with self._changed:
            self._gaps.remove(gap)
            if chosen is not None:
                self._gaps.extend(pairwise((gap[0], chosen, gap[1])))
                self._choose(chosen)
            else:
                for index in range(gap[0] + 1, gap[1]):
                    self._ready[index] = Arrived(self._frames.pop(index))
            self._changed.notify_all()

    def __iter__(self) -> Iterator[Arrived | Detected]:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._next in self._ready or self._next == self._count)
                if self._closed:
                    raise Closed
                if self._next == self._count:
                    return
                delivery = self._ready.pop(self._next)
                self._deliver(self._next)
            yield delivery

    def _deliver(self, index: int) -> None:
        self._detected.pop(index - 1, None)
        if self._ends[0] == index:
            self._ends.popleft()
        self._next += 1
        self._changed.notify_all()

    def close(self) -> None:
        super().close()
        self._turns.cancel()

    def shown(self, frame: Frame, state: FrameState, cause: str) -> None:  # noqa: ARG002
        self._ledger.settle(state, cause)
