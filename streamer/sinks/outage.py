"""Outages of an output that comes back: a server that is away, a full disk. Used by the thread that writes the sink."""

from __future__ import annotations

import logging
from collections.abc import Callable

from streamer.features import SinkFeature
from streamer.system.backoff import Backoff

log = logging.getLogger(__name__)

_STABLE_S = 10.0
"""After a connection or file that lasted so long, the next outage begins with short waits again."""


class Outage:
    """Whether an output takes scenes, when to try again if not, and how many scenes were skipped meanwhile.

    The sink calls `opened` for every new connection or file, then `succeed`, `fail` or `skip` for every scene.

    Args:
        name: of the output, for the log.
        clock: monotonic seconds.
        backoff: the waits between attempts.

    Attributes:
        connected: whether the output takes scenes at the moment.
        skipped: scenes that were skipped in all outages.
        never_written: why no scene was written so far; None if one was, or if there was no failure.

    All are replaced by the writing thread, never changed in place, so that any thread may read them.
    """

    def __init__(self, name: object, clock: Callable[[], float], backoff: Backoff) -> None:
        self.connected = False
        self.skipped = 0
        self.never_written: str | None = None
        self._has_written = False
        self._name = name
        self._clock = clock
        self._backoff = backoff
        self._opened_s = 0.0
        self._began_s: float | None = None
        self._retry_s = float("-inf")
        self._skipped_before = 0
        self._reported: set[str] = set()

    @property
    def lasts(self) -> bool:
        """Whether there is an outage."""
        return self._began_s is not None

    @property
    def waits(self) -> bool:
        """Whether it is too early for another attempt."""
        return self._clock() < self._retry_s

    def opened(self) -> None:
        """A connection or file was opened."""
        self._opened_s = self._clock()

    def succeed(self) -> bool:
        """A scene was written. Returns whether the output is connected for the first time, or again."""
        now_s, was_connected = self._clock(), self.connected
        if self._began_s is not None:
            skipped = self.skipped - self._skipped_before
            log.warning("%s: back after %.1f s, %d scenes skipped", self._name, now_s - self._began_s, skipped)
            self._began_s, self._retry_s = None, float("-inf")
            self._reported.clear()
        elif now_s - self._opened_s > _STABLE_S:
            self._backoff.reset()
        self.connected = self._has_written = True
        self.never_written = None
        return not was_connected

    def fail(self, reason: str, *, kind: str = "", backoff: Backoff | None = None) -> float:
        """An attempt failed, or a connection was lost. Returns the seconds until the next attempt.

        Args:
            reason: for the log.
            kind: of the failure; an outage logs the first of each kind.
            backoff: other waits for this kind of failure.
        """
        now_s = self._clock()
        if self._began_s is None:
            self._began_s, self._skipped_before = now_s, self.skipped
        self.connected = False
        self.never_written = None if self._has_written else reason
        wait_s = (backoff or self._backoff).next_s()
        self._retry_s = now_s + wait_s
        if kind not in self._reported:
            self._reported.add(kind)
            log.warning("%s; trying again, scenes are skipped meanwhile", reason)
        return wait_s

    def skip(self) -> None:
        """A scene was skipped."""
        self.skipped += 1


class RetryingSink(SinkFeature):
    """The base of sinks that skip scenes during an outage and try again."""

    _outage: Outage

    @property
    def connected(self) -> bool:
        """Whether the output takes scenes at the moment; any thread may ask."""
        return self._outage.connected

    @property
    def skipped(self) -> int:
        """Scenes that were skipped in outages; any thread may ask."""
        return self._outage.skipped

    @property
    def never_written(self) -> str | None:
        """Why no scene was written so far; None if one was, or if there was no failure. Any thread may ask."""
        return self._outage.never_written
