"""The port at which a source takes datagrams: one connection at a time. Any thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from streamer.errors import SourceLost
from streamer.sources.live.connection import POLL_S

_CLOSES_WITHIN_S = 3.0


class DatagramPort:
    """Given to one connection after the other: of two at once each gets a half of what comes, or one an error."""

    def __init__(self) -> None:
        self._taken = threading.Lock()

    def take(self, is_active: Callable[[], bool], name: str) -> Callable[[], None]:
        """Wait until the connection before is closed; gives what is to be called when this one is.

        Raises:
            SourceLost: that one hangs, or this one is not wanted any more.
        """
        until_s = time.monotonic() + _CLOSES_WITHIN_S
        while not self._taken.acquire(timeout=POLL_S):
            if not is_active() or time.monotonic() > until_s:
                raise SourceLost(f"{name}: the connection before is not closed yet", "not closed")
        return self._taken.release
