"""One stream's share of a detector: a detector whose thread waits for its turn.

Built by the thread that opens the stream, then used by the detector thread of that stream.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from streamer.interfaces import Detector
from streamer.motion.expected_gain import ExpectedGain
from streamer.values.frame import Frame
from streamer.values.labels import LabelTable
from tracking.types import Detections


@dataclass(frozen=True, slots=True)
class StreamTurns:
    """How often a stream had its turn.

    Attributes:
        turns: number of turns.
        longest_wait_s: the longest time from the beginning of one turn to that of the next.
    """

    turns: int
    longest_wait_s: float


class Pool(Protocol):
    """What a shared detector requires of its pool."""

    def acquire(self, stream: SharedDetector) -> Detector:
        """Wait until the stream has the turn; returns the detector to use. Raises Closed if it left the pool."""
        ...

    def release(self, stream: SharedDetector, detector: Detector) -> None:
        """The turn is over."""
        ...

    def turns_of(self, stream: SharedDetector) -> StreamTurns | None:
        """How often the stream had its turn; None if it has left."""
        ...

    def leave(self, stream: SharedDetector) -> None:
        """The stream gets no more turns, and a thread that waits for one is woken."""
        ...


class SharedDetector:
    """A `Detector` and `Turns` of one stream.

    Args:
        number: of the stream, unique in the pool.
        name: of the stream.
        pool: decides whose turn it is.
        labels: the classes of the detector.
        priority: factor of the expected gain.
        max_age_s: the longest time between two turns of this stream; None for the default of the pool.
    """

    def __init__(
        self, number: int, name: str, pool: Pool, labels: LabelTable, *, priority: float, max_age_s: float | None
    ) -> None:
        self.number = number
        self.name = name
        self.priority = priority
        self.max_age_s = max_age_s
        self.gain = ExpectedGain()
        self.recorded = False
        self._pool = pool
        self._labels = labels
        self._mine: Detector | None = None  # during a turn; detector thread only

    @property
    def labels(self) -> LabelTable:
        """The classes of the detector."""
        return self._labels

    @property
    def turns(self) -> StreamTurns | None:
        """How often the stream had its turn; None if it has left. Any thread."""
        return self._pool.turns_of(self)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """See `streamer.flow.turns.Turns`."""
        self._mine = self._pool.acquire(self)
        try:
            yield
        finally:
            self._end_turn()

    def detect(self, frame: Frame) -> Detections:
        """See `streamer.interfaces.Detector`. The turn ends here: the result may have to wait for the display thread.

        Raises:
            RuntimeError: the stream does not have the turn.
        """
        if self._mine is None:
            raise RuntimeError("a shared detector detects once in a turn")
        try:
            return self._mine.detect(frame)
        finally:
            self._end_turn()

    def _end_turn(self) -> None:
        mine, self._mine = self._mine, None
        if mine is not None:
            self._pool.release(self, mine)

    def cancel(self) -> None:
        """Leave the pool. A detection in progress ends by itself."""
        self._pool.leave(self)

    def close(self) -> None:
        """Leave the pool, which keeps the detector."""
        self._pool.leave(self)
