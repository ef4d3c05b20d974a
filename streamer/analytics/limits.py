"""Compares a number of objects with its limits. Owned by the display thread of one stream."""

from __future__ import annotations

from collections.abc import Iterator

from streamer.analytics.changes import EXACT_S, Change
from streamer.config.analytics import LimitSettings
from streamer.values.events import EventKind, EventPhase


class LimitWatch:
    """One number: `above` or `below` starts an event, each further extreme updates it, and `normal` ends it.

    A number counts once it has lasted for `for_s`: the value of an event is the one that was kept for so long. The time
    of an event is that of its beginning, `for_s` earlier.

    Attributes:
        level: NORMAL, ABOVE or BELOW.
    """

    def __init__(self, settings: LimitSettings) -> None:
        self.level = EventKind.NORMAL
        self._settings = settings
        least, most = settings.limits
        sides = ((EventKind.ABOVE, 1, most), (EventKind.BELOW, -1, least))
        self._sides = [(kind, sign, sign * limit) for kind, sign, limit in sides if limit is not None]
        self._extreme = 0
        self._beyond: dict[EventKind, tuple[float, int]] = {}
        self._within_s: float | None = None
        self._number, self._time_s = 0, 0.0

    def update(self, number: int, time_s: float) -> Iterator[Change]:
        """What became certain with the number at a media time."""
        self._number, self._time_s = number, time_s
        for kind, sign, limit in self._sides:
            if kind is self.level:
                yield from self._return(sign * number <= limit)
        for kind, sign, limit in self._sides:
            beyond = sign * number > (self._extreme if kind is self.level else limit)
            if not beyond:
                self._beyond.pop(kind, None)
                continue
            since_s, kept = self._beyond.setdefault(kind, (time_s, sign * number))
            kept = min(kept, sign * number)
            self._beyond[kind] = since_s, kept
            if time_s - since_s + EXACT_S >= self._settings.for_s and self.level in (EventKind.NORMAL, kind):
                phase = EventPhase.UPDATE if kind is self.level else EventPhase.START
                self.level, self._extreme = kind, kept
                del self._beyond[kind]
                yield Change(self._settings, kind, phase, since_s, value=sign * kept)

    def resume(self) -> None:
        """Frames go on after an interruption, which is no time beyond a limit or within it."""
        self._beyond.clear()
        self._within_s = None

    def end(self) -> Iterator[Change]:
        """Forget the number; an event that lasts ends at the last frame."""
        self._beyond.clear()
        if self.level is not EventKind.NORMAL:
            yield self._normal(self._time_s)

    def _return(self, within: bool) -> Iterator[Change]:
        if not within:
            self._within_s = None
            return
        since_s = self._within_s = self._time_s if self._within_s is None else self._within_s
        if self._time_s - since_s + EXACT_S >= self._settings.for_s:
            yield self._normal(since_s)

    def _normal(self, time_s: float) -> Change:
        self.level, self._within_s = EventKind.NORMAL, None
        return Change(self._settings, EventKind.NORMAL, EventPhase.END, time_s, value=self._number)
