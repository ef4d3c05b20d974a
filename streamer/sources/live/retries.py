"""When a lost live source is connected again, and what is logged. Used by the thread that connects."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from streamer.config.source import SourceSettings
from streamer.errors import SourceLost, SourceUnavailable
from streamer.network.reachability import CHECK_EVERY_S
from streamer.sources.live.connection import Connector
from streamer.sources.live.programme import CHANGED
from streamer.system.backoff import Backoff

log = logging.getLogger(__name__)


class Retries:
    """The waits between attempts. They grow, and end early once an unreachable server becomes reachable.

    Args:
        connector: asked whether the server is reachable.
        settings: limits of the waits.
        sleep: waits for a number of seconds; raises Closed when the source is stopped.
    """

    def __init__(self, connector: Connector, settings: SourceSettings, sleep: Callable[[float], None]) -> None:
        self._connector = connector
        self._settings = settings
        self._sleep = sleep
        longest_s = settings.longest_wait_s
        self._backoff = Backoff(min(settings.first_wait_s, longest_s), longest_s)
        self._logged = ""

    def succeeded(self) -> None:
        """A connection returned its first frame."""
        self._backoff.reset()
        self._logged = ""

    def log(self, line: str) -> None:
        """Log a line, unless it was the last one."""
        if line != self._logged:
            self._logged = line
            log.warning("%s", line)

    def wait(self, error: SourceLost | SourceUnavailable, lost_s: float) -> None:
        """Wait for the next attempt.

        Args:
            error: why the last attempt failed.
            lost_s: monotonic clock when the connection was lost.

        Raises:
            SourceLost: `retry_for_s` has passed.
            Closed: the source was stopped.
        """
        limit_s = self._settings.retry_for_s
        away_s = time.monotonic() - lost_s
        if limit_s is not None and away_s >= limit_s:
            raise SourceLost(f"{error}; given up after {away_s:.0f} s", error.cause) from error
        if error.cause == CHANGED:
            return  # the server is reachable
        # A wrong password stays wrong for longer than a second, and cameras lock out clients after many attempts.
        is_permanent = isinstance(error, SourceUnavailable)
        wait_s = self._settings.longest_wait_s if is_permanent else self._backoff.next_s()
        until_s = time.monotonic() + (wait_s if limit_s is None else min(wait_s, max(limit_s - away_s, 0.0)))
        checks = wait_s > CHECK_EVERY_S
        is_away = checks and not self._connector.is_reachable()
        if checks and not is_away and error.cause in ("refused", "no answer"):
            until_s = min(until_s, time.monotonic() + CHECK_EVERY_S)  # it became reachable during the attempt
        while (left_s := until_s - time.monotonic()) > 0:
            self._sleep(min(left_s, CHECK_EVERY_S) if is_away else left_s)
            if is_away and self._connector.is_reachable():
                return
