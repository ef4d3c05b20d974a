"""Whether frames are sent to a server: not while it fails, until it answers a probe. Any thread.

The pattern is the circuit breaker of M. Nygard, Release It! (2007). It keeps a server that is overloaded or hangs from
getting more frames, and streams that share it from waiting for a deadline each.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock

from streamer.errors import DetectorUnreachable

FAILURES = 3
"""So many calls in a row that fail open the circuit. One that is late may be a pause of the server."""
PROBE_EVERY_S = 0.5
"""Time between two probes. Together with `PROBE_CONNECT_S` it keeps the time from the server's return to the next
detection below 1 s."""
PROBE_CONNECT_S = 0.4
"""Longest wait for the connection of a probe. Linux repeats its first packet after 1 s, so a longer wait gains nothing.
The answer has the deadline of a frame: a server that is slow to answer, but in time for frames, is not away."""


class CircuitBreaker:
    """Decides for all detectors of one server whether a frame is sent.

    Closed, it admits every call. After `FAILURES` failures in a row it opens and refuses calls at once. Every
    `PROBE_EVERY_S` it admits one call that has to probe the server first. A success closes it.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = Lock()  # guards all below
        self._failures = 0  # in a row
        self._began_s = 0.0
        self._last: DetectorUnreachable | None = None
        self._probe_at_s = 0.0
        self._is_probed = False

    def admit(self) -> bool:
        """Whether the caller has to probe the server before it sends its frame.

        `succeeded` or `failed` must follow.

        Raises:
            DetectorUnreachable: the circuit is open, and it is not this caller's turn to probe; with the last reason.
        """
        with self._lock:
            if self._last is None or self._failures < FAILURES:
                return False
            if self._is_probed or self._clock() < self._probe_at_s:
                raise DetectorUnreachable(str(self._last))
            self._is_probed = True
            return True

    def succeeded(self) -> float | None:
        """The server has answered a call. Returns the seconds since its first failure; None if there was none."""
        with self._lock:
            lasted_s = self._clock() - self._began_s if self._failures else None
            self._failures, self._last, self._is_probed = 0, None, False
            return lasted_s

    def failed(self, error: DetectorUnreachable) -> bool:
        """A call has failed. Returns whether it is the first one in a row."""
        with self._lock:
            if not self._failures:
                self._began_s = self._clock()
            self._failures += 1
            self._last = error
            self._probe_at_s = self._clock() + PROBE_EVERY_S
            self._is_probed = False
            return self._failures == 1
