"""Live behaviour in media time, independent of the speed of this machine.

A frame arrives at its media time. One frame is with the detector, at most one waits, and the newest wins; a result is
delivered when its simulated latency has passed. Deliveries come in that order, as fast as the machine allows, so every
run of the same input gives the same bytes. The calling threads are those of `streamer.flow.routes.Route`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from streamer.errors import ConfigError
from streamer.flow.frame_ledger import FrameLedger
from streamer.flow.outcomes import FrameOutcomes
from streamer.flow.queues import BoundedQueue
from streamer.flow.routes import CAPTURED_CAPACITY, never
from streamer.system import paths
from streamer.values.delivery import Arrived, Delivery, Detected, DisplayDue
from streamer.values.frame import Frame
from streamer.values.states import DropCause, FrameState

# Media times are rounded: times that are closer than this are the same.
_SAME_S = 1e-6


class Latency:
    """How long each detection takes: these durations in turn, over and over.

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
            ConfigError: it is neither; for a file, the message has the line number.
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
    """`streamer.flow.newest.NewestRoute` on a simulated clock.

    Args:
        ledger: records the state of every frame.
        selects: chooses the frames to detect; called in frame order, not for damaged frames.
        latency: how long a detection takes.
        every_frame: the display thread gets each frame when it arrives, and again with its result; otherwise only with
            the result.
        next_due_s: when the display thread next shows a frame that it holds back; infinite for never.
    """

    def __init__(
        self,
        ledger: FrameLedger,
        selects: Callable[[Frame], bool],
        latency: Latency,
        *,
        every_frame: bool,
        next_due_s: Callable[[], float] = never,
    ) -> None:
        self._ledger = ledger
        self._outcomes = FrameOutcomes(ledger)
        self._selects = selects
        self._latency = latency
        self._every_frame = every_frame
        self._next_due_s = next_due_s
        self._captured: BoundedQueue[Frame] = BoundedQueue(CAPTURED_CAPACITY)
        self._to_detect: BoundedQueue[Frame] = BoundedQueue(1)
        self._detected: BoundedQueue[Detected] = BoundedQueue(1)
        # Display thread only:
        self.now_s = 0.0
        """The simulated clock, seconds of media time."""
        self._busy_until_s: float | None = None
        self._waiting: Frame | None = None

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
            yield from self._deliveries(frame.time_s)
            self.now_s = max(self.now_s, frame.time_s)
            self._arrive(frame)
            if self._busy_until_s is None:
                self._start_detection(self.now_s)
            yield from self._deliveries(self.now_s)  # without latency, the result precedes its own frame
            if self._every_frame:
                yield Arrived(frame)
        yield from self._deliveries(math.inf)
        self._to_detect.finish()

    def _arrive(self, frame: Frame) -> None:
        selected = not frame.damage and self._selects(frame)
        drop_cause = DropCause.DETECTOR_BUSY if selected else DropCause.NOT_SELECTED
        self._outcomes.add(frame, may_be_shown=self._every_frame, may_be_detected=selected, drop_cause=drop_cause)
        if selected:
            displaced, self._waiting = self._waiting, frame
            if displaced is not None:
                self._outcomes.not_detected(displaced)

    def _deliveries(self, until_s: float) -> Iterator[Delivery]:
        """The results up to a time, and before them the frames that become due for display."""
        while True:
            result_s = math.inf if self._busy_until_s is None else self._busy_until_s
            due_s, next_s = self._next_due_s(), min(result_s, until_s)
            if due_s < next_s - _SAME_S and next_s < math.inf:
                self.now_s = max(self.now_s, due_s)
                yield DisplayDue(due_s)
            elif result_s <= until_s + _SAME_S and result_s < math.inf:
                yield self._take_result(result_s)
                if result_s < until_s - _SAME_S:  # a frame that arrives at this time replaces the one that waits
                    self._start_detection(result_s)
            else:
                return

    def _take_result(self, done_s: float) -> Detected:
        self.now_s, self._busy_until_s = done_s, None
        result = replace(self._detected.get(), done_s=done_s)
        self._outcomes.detected(result)
        return result

    def _start_detection(self, now_s: float) -> None:
        frame, self._waiting = self._waiting, None
        if frame is not None:
            self._to_detect.put(frame)
            self._busy_until_s = now_s + self._latency.next_s()

    def shown(self, frame: Frame, state: FrameState, cause: str) -> None:  # noqa: ARG002
        self._outcomes.shown(frame, state)

    def close(self) -> None:
        for queue in (self._captured, self._to_detect, self._detected):
            queue.close()
