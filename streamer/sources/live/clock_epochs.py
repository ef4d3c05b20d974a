"""Where a sender's clock jumps: which packets belong together because one clock gave them their times.

A restarted encoder begins its time stamps anew, a programme is followed by an advertisement with its own, 33 bits run
over. All that lies between two such jumps is an era. Sound and pictures of one era have a distance in time, those of
two have none. Owned by the thread of a connection.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class Era(NamedTuple):
    """Rises with time; `period` is told by the input (a discontinuity in a playlist), `jump` found in the stamps."""

    period: int = 0
    jump: int = 0


NO_ERA = Era()
"""Of an input whose clock is not followed."""
LEAST_JUMP_S = 1.0
"""A step forwards that is shorter is a pause."""
_STEPS = 4  # or this often the longest step of late: pictures of a slow camera are far apart
_BACK_S = 0.1  # a decoding time that goes back by no more is jitter
_APART_S = 3.0  # streams are interleaved no more than this
_FADING = 0.9  # of the longest step, with each packet


@dataclass
class _Track:
    last_s: float
    era: Era
    step_s: float = 0.0


class Eras:
    """Tells the era of each packet of an input, whose streams come interleaved.

    Args:
        period: as the input tells.
    """

    def __init__(self, period: int = 0) -> None:
        self.newest = Era(period)
        self._tracks: dict[int, _Track] = {}
        self._begins_s = 0.0
        self._latest_s = 0.0
        self._missing_s = 0.0

    def missing(self, duration_s: float) -> None:
        """So much is known to be missing: a step forwards as long as that is no jump."""
        self._missing_s += duration_s

    def of(self, stream: int, time_s: float | None) -> Era:
        """The era of the next packet of a stream.

        Args:
            stream: its index.
            time_s: the decoding time; None if it has none.
        """
        track = self._tracks.get(stream)
        if time_s is None:
            return self.newest if track is None else track.era
        if track is None:
            if not self._tracks:
                self._begins_s = self._latest_s = time_s
            track = self._tracks[stream] = _Track(time_s, self.newest)
            return track.era
        step_s = time_s - track.last_s
        most_s = max(LEAST_JUMP_S, _STEPS * track.step_s)
        if step_s > most_s and step_s <= most_s + self._missing_s:
            self._missing_s = 0.0
        elif not -_BACK_S <= step_s <= most_s:
            self._jump(track, time_s)
            step_s = 0.0
        elif track.era < self.newest and step_s > LEAST_JUMP_S and self._is_near(time_s):
            track.era = self.newest  # a slow stream, which does not show the jump that another one did
        track.last_s = time_s
        track.step_s = max(step_s, track.step_s * _FADING)
        if track.era == self.newest:
            self._latest_s = max(self._latest_s, time_s)
        return track.era

    def _jump(self, track: _Track, time_s: float) -> None:
        if track.era == self.newest or not self._is_near(time_s):
            self.newest = Era(self.newest.period, self.newest.jump + 1)
            self._begins_s = self._latest_s = time_s
        track.era = self.newest

    def _is_near(self, time_s: float) -> bool:
        """Whether a time lies where the newest era is."""
        return self._begins_s - _APART_S <= time_s <= self._latest_s + _APART_S
