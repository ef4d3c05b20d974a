"""What an annotator remembers of each track from one scene to the next. Used by one thread at a time."""

from __future__ import annotations

from typing import Generic, TypeVar

from streamer.interfaces import Scene

State = TypeVar("State")

# A track that is not shown for longer, in seconds of media time, is forgotten.
_FORGOTTEN_AFTER_S = 1.0


class TrackMemory(Generic[State]):
    """States by track id. A new segment and a step back in time end them all; a track that is gone ends its own.

    Times are media times, so a replay of the same scenes has the same states.
    """

    def __init__(self) -> None:
        self._states: dict[int, State] = {}
        self._gone_s: dict[int, float] = {}
        self._segment = 0
        self.now_s = 0.0
        """Media time of the scene, seconds."""
        self.restarted = True
        """Whether the scene began with no states."""

    def recall(self, scene: Scene) -> dict[int, State]:
        """The states of the tracks that were shown in the last second, to be read and changed by the annotator."""
        before_s, self.now_s = self.now_s, scene.frame.time_s
        self.restarted = scene.frame.segment != self._segment or self.now_s < before_s or not self._states
        self._segment = scene.frame.segment
        if self.restarted:
            self._states.clear()
            self._gone_s.clear()
        if self._gone_s or len(self._states) > len(scene.tracks):
            self._forget(set(scene.tracks.ids.tolist()))
        return self._states

    def _forget(self, shown: set[int]) -> None:
        for track_id in [one for one in self._states if one not in shown]:
            if self.now_s - self._gone_s.setdefault(track_id, self.now_s) > _FORGOTTEN_AFTER_S:
                del self._states[track_id], self._gone_s[track_id]
        for track_id in self._gone_s.keys() & shown:
            del self._gone_s[track_id]
