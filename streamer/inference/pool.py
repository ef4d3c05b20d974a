"""One detector, or a few of one kind, for many streams.

Each stream has a detector thread of its own, which waits here for its turn and then detects its newest frame. So a
detector is used by one thread at a time, an error reaches the stream whose frame caused it, and a stream that stalls or
ends holds up no other. The policy decides whose turn it is. Any thread may call the methods; the lock is never held
while a detector works.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from streamer.flow.queues import Closed
from streamer.inference.policy import Policy
from streamer.inference.shared_detector import SharedDetector
from streamer.inference.turn_record import TurnRecord
from streamer.interfaces import Detector

_WEIGHT = 0.1
"""Of the newest duration in the running mean."""


@dataclass(slots=True)
class _Member:
    """A stream in the pool. Guarded by the lock of the pool.

    Attributes:
        turn: notified when it gets a detector, or leaves.
        record: of its turns.
        began_s: when its last turn began.
        waits: its thread waits for a turn.
        detector: that it may use now.
    """

    turn: threading.Condition
    record: TurnRecord
    began_s: float = 0.0
    waits: bool = False
    detector: Detector | None = None


@dataclass(frozen=True, slots=True)
class StreamTurns:
    """How often a stream had its turn.

    Attributes:
        turns: number of turns.
        longest_wait_s: the longest time from the beginning of one turn to that of the next.
    """

    turns: int
    longest_wait_s: float


class DetectorPool:
    """Gives streams their turns at the detectors.

    Args:
        detectors: each is used by one stream at a time; all have the same classes. They are closed with the pool.
        policy: decides whose turn it is.
        detect_s: how long a detection takes, measured before the start; kept up to date here.
        clock: monotonic seconds, the clock of `Frame.captured_s`.

    Raises:
        ValueError: no detector.
    """

    def __init__(
        self,
        detectors: Sequence[Detector],
        policy: Policy,
        *,
        detect_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not detectors:
            raise ValueError("a pool needs a detector")
        self.labels = detectors[0].labels
        self.workers = len(detectors)
        self._detectors = tuple(detectors)
        self._free = list(detectors)
        self._policy = policy
        self._detect_s = detect_s
        self._clock = clock
        self._lock = threading.Lock()
        self._members: dict[SharedDetector, _Member] = {}
        self._joined = 0
        self._closed = False

    def join(self, name: str, *, priority: float = 1.0, max_age_s: float = 2.0) -> SharedDetector:
        """A new stream. It leaves when its detector is closed.

        Args:
            name: of the stream.
            priority: factor of its expected gain.
            max_age_s: the longest time between two of its turns.

        Raises:
            Closed: the pool is closed.
        """
        with self._lock:
            if self._closed:
                raise Closed
            self._joined += 1
            stream = SharedDetector(self._joined, name, self, self.labels, priority=priority, max_age_s=max_age_s)
            record = TurnRecord(stream.number, max_age_s, priority)
            self._members[stream] = _Member(threading.Condition(self._lock), record)
            return stream

    def acquire(self, stream: SharedDetector) -> Detector:
        """Wait until the stream has the turn.

        Raises:
            Closed: the stream has left, or the pool is closed.
        """
        with self._lock:
            member = self._members.get(stream)
            if member is None:
                raise Closed
            member.record.wait(self._clock())
            member.waits = True
            self._assign()
            member.turn.wait_for(lambda: member.detector is not None or stream not in self._members)
            member.waits = False
            if member.detector is None:
                raise Closed
            return member.detector

    def release(self, stream: SharedDetector, detector: Detector) -> None:
        """The turn is over, and the detector is free for the next one."""
        with self._lock:
            member = self._members.get(stream)
            if member is not None:
                member.detector = None
                self._detect_s += _WEIGHT * (self._clock() - member.began_s - self._detect_s)
            self._free.append(detector)
            self._assign()

    def leave(self, stream: SharedDetector) -> None:
        """The stream gets no more turns. It may have left before."""
        with self._lock:
            member = self._members.pop(stream, None)
            if member is not None:
                member.turn.notify_all()

    def turns_of(self, stream: SharedDetector) -> StreamTurns | None:
        """How often a stream had its turn; None if it has left."""
        with self._lock:
            member = self._members.get(stream)
            return None if member is None else StreamTurns(member.record.turns, member.record.longest_wait_s)

    @property
    def detect_s(self) -> float:
        """How long a detection takes: a running mean, seconds."""
        with self._lock:
            return self._detect_s

    def close(self) -> None:
        """End all waits and release the detectors. It may be called twice."""
        with self._lock:
            self._closed = True
            members, self._members = self._members, {}
            for member in members.values():
                member.turn.notify_all()
        for detector in self._detectors:
            detector.close()

    def _assign(self) -> None:
        """Give free detectors to streams that wait. Called with the lock."""
        while self._free:
            now_s = self._clock()
            waiting = {
                member.record.stream: (stream, member)
                for stream, member in self._members.items()
                if member.waits and member.detector is None
            }
            if not waiting:
                return
            candidates = [
                member.record.candidate(now_s, stream.gain.at(now_s), self._detect_s)
                for stream, member in waiting.values()
            ]
            _, member = waiting[self._policy.choose(candidates, self.workers).stream]
            member.record.begin(now_s)
            member.detector, member.began_s = self._free.pop(), now_s
            member.turn.notify_all()
