"""How frames get from the capture thread to the detectors and to the main thread.

`LosslessRoute` is the way for files: every hand-off blocks the faster side, results come in the order of the frames.
`streamer.flow.newest.NewestRoute` is the way for live sources: nothing waits but what is to be shown. Both know when a
frame's fate is decided and say so to the ledger. Any thread may call any method; who calls which is written at each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from streamer.errors import DetectorError
from streamer.flow.queues import BoundedQueue, ReorderBuffer
from streamer.flow.stats import Ledger
from streamer.values.frame import Frame
from tracking.types import Detections

CAPTURED_CAPACITY = 4
FINISHED_CAPACITY = 4
BUSY = "detector busy"
LATE = "output late"


@dataclass(frozen=True, slots=True, eq=False)
class Finished:
    """A frame on its way to the main thread.

    Attributes:
        frame: the frame.
        detections: the detector's, None where it did not look (yet) or failed.
        error: how it failed.
        detect_s: how long it looked, seconds.
        done_s: when it was done, on the clock of `Frame.captured_s`.
        due_s: of a frame that a detector did not look at yet, when it was to be shown, on that clock; 0 as it came.
        late: it should have been shown, and others wait behind it: nothing may cost much now.
    """

    frame: Frame
    detections: Detections | None = None
    error: DetectorError | None = None
    detect_s: float = 0.0
    done_s: float = 0.0
    due_s: float = 0.0
    late: bool = False

    @property
    def looked(self) -> bool:
        """Whether a detector had the frame."""
        return self.detections is not None or self.error is not None


class Route(Protocol):
    """What the pipeline asks of both ways."""

    @property
    def waiting(self) -> int:
        """Frames that wait for a detector at this moment."""
        ...

    def put(self, frame: Frame) -> None:
        """Capture thread: the next frame. Raises Closed when nobody wants it any more."""
        ...

    def end(self) -> None:
        """Capture thread: that was the last frame."""
        ...

    def frames(self) -> Iterator[Frame]:
        """Detector thread: frames to look at. Raises Closed after `close`."""
        ...

    def done(self, finished: Finished) -> None:
        """Detector thread: what became of the frame. Raises Closed after `close`."""
        ...

    def __iter__(self) -> Iterator[Finished]:
        """Main thread: what there is to show. Raises Closed after `close`."""
        ...

    def shown(self, frame: Frame, state: str, cause: str) -> None:
        """Main thread: the frame went to the outputs in this state."""
        ...

    def close(self) -> None:
        """Wake everybody with Closed."""
        ...


class LosslessRoute:
    """Every frame is detected and shown, in order; the slower side is waited for.

    Args:
        ledger: told of every frame.
        wants: whether a detector should look at a frame; asked in their order.
    """

    def __init__(self, ledger: Ledger, wants: Callable[[Frame], bool]) -> None:
        self._ledger = ledger
        self._wants = wants
        self._captured: BoundedQueue[tuple[Frame, bool]] = BoundedQueue(CAPTURED_CAPACITY)
        self._finished: ReorderBuffer[Finished] = ReorderBuffer(FINISHED_CAPACITY)
        self._count = 0  # capture thread only

    @property
    def waiting(self) -> int:
        return len(self._captured)

    def put(self, frame: Frame) -> None:
        self._ledger.enter()
        self._captured.put((frame, self._wants(frame)))
        self._count += 1

    def end(self) -> None:
        self._captured.finish()
        self._finished.finish(self._count)

    def frames(self) -> Iterator[Frame]:
        for frame, wanted in self._captured:
            if wanted:
                yield frame
            else:
                self.done(Finished(frame))

    def done(self, finished: Finished) -> None:
        self._finished.put(finished.frame.index, finished)

    def __iter__(self) -> Iterator[Finished]:
        return iter(self._finished)

    def shown(self, frame: Frame, state: str, cause: str) -> None:  # noqa: ARG002
        self._ledger.settle(state, cause)

    def close(self) -> None:
        self._captured.close()
        self._finished.close()
