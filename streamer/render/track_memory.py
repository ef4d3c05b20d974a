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
        self._shown_s: dict[int, float] = {}
        self._segment, self._time_s = 0, 0.0
        self.restarted = True
        """Whether the last scene began with no states."""

    def recall(self, scene: Scene) -> dict[int, State]:
        """The states of the tracks that were shown in the last second, to be read and changed by the annotator."""
        now_s, states, shown_s = scene.frame.time_s, self._states, self._shown_s
        self.restarted = scene.frame.segment != self._segment or now_s < self._time_s or not shown_s
        if self.restarted:
            states.clear()
            shown_s.clear()
        self._segment, self._time_s = scene.frame.segment, now_s
        shown_s.update(dict.fromkeys(scene.tracks.ids.tolist(), now_s))
        if len(shown_s) > len(scene.tracks):
            for track_id in [one for one, last_s in shown_s.items() if now_s - last_s > _FORGOTTEN_AFTER_S]:
                del shown_s[track_id]
                states.pop(track_id, None)
        return states
