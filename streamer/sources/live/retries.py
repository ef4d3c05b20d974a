"""When a lost live source is tried again, and what is said about it. Used by the thread that connects."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from streamer.errors import SourceLost, SourceUnavailable
from streamer.network.reachability import CHECK_EVERY_S
from streamer.sources.live.connection import Connector
from streamer.sources.live.programme import CHANGED
from streamer.system.backoff import FIRST_S, LONGEST_S, Backoff

log = logging.getLogger(__name__)

STALL_S = 5.0


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a live source waits for what.

    Attributes:
        stall_s: without data for so long, a connection is given up; of a slow source later (`StallLimit`).
        first_wait_s: before the first try to connect again; grows from there.
        longest_wait_s: between two tries.
        retry_for_s: without a connection for so long, the source is given up; None = never.
        retry_at_start: also the first connection is tried again; otherwise its failure is final.
    """

    stall_s: float = STALL_S
    first_wait_s: float = FIRST_S
    longest_wait_s: float = LONGEST_S
    retry_for_s: float | None = None
    retry_at_start: bool = False


class Retries:
    """The waits between tries: they grow, and end early once somebody answers where nobody did.

    Args:
        connector: asked whether somebody is there.
        patience: how long to wait for what.
        sleep: waits so many seconds; raises Closed when nobody wants the source any more.
    """

    def __init__(self, connector: Connector, patience: Patience, sleep: Callable[[float], None]) -> None:
        self._connector = connector
        self._patience = patience
        self._sleep = sleep
        self._backoff = Backoff(patience.first_wait_s, patience.longest_wait_s)
        self._said = ""

    def succeeded(self) -> None:
        """There is a connection with pictures."""
        self._backoff.reset()
        self._said = ""

    def say(self, line: str) -> None:
        """A log line only where something changes."""
        if line != self._said:
            self._said = line
            log.warning("%s", line)

    def wait(self, error: SourceLost | SourceUnavailable, lost_s: float) -> None:
        """Wait for the next try.

        Args:
            error: why the last one failed.
            lost_s: monotonic clock when the trying began.

        Raises:
            SourceLost: it was tried for long enough.
            Closed: nobody wants the source any more.
        """
        limit_s = self._patience.retry_for_s
        away_s = time.monotonic() - lost_s
        if limit_s is not None and away_s >= limit_s:
            raise SourceLost(f"{error}; given up after {away_s:.0f} s", error.cause) from error
        if error.cause == CHANGED:
            return  # it is there
        # What a user must mend does not mend itself in a second, and cameras lock out who asks too often.
        wait_s = self._patience.longest_wait_s if isinstance(error, SourceUnavailable) else self._backoff.next_s()
        until_s = time.monotonic() + (wait_s if limit_s is None else min(wait_s, max(limit_s - away_s, 0.0)))
        knocks = wait_s > CHECK_EVERY_S
        absent = knocks and not self._connector.is_reachable()
        if knocks and not absent and error.cause in ("refused", "no answer"):
            until_s = min(until_s, time.monotonic() + CHECK_EVERY_S)  # it came back while the try failed
        while (left_s := until_s - time.monotonic()) > 0:
            self._sleep(min(left_s, CHECK_EVERY_S) if absent else left_s)
            if absent and self._connector.is_reachable():
                return
