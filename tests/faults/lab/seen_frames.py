"""What was seen of the program under test: pictures, where and when they came out. Any thread puts, one reads."""

from __future__ import annotations

import contextlib
import queue
import time
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import av

from tests.faults import counter

SHOWN = "shown"
DETECTED = "detected"
PUBLISHED = "published"
RECORDED = "recorded"


@dataclass(frozen=True, slots=True, eq=False)
class Sight:
    """A picture at one place.

    Attributes:
        place: `shown` (handed to the outputs), `detected` (came out of the detector), `published` (arrived at the
            target) or `recorded`.
        at_s: monotonic clock when it was there.
        picture: as it came out; None where only its number is known.
        number: what is on it, where somebody read it already.
        time: media time in seconds, exact; None where it is not known.
        damage: what the program holds against it; empty if nothing.
        captured_s: monotonic clock at its arrival; 0 where it is not known.
        raw_pts: the sender's own time stamp, None where there is none.
    """

    place: str
    at_s: float
    picture: av.VideoFrame | None = None
    number: int | None = None
    time: Fraction | None = None
    damage: str = ""
    captured_s: float = 0.0
    raw_pts: int | None = None

    def read_number(self) -> int | None:
        """What is on it; None where that cannot be read."""
        return self.number if self.picture is None else counter.read_number(self.picture)

    def is_visibly_damaged(self) -> bool:
        """Whether a person would see that something is missing or smeared."""
        return self.picture is not None and counter.is_damaged(self.picture, self.read_number())


class Sights:
    """A queue of them."""

    def __init__(self) -> None:
        self._queue: queue.Queue[Sight] = queue.Queue()

    def put(self, sight: Sight) -> None:
        """Any thread."""
        self._queue.put(sight)

    def clear(self) -> None:
        """Forget those that came and were not taken."""
        with contextlib.suppress(queue.Empty):
            while True:
                self._queue.get_nowait()

    def until(self, deadline_s: float) -> Iterator[Sight]:
        """Those that come before a moment of the monotonic clock."""
        while (left_s := deadline_s - time.monotonic()) > 0:
            try:
                yield self._queue.get(timeout=left_s)
            except queue.Empty:
                return
