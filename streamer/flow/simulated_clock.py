"""Live policy on a virtual clock: who gets which frame when depends on the latency model alone, not on this machine.

A frame arrives at its media time. One frame is in the detector, at most one waits, the newest wins; a result lands when
its latency has passed. The frames and results reach the main thread in that order, as fast as the machine allows, so
that every run of the same input is the same byte for byte. Which thread calls what is that of
`streamer.flow.routes.Route`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from streamer.errors import ConfigError
from streamer.flow.queues import BoundedQueue
from streamer.flow.routes import CAPTURED_CAPACITY
from streamer.flow.stats import FrameLedger
from streamer.system import paths
from streamer.values.delivery import Arrived, Delivery, Detected
from streamer.values.frame import Frame
from streamer.values.states import DropCause, FrameState

# Media times are rounded: what is nearer than this is the same instant.
_SAME_S = 1e-6


class Latency:
    """How long each detection takes: the first one the first of these durations, and so on, over and over.

    Args:
        durations_s: seconds, at least one, none negative.

    Raises:
        ValueError: no duration, or one that is negative or not finite.
    """

    def __init__(self, durations_s: Sequence[float]) -> None:
        if not durations_s or not all(0 <= duration < math.inf for duration in durations_s):
            raise ValueError("a latency is one or more durations of 0 s or more")
        self._durations_s = tuple(durations_s)
        self._taken = 0

    @classmethod
    def parse(cls, text: str) -> Latency:
        """`0.5` (seconds), or a text file with one duration a line.

        Raises:
            ConfigError: neither; for a file with the number of the line.
        """
        try:
            return cls([float(text)])
        except ValueError:
            path = Path(text)
        if not paths.is_file(path):
            raise ConfigError(f"the latency {text!r} is neither 0 s or more, such as 0.5, nor a file of durations")
        try:
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError as error:
            raise ConfigError(f"cannot read the latencies {path}: {error.strerror}") from error
        durations_s = []
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                durations_s.append(float(line))
                cls(durations_s[-1:])
            except ValueError as error:
                raise ConfigError(f"{path}, line {number}: {line.strip()!r} is no duration of 0 s or more") from error
        if not durations_s:
            raise ConfigError(f"{path} has no durations")
        return cls(durations_s)

    def next_s(self) -> float:
        """The duration of the next detection, seconds."""
        duration_s = self._durations_s[self._taken % len(self._durations_s)]
        self._taken += 1
        return duration_s


class SimulatedRoute:
    """The way of `streamer.flow.routes.NewestRoute`, with the clock of the frames themselves.

    Args:
        ledger: told of every frame.
        wants: whether a detector should look at a frame that is not damaged; asked in their order.
        latency: how long a detection takes.
        every_frame: the main thread gets each frame as it comes, and once more when its result lands; otherwise only
            then.
    """

    def __init__(
        self, ledger: FrameLedger, wants: Callable[[Frame], bool], latency: Latency, *, every_frame: bool
    ) -> None:
        self._ledger = ledger
        self._wants = wants
        self._latency = latency
        self._every_frame = every_frame
        self._captured: BoundedQueue[Frame] = BoundedQueue(CAPTURED_CAPACITY)
        self._to_detect: BoundedQueue[Frame] = BoundedQueue(1)
        self._detected: BoundedQueue[Detected] = BoundedQueue(1)
        # Main thread only:
        self.now_s = 0.0
        """The virtual clock, seconds of media time."""
        self._busy_until_s: float | None = None
        self._waiting: Frame | None = None
        self._looking: Frame | None = None
        self._open: dict[int, tuple[FrameState, str]] = {}  # how frames were shown that a detector may still look at
        self._looked: dict[int, tuple[FrameState, str]] = {}  # how detected ones ended before

    @property
    def waiting(self) -> int:
        return len(self._captured)

    def put(self, frame: Frame) -> None:
        self._ledger.enter()
        self._captured.put(replace(frame, captured_s=frame.time_s))

    def end(self) -> None:
        self._captured.finish()

    def frames(self) -> Iterator[Frame]:
        return iter(self._to_detect)

    def done(self, result: Detected) -> None:
        self._detected.put(result)

    def __iter__(self) -> Iterator[Delivery]:
        for frame in self._captured:
            yield from self._land(frame.time_s)
            self.now_s = max(self.now_s, frame.time_s)
            if not frame.damage and self._wants(frame):
                self._displace(frame)
            elif not self._every_frame:
                state = FrameState.CORRUPT if frame.damage else FrameState.DROPPED
                self._ledger.settle(state, frame.damage or DropCause.NOT_SELECTED)
            if self._busy_until_s is None:
                self._begin(self.now_s)
            yield from self._land(self.now_s)  # what takes no time is there with its frame
            if self._every_frame:
                yield Arrived(frame)
        yield from self._land(math.inf)
        self._to_detect.finish()

    def _land(self, until_s: float) -> Iterator[Detected]:
        """The results that land until then; a frame that comes at the instant of a landing is newer than what waits."""
        while self._busy_until_s is not None and self._busy_until_s <= until_s + _SAME_S:
            self.now_s = landed_s = self._busy_until_s
            self._busy_until_s = None
            yield self._landed(landed_s)
            if landed_s < until_s - _SAME_S:
                self._begin(landed_s)

    def _begin(self, now_s: float) -> None:
        frame, self._waiting = self._waiting, None
        if frame is not None:
            self._looking = frame
            self._to_detect.put(frame)
            self._busy_until_s = now_s + self._latency.next_s()

    def _landed(self, landed_s: float) -> Detected:
        result = replace(self._detected.get(), done_s=landed_s)
        self._looking = None
        ended = FrameState.DETECTED if result.error is None else FrameState.LOST, result.error_cause
        index = result.frame.index
        if self._open.pop(index, None) is not None:
            self._ledger.settle(*ended)
        elif self._every_frame:
            self._looked[index] = ended
        return result

    def _displace(self, frame: Frame) -> None:
        displaced, self._waiting = self._waiting, frame
        if displaced is None:
            return
        if not self._every_frame:
            self._ledger.settle(FrameState.DROPPED, DropCause.DETECTOR_BUSY)
        elif displaced.index in self._open:
            self._ledger.settle(*self._open.pop(displaced.index))

    def shown(self, frame: Frame, state: FrameState, cause: str) -> None:
        if frame.damage:
            state, cause = FrameState.CORRUPT, frame.damage
        if frame is self._waiting or frame is self._looking:
            self._open[frame.index] = state, cause
        else:
            self._ledger.settle(*self._looked.pop(frame.index, (state, cause)))

    def close(self) -> None:
        for mailbox in (self._captured, self._to_detect, self._detected):
            mailbox.close()
