"""How long to wait before trying again, for sources and outputs alike. Owned by the thread that tries."""

from __future__ import annotations

import random

FIRST_S = 0.5
LONGEST_S = 30.0
_GROWTH = 1.5
# Cameras behind one switch fail together; without jitter they would all be asked again together, too.
_JITTER = 0.25


class Backoff:
    """Waits that grow by half each time, from `first_s` to `longest_s`, each made up to a quarter shorter or longer.

    Growing by half, not doubling: the wait that an input meets when it comes back is then at most about half of the
    time that it was away (a quarter on average), until the longest wait is reached.

    Args:
        first_s: the first wait, before jitter.
        longest_s: no wait is longer, jitter included.
        jitter: source of randomness; one of its own if None.

    Raises:
        ValueError: waits that are not positive, or the first longer than the longest.
    """

    def __init__(
        self, first_s: float = FIRST_S, longest_s: float = LONGEST_S, *, jitter: random.Random | None = None
    ) -> None:
        if not 0 < first_s <= longest_s:
            raise ValueError("a backoff grows from its first wait, above 0 s, to its longest")
        self._first_s = self._wait_s = first_s
        self._longest_s = longest_s
        self._random = jitter or random.Random()

    def next_s(self) -> float:
        """The wait before the next try, in seconds."""
        wait_s = self._wait_s * self._random.uniform(1 - _JITTER, 1 + _JITTER)
        self._wait_s = min(self._wait_s * _GROWTH, self._longest_s)
        return min(wait_s, self._longest_s)

    def reset(self) -> None:
        """A try worked: begin with the first wait again."""
        self._wait_s = self._first_s
