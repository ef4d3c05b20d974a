"""Waiting times between retries, for sources and outputs. Used by the thread that retries."""

from __future__ import annotations

import random

FIRST_S = 0.5
LONGEST_S = 30.0
_GROWTH = 1.5
# Cameras behind one switch fail together. Jitter spreads their retries.
_JITTER = 0.25


class Backoff:
    """Waits that grow by half each time, from `first_s` to `longest_s`, with up to a quarter of jitter.

    A wait that grows by half is at most about half of the outage so far (a quarter on average), until the longest wait
    is reached. Doubled waits would reconnect later.

    Args:
        first_s: the first wait, before jitter.
        longest_s: the longest wait, including jitter.
        jitter: source of randomness; a new one if None.

    Raises:
        ValueError: a wait is not positive, or the first is longer than the longest.
    """

    def __init__(
        self, first_s: float = FIRST_S, longest_s: float = LONGEST_S, *, jitter: random.Random | None = None
    ) -> None:
        if not 0 < first_s <= longest_s:
            raise ValueError("the first wait must be above 0 s and at most the longest wait")
        self._first_s = self._wait_s = first_s
        self._longest_s = longest_s
        self._random = jitter or random.Random()

    def next_s(self) -> float:
        """The wait before the next retry in seconds."""
        wait_s = self._wait_s * self._random.uniform(1 - _JITTER, 1 + _JITTER)
        self._wait_s = min(self._wait_s * _GROWTH, self._longest_s)
        return min(wait_s, self._longest_s)

    def reset(self) -> None:
        """Start with the first wait again, after a success."""
        self._wait_s = self._first_s
