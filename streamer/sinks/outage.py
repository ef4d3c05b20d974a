"""Whether a recording can be written at the moment, and when to try again if not. Used by the thread that writes it."""

from __future__ import annotations

import logging
from collections.abc import Callable

from streamer.system.backoff import Backoff

log = logging.getLogger(__name__)

_STABLE_S = 10.0  # a file that lasts: the next outage begins with short waits again


class Outage:
    """The time since a disk is full or away.

    Args:
        name: of the recording, for the log.
        clock: monotonic seconds.
        backoff: the waits between attempts.

    Attributes:
        skipped: scenes since it began.
    """

    def __init__(self, name: object, clock: Callable[[], float], backoff: Backoff) -> None:
        self.skipped = 0
        self._name = name
        self._clock = clock
        self._backoff = backoff
        self._began_s: float | None = None
        self._retry_s = float("-inf")
        self._file_s = 0.0  # when the file in hand was begun

    @property
    def waits(self) -> bool:
        """Whether it is too early for another attempt."""
        return self._began_s is not None and self._clock() < self._retry_s

    def begin_file(self) -> None:
        """A file was begun."""
        self._file_s = self._clock()

    def fail(self, error: Exception) -> bool:
        """An attempt failed: whether there was an outage already."""
        now_s = self._clock()
        self._retry_s = now_s + self._backoff.next_s()
        if self._began_s is not None:
            return True
        self._began_s = now_s
        log.warning("%s; trying again, scenes are skipped meanwhile", error)
        return False

    def succeed(self) -> bool:
        """A scene was written: whether that ends an outage."""
        now_s = self._clock()
        if self._began_s is None:
            if now_s - self._file_s > _STABLE_S:
                self._backoff.reset()
            return False
        away_s = now_s - self._began_s
        log.warning("%s: recording again after %.1f s, %d scenes skipped", self._name, away_s, self.skipped)
        self._began_s, self.skipped = None, 0
        return True
