"""Splits a sender's time stamps at the jumps of its clock.

A restarted encoder starts its time stamps anew, an advertisement has its own clock, 33-bit time stamps wrap around.
The packets between two jumps form an epoch. Time stamps of one epoch can be compared, those of two epochs cannot. Owned
by the thread of a connection.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class ClockEpoch(NamedTuple):
    """Increases with time. `period` counts the discontinuities of a playlist, `jump` the jumps of the time stamps."""

    period: int = 0
    jump: int = 0


NO_EPOCH = ClockEpoch()
"""The epoch of inputs whose clock is not followed."""
LEAST_JUMP_S = 1.0
"""A shorter forward step is a pause."""
_STEPS = 4  # times the longest recent step, if that is longer: frames of a slow camera are far apart
_BACK_S = 0.1  # a smaller backward step of the decoding time is jitter
_APART_S = 3.0  # largest distance of interleaved streams
_DECAY = 0.9  # of the longest step, per packet


@dataclass
class _Track:
    last_s: float
    epoch: ClockEpoch
    step_s: float = 0.0


class ClockEpochs:
    """Finds the epoch of each packet of an input with interleaved streams.

    Args:
        period: as the input reports it.

    Attributes:
        newest: the newest epoch so far.
    """

    def __init__(self, period: int = 0) -> None:
        self.newest = ClockEpoch(period)
        self._tracks: dict[int, _Track] = {}
        self._begins_s = 0.0
        self._latest_s = 0.0
        self._missing_s = 0.0

    def add_missing(self, duration_s: float) -> None:
        """Note missing data: a forward step of this duration is no jump."""
        self._missing_s += duration_s

    def of(self, stream: int, time_s: float | None) -> ClockEpoch:
        """The epoch of the next packet of a stream.

        Args:
            stream: its index.
            time_s: the decoding time; None if it has none.
        """
        track = self._tracks.get(stream)
        if time_s is None:
            return self.newest if track is None else track.epoch
        if track is None:
            if not self._tracks:
                self._begins_s = self._latest_s = time_s
            track = self._tracks[stream] = _Track(time_s, self.newest)
            return track.epoch
        step_s = time_s - track.last_s
        max_s = max(LEAST_JUMP_S, _STEPS * track.step_s)
        if step_s > max_s and step_s <= max_s + self._missing_s:
            self._missing_s = 0.0
        elif not -_BACK_S <= step_s <= max_s:
            self._jump(track, time_s)
            step_s = 0.0
        elif track.epoch < self.newest and step_s > LEAST_JUMP_S and self._is_near(time_s):
            track.epoch = self.newest  # a slow stream, in which the jump of another stream does not show
        track.last_s = time_s
        track.step_s = max(step_s, track.step_s * _DECAY)
        if track.epoch == self.newest:
            self._latest_s = max(self._latest_s, time_s)
        return track.epoch

    def _jump(self, track: _Track, time_s: float) -> None:
        if track.epoch == self.newest or not self._is_near(time_s):
            self.newest = ClockEpoch(self.newest.period, self.newest.jump + 1)
            self._begins_s = self._latest_s = time_s
        track.epoch = self.newest

    def _is_near(self, time_s: float) -> bool:
        """Whether a time is within the newest epoch."""
        return self._begins_s - _APART_S <= time_s <= self._latest_s + _APART_S
