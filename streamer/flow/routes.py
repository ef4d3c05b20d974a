"""How frames get from the capture thread to the detectors and to the display thread.

`LosslessRoute` is for files: every hand-off blocks the faster side, and results come in frame order.
`streamer.flow.newest.NewestRoute` is for live sources: it drops frames instead of blocking capture.
`streamer.flow.simulated_clock.SimulatedRoute` does the same in media time. Each route settles every frame in the frame
ledger. Methods are thread-safe; each names the thread that calls it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Protocol

from streamer.flow.frame_ledger import FrameLedger
from streamer.flow.queues import BoundedQueue, ReorderBuffer
from streamer.flow.turns import AlwaysTurn, Turns
from streamer.values.delivery import Arrived, Delivery, Detected
from streamer.values.frame import Frame
from streamer.values.states import FrameState

CAPTURED_CAPACITY = 4
DELIVERY_CAPACITY = 4


def never() -> float:
    """When the display thread next shows a frame that it holds back, if it holds none back."""
    return math.inf


class Route(Protocol):
    """What the pipeline requires of a route."""

    @property
    def waiting(self) -> int:
        """Frames that wait for a detector at this moment."""
        ...

    def put(self, frame: Frame) -> None:
        """Capture thread: add the next frame. Raises Closed after `close`."""
        ...

    def end(self) -> None:
        """Capture thread: the source has no more frames."""
        ...

    def frames(self) -> Iterator[Frame]:
        """Detector thread: frames to detect. Raises Closed after `close`."""
        ...

    def done(self, result: Detected) -> None:
        """Detector thread: the result for a frame of `frames`. Raises Closed after `close`."""
        ...

    def __iter__(self) -> Iterator[Delivery]:
        """Display thread: frames and results as they become due. Raises Closed after `close`."""
        ...

    def shown(self, frame: Frame, state: FrameState, cause: str) -> None:
        """Display thread: the frame was shown in this state."""
        ...

    def close(self) -> None:
        """Wake all waiting threads with Closed."""
        ...


class LosslessRoute:
    """Delivers every frame in order and blocks the faster side.

    Args:
        ledger: records the state of every frame.
        selects: chooses the frames to detect; called in frame order.
        turns: when a frame may be detected, if other streams use the same detector; at any time if None.
    """

    def __init__(self, ledger: FrameLedger, selects: Callable[[Frame], bool], turns: Turns | None = None) -> None:
        self._ledger = ledger
        self._selects = selects
        self._turns = turns or AlwaysTurn()
        self._captured: BoundedQueue[tuple[Frame, bool]] = BoundedQueue(CAPTURED_CAPACITY)
        self._deliveries: ReorderBuffer[Arrived | Detected] = ReorderBuffer(DELIVERY_CAPACITY)
        self._count = 0  # capture thread only

    @property
    def waiting(self) -> int:
        return len(self._captured)

    def put(self, frame: Frame) -> None:
        self._ledger.enter()
        self._captured.put((frame, self._selects(frame)))
        self._count += 1

    def end(self) -> None:
        self._captured.finish()
        self._deliveries.finish(self._count)

    def frames(self) -> Iterator[Frame]:
        for frame, selected in self._captured:
            if selected:
                with self._turns.turn():
                    yield frame
            else:
                self._deliveries.put(frame.index, Arrived(frame))

    def done(self, result: Detected) -> None:
        self._deliveries.put(result.frame.index, result)

    def __iter__(self) -> Iterator[Arrived | Detected]:
        return iter(self._deliveries)

    def shown(self, frame: Frame, state: FrameState, cause: str) -> None:  # noqa: ARG002
        self._ledger.settle(state, cause)

    def close(self) -> None:
        self._captured.close()
        self._deliveries.close()
        self._turns.cancel()
