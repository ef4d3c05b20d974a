"""Whether pictures of a live source reach the detector, and why not if none has for a while.

Damaged pictures never reach it (`streamer.sources.damage.loss`). Where all are, a run looks well: pictures are shown,
nothing is found. So it is said, once, and again when the reason changes and when it is over. Owned by the capture
thread; it is told the times of what it hears of, and asks no clock.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable

log = logging.getLogger(__name__)

SAID_AFTER_S = 10.0
"""Longer than the distance of key frames of nearly all cameras, which is what a single loss costs."""
COUNT = "not analysed"
"""What the statistics count, by cause: how often it came to that."""


class AnalysisWatch:
    """Follows what comes from one source.

    Args:
        name: of the source, without credentials.
        count: told each time that something is said, with `COUNT` and the cause.
        say: takes the lines.
    """

    def __init__(self, name: str, count: Callable[[str, str], None], say: Callable[[str], None] = log.warning) -> None:
        self._name = name
        self._count = count
        self._say = say
        self._sound_s: float | None = None  # when the last picture came that could be analysed, or the first thing
        self._window_s = 0.0  # since when the tallies count
        self._damaged: Counter[str] = Counter()
        self._lost: Counter[str] = Counter()
        self._words: dict[str, str] = {}  # the last ones for each cause
        self._told = ""  # the cause that was said last; empty while all is well

    def connected(self) -> None:
        """Another connection begins; that nothing came before it is no fault of its pictures."""
        if not self._told:
            self._sound_s = None

    def picture(self, at_s: float, cause: str, words: str = "") -> None:
        """A picture came.

        Args:
            at_s: when, on the monotonic clock.
            cause: why the detector does not get it; empty if it does.
            words: FFmpeg's, for that.
        """
        if cause:
            self._hear(at_s, self._damaged, cause, 1, words)
            return
        if self._told and self._sound_s is not None:
            self._say(f"{self._name}: pictures are analysed again after {at_s - self._sound_s:.0f} s")
        self._told = ""
        self._sound_s = at_s
        self._forget(at_s)

    def lost(self, at_s: float, cause: str, pictures: int, words: str = "") -> None:
        """Pictures did not become any, as they could not be decoded; arguments as those of `picture`."""
        self._hear(at_s, self._lost, cause, pictures, words)

    def _hear(self, at_s: float, tally: Counter[str], cause: str, pictures: int, words: str) -> None:
        if self._sound_s is None:
            self._sound_s = at_s
            self._forget(at_s)
        tally[cause] += pictures
        if words:
            self._words[cause] = words
        if at_s - self._window_s >= SAID_AFTER_S:
            self._tell(at_s)
            self._forget(at_s)

    def _tell(self, at_s: float) -> None:
        cause = (self._damaged + self._lost).most_common(1)[0][0]
        if cause == self._told:
            return
        assert self._sound_s is not None
        self._told = cause
        self._count(COUNT, cause)
        reasons = [*self._reasons(self._damaged, "damaged"), *self._reasons(self._lost, "lost")]
        waited = f"no picture could be analysed for {at_s - self._sound_s:.0f} s"
        self._say(f"{self._name}: {waited}: {', '.join(reasons)}")

    def _reasons(self, tally: Counter[str], kind: str) -> list[str]:
        return [
            f"{number} {kind} ({cause}{': ' * bool(self._words.get(cause))}{self._words.get(cause, '')})"
            for cause, number in tally.most_common()
        ]

    def _forget(self, at_s: float) -> None:
        self._window_s = at_s
        self._damaged.clear()
        self._lost.clear()
        self._words.clear()
