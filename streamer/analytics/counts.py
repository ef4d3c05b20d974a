"""Counts the objects in the picture: how many there are, and whether there are any.

Owned by the display thread of one stream. After a short interruption, the detector has `RESUME_S` to find the objects
again: a number does not fall and nothing disappears before that.
"""

from __future__ import annotations

from collections.abc import Iterator

from streamer.analytics.changes import EXACT_S, RESUME_S, Change, FrameTracks
from streamer.analytics.limits import LimitWatch
from streamer.config.analytics import CountSettings, PresenceSettings
from streamer.values.events import CountState, EventKind, EventPhase, PresenceState


class Count:
    """A rule of `counts`."""

    def __init__(self, settings: CountSettings) -> None:
        self._settings = settings
        self._limit = LimitWatch(settings)
        self._number = 0
        self._hold_until_s = float("-inf")

    @property
    def state(self) -> CountState:
        """The number on the last frame."""
        return CountState(self._settings.name, self._number, self._limit.level)

    def update(self, frame: FrameTracks) -> Iterator[Change]:
        """An event starts, goes further or ends."""
        if self._settings.name in frame.off:
            yield from self.end()
            return
        number = len(frame.fitting(self._settings))
        self._number = max(number, self._number) if frame.time_s < self._hold_until_s else number
        yield from self._limit.update(self._number, frame.time_s)

    def resume(self, time_s: float) -> None:
        """See `streamer.analytics.changes.Rule`."""
        self._hold_until_s = time_s + RESUME_S
        self._limit.resume()

    def end(self) -> Iterator[Change]:
        """See `streamer.analytics.changes.Rule`."""
        yield from self._limit.end()
        self._number, self._hold_until_s = 0, float("-inf")


class Presence:
    """A rule of `presence`.

    `appear` is about the object that was shown with the highest score; `disappear` ends the same event when none is
    shown any more.
    """

    def __init__(self, settings: PresenceSettings) -> None:
        self._settings = settings
        self._track = 0  # of the event that lasts
        self._since_s: float | None = None
        self._gone_since_s: float | None = None
        self._last_s = 0.0
        self._hold_until_s = float("-inf")

    @property
    def state(self) -> PresenceState:
        """Whether something has appeared and not disappeared."""
        return PresenceState(self._settings.name, self._track > 0)

    def update(self, frame: FrameTracks) -> Iterator[Change]:
        """Something appeared, or all of it disappeared."""
        if self._settings.name in frame.off:
            yield from self.end()
            return
        settings, time_s, shown = self._settings, frame.time_s, frame.fitting(self._settings)
        if shown:
            self._gone_since_s, self._last_s = None, time_s
            self._since_s = time_s if self._since_s is None else self._since_s
            if not self._track and time_s - self._since_s + EXACT_S >= settings.appear_s:
                self._track = max(shown, key=frame.history.best_score)
                yield self._change(EventKind.APPEAR, EventPhase.START, self._since_s)
        elif not self._track:
            self._since_s = None
        elif time_s >= self._hold_until_s:
            self._gone_since_s = self._last_s if self._gone_since_s is None else self._gone_since_s
            if time_s - self._gone_since_s + EXACT_S >= settings.disappear_s:
                yield from self.end()

    def resume(self, time_s: float) -> None:
        """See `streamer.analytics.changes.Rule`."""
        self._hold_until_s = self._gone_since_s = time_s + RESUME_S
        if not self._track:
            self._since_s = None

    def end(self) -> Iterator[Change]:
        """See `streamer.analytics.changes.Rule`."""
        if self._track:
            yield self._change(EventKind.DISAPPEAR, EventPhase.END, self._last_s)
        self._track, self._since_s, self._gone_since_s = 0, None, None
        self._hold_until_s = float("-inf")

    def _change(self, kind: EventKind, phase: EventPhase, time_s: float) -> Change:
        return Change(self._settings, kind, phase, time_s, self._track)
