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
from streamer.inference.shared_detector import SharedDetector, StreamTurns
from streamer.inference.turn_record import TurnRecord
from streamer.interfaces import Detector

DEFAULT_MAX_AGE_S = 2.0
_WEIGHT = 0.1
"""Of the newest duration in the running mean."""


def default_max_age_s(streams: int, detect_s: float, workers: int) -> float:
    """The bound of a stream without one: `DEFAULT_MAX_AGE_S`, or the time of two rounds if that is longer, seconds.

    Args:
        streams: in the pool.
        detect_s: how long a detection takes.
        workers: how many detections run at the same time.
    """
    return max(DEFAULT_MAX_AGE_S, 2 * streams * detect_s / workers)


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


class DetectorPool:
    """Gives streams their turns at the detectors.

    Args:
        detectors: each is used by one stream at a time; all have the same classes. They are closed with the pool.
        policy: decides whose turn it is.
        detect_s: how long a detection takes, measured before the start, seconds; a running mean from then on.
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
        self._detectors = tuple(detectors)
        self._free = list(detectors)
        self._policy = policy
        self._detect_s = detect_s
        self._clock = clock
        self._lock = threading.Lock()
        self._members: dict[SharedDetector, _Member] = {}
        self._joined = 0
        self._closed = False

    def join(self, name: str, *, priority: float = 1.0, max_age_s: float | None = None) -> SharedDetector:
        """A new stream. It leaves when its detector is closed.

        Args:
            name: of the stream.
            priority: factor of its expected gain.
            max_age_s: the longest time between two of its turns. None: `DEFAULT_MAX_AGE_S`, or two rounds of
                all streams if that is longer.

        Raises:
            Closed: the pool is closed.
        """
        with self._lock:
            if self._closed:
                raise Closed
            self._joined += 1
            stream = SharedDetector(self._joined, name, self, self.labels, priority=priority, max_age_s=max_age_s)
            record = TurnRecord(stream.number, priority)
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
            is_replaced = detector not in self._detectors
            if not is_replaced:
                self._free.append(detector)
            self._assign()
        if is_replaced:
            detector.close()

    def replace(self, detectors: Sequence[Detector]) -> None:
        """Use other detectors with the same classes from now on. Those before are closed when they are free.

        Raises:
            ValueError: no detector, or other classes.
        """
        if not detectors or detectors[0].labels != self.labels:
            raise ValueError("the new detectors must have the same classes")
        with self._lock:
            unused, self._free, self._detectors = self._free, list(detectors), tuple(detectors)
            self._assign()
        for detector in unused:
            detector.close()

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
    def workers(self) -> int:
        """How many detections run at the same time."""
        with self._lock:
            return len(self._detectors)

    @property
    def waiting(self) -> int:
        """Streams that wait for their turn."""
        with self._lock:
            return sum(member.waits and member.detector is None for member in self._members.values())

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
            now_s, workers = self._clock(), len(self._detectors)
            waiting = {
                member.record.stream: (stream, member)
                for stream, member in self._members.items()
                if member.waits and member.detector is None
            }
            if not waiting:
                return
            usual_s = default_max_age_s(len(self._members), self._detect_s, workers)
            candidates = [
                member.record.candidate(now_s, stream.gain.at(now_s), self._detect_s, stream.max_age_s or usual_s)
                for stream, member in waiting.values()
            ]
            _, member = waiting[self._policy.choose(candidates, workers).stream]
            member.record.begin(now_s)
            member.detector, member.began_s = self._free.pop(), now_s
            member.turn.notify_all()
