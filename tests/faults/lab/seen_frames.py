"""The frames that came out of the program under test, with place and time. Any thread puts, one reads."""

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
class SeenFrame:
    """A frame at one place.

    Attributes:
        place: `shown` (passed to the outputs), `detected` (came out of the detector), `published` (arrived at the
            target) or `recorded`.
        at_s: monotonic clock at that place.
        picture: the frame; None if only its number is known.
        number: its number, if it was read already.
        time: media time in seconds, exact; None if unknown.
        damage: the program's damage mark; empty if none.
        captured_s: monotonic clock at its arrival; 0 if unknown.
        raw_pts: the sender's own time stamp, None if there is none.
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
        """Its number; None if it cannot be read."""
        return self.number if self.picture is None else counter.read_number(self.picture)

    def is_visibly_damaged(self) -> bool:
        """Whether parts are visibly missing or smeared."""
        return self.picture is not None and counter.is_damaged(self.picture, self.read_number())


class SeenFrames:
    """A queue of them."""

    def __init__(self) -> None:
        self._queue: queue.Queue[SeenFrame] = queue.Queue()

    def put(self, frame: SeenFrame) -> None:
        """Any thread."""
        self._queue.put(frame)

    def clear(self) -> None:
        """Drop those that were not read."""
        with contextlib.suppress(queue.Empty):
            while True:
                self._queue.get_nowait()

    def until(self, deadline_s: float) -> Iterator[SeenFrame]:
        """Those that arrive before a time of the monotonic clock."""
        while (left_s := deadline_s - time.monotonic()) > 0:
            try:
                yield self._queue.get(timeout=left_s)
            except queue.Empty:
                return
