"""How frames get from the capture thread to the detectors and to the main thread.

`Lossless` is the way for files: every hand-off blocks the faster side, results come in the order of the frames.
`Newest` is the way for live sources: capture never waits, at most one frame waits for a detector and the newest one
wins. Both know when a frame's fate is decided and say so to the ledger. Any thread may call any method; who calls which
is written at each.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from streamer.errors import DetectorError
from streamer.frame import Frame
from streamer.mailbox import Closed, HandOff, Mailbox, Sequencer
from streamer.stats import Ledger
from tracking.types import Detections

CAPTURED_CAPACITY = 4
FINISHED_CAPACITY = 4
_SHOWN_CAPACITY = 2
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
    """

    frame: Frame
    detections: Detections | None = None
    error: DetectorError | None = None
    detect_s: float = 0.0
    done_s: float = 0.0

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


class Lossless:
    """Every frame is detected and shown, in order; the slower side is waited for.

    Args:
        ledger: told of every frame.
        wants: whether a detector should look at a frame, by its index.
    """

    def __init__(self, ledger: Ledger, wants: Callable[[int], bool]) -> None:
        self._ledger = ledger
        self._wants = wants
        self._captured: Mailbox[Frame] = Mailbox(CAPTURED_CAPACITY)
        self._finished: Sequencer[Finished] = Sequencer(FINISHED_CAPACITY)
        self._count = 0  # capture thread only

    @property
    def waiting(self) -> int:
        return len(self._captured)

    def put(self, frame: Frame) -> None:
        self._ledger.enter()
        self._captured.put(frame)
        self._count += 1

    def end(self) -> None:
        self._captured.finish()
        self._finished.finish(self._count)

    def frames(self) -> Iterator[Frame]:
        for frame in self._captured:
            if self._wants(frame.index):
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


@dataclass(slots=True)
class _Fate:
    """What is known of a frame's end; None = not yet."""

    shown: bool | None
    looked: bool | None
    shown_as: str = "predicted"


class Newest(HandOff):
    """One frame waits for a detector, the newest; whoever is late loses frames, and every loss is counted.

    A frame that a detector saw ends as `detected` or `lost`, a damaged one as `corrupt`, one that was only shown as
    `predicted` or `interpolated`, and one that was neither as `dropped`: `detector busy` where only detected frames are
    shown, `output late` where the main thread did not keep up.

    Args:
        ledger: told of every frame.
        wants: whether a detector should look at a frame, by its index.
        every_frame: the main thread gets each frame as it comes, and once more when a detector is done with it;
            otherwise only then.
    """

    def __init__(self, ledger: Ledger, wants: Callable[[int], bool], *, every_frame: bool) -> None:
        super().__init__(_SHOWN_CAPACITY)
        self._ledger = ledger
        self._wants = wants
        self._every_frame = every_frame
        self._waiting: Frame | None = None
        self._looking = 0  # frames that are with a detector
        self._arrived: deque[Finished] = deque()
        self._results: deque[Finished] = deque()
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
            candidate = not frame.damage and self._wants(frame.index)
            self._fates[frame.index] = _Fate(None if self._every_frame else False, None if candidate else False)
            if frame.damage:
                self._damages[frame.index] = frame.damage
            if self._every_frame:
                if len(self._arrived) >= self._capacity:
                    self._decide(self._arrived.popleft().frame, shown=False)
                self._arrived.append(Finished(frame))
            if candidate:
                displaced, self._waiting = self._waiting, frame
                if displaced is not None:
                    self._decide(displaced, looked=False)
            self._decide(frame)
            self._changed.notify_all()

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

    def done(self, finished: Finished) -> None:
        with self._changed:
            cause = finished.error.cause if finished.error is not None else ""
            if self._fates.pop(finished.frame.index, None) is not None:
                self._ledger.settle("lost" if cause else "detected", cause)
            # The main thread is behind: the detector waits for it, and takes a newer frame then.
            self._changed.wait_for(lambda: self._closed or len(self._results) < self._capacity)
            if self._closed:
                raise Closed
            self._results.append(finished)
            self._looking -= 1
            self._changed.notify_all()

    def __iter__(self) -> Iterator[Finished]:
        while True:
            with self._changed:
                self._changed.wait_for(self._has_news)
                if self._closed:
                    raise Closed
                # Results first: boxes for the frame that came meanwhile are better with them.
                if not (self._results or self._arrived):
                    return
                finished = self._results.popleft() if self._results else self._arrived.popleft()
                self._changed.notify_all()
            yield finished

    def shown(self, frame: Frame, state: str, cause: str) -> None:  # noqa: ARG002
        with self._changed:
            fate = self._fates.get(frame.index)
            if fate is not None and state == "interpolated":
                fate.shown_as = state
            self._decide(frame, shown=True)

    def _has_news(self) -> bool:
        over = self._ended and self._waiting is None and not self._looking
        return self._closed or over or bool(self._results) or bool(self._arrived)

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
            self._ledger.settle("corrupt", damage)
        elif fate.shown:
            self._ledger.settle(fate.shown_as)
        else:
            self._ledger.settle("dropped", LATE if self._every_frame else BUSY)
