"""A scene as it is shown to viewers, with its time on the clock of RTP. Made by the display thread and by encoders."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from streamer.interfaces import Scene

CLOCK_HZ = 90_000
"""RTP clock of video (RFC 6184, 8.2.1)."""
_WRAP = 1 << 32


@dataclass(frozen=True, slots=True, eq=False)
class ShownFrame:
    """A scene that viewers see.

    Attributes:
        scene: it.
        ticks: when it was shown, on a clock of `CLOCK_HZ` that never wraps; larger than that of all frames before it.
        number: of the scene, counted from 0 over all runs of the camera. A frame that is sent again keeps its number.
    """

    scene: Scene
    ticks: int
    number: int

    @property
    def rtp(self) -> int:
        """The timestamp of its RTP packets: the last 32 bits of `ticks`."""
        return self.ticks % _WRAP


class ShownClock:
    """Gives shown frames their times; each is later than the one before. Any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = -1

    def next_ticks(self) -> int:
        """The time now, on a clock of `CLOCK_HZ`."""
        with self._lock:
            self._last = max(self._last + 1, int(time.monotonic() * CLOCK_HZ))
            return self._last
