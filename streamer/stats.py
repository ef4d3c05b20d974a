"""What happened to every frame and where the time went. Owned by the main thread.

Threads measure their own work and send the figures along with the frames; nothing here is shared.
"""

from __future__ import annotations

import math
from collections import Counter, OrderedDict
from dataclasses import dataclass, field

from streamer.labels import LabelTable
from tracking.types import Tracks

SHOWN_STATES = ("detected", "interpolated", "predicted", "lost")
TRACKS_REMEMBERED = 10_000


class Ledger:
    """Every frame that came in ends in exactly one state; what has no state yet is in flight.

    States: `detected`, `interpolated`, `predicted`, `lost` to the detector with a cause (all shown), `dropped` and
    `corrupt` (not shown, with a cause).
    """

    def __init__(self) -> None:
        self.entered = 0
        """Frames that were demuxed, decodable or not."""
        self._settled: Counter[tuple[str, str]] = Counter()

    def enter(self, frames: int = 1) -> None:
        """Frames came in."""
        self.entered += frames

    def settle(self, state: str, cause: str = "", frames: int = 1) -> None:
        """Frames reached their final state.

        Raises:
            ValueError: more frames would be settled than came in.
        """
        if frames > self.in_flight:
            raise ValueError(f"{frames} frames settled as {state} but only {self.in_flight} are in flight")
        self._settled[state, cause] += frames

    @property
    def in_flight(self) -> int:
        """Frames without a state yet."""
        return self.entered - self._settled.total()

    def count(self, state: str) -> int:
        """Frames in a state, of whatever cause."""
        return sum(n for (name, _), n in self._settled.items() if name == state)

    @property
    def shown(self) -> int:
        """Frames that went to the sinks."""
        return sum(self.count(state) for state in SHOWN_STATES)

    def causes(self, state: str) -> dict[str, int]:
        """Frames in a state by cause."""
        return {cause: n for (name, cause), n in sorted(self._settled.items()) if name == state}


_BINS_PER_DECADE = 48
_SHORTEST_S = 1e-7


@dataclass(slots=True)
class StageTimes:
    """Durations of one stage in bounded memory: a histogram with bins 4.9% wide.

    A percentile is exact to 2.5%; `total_s` and `count` are exact.
    """

    count: int = 0
    total_s: float = 0.0
    bins: Counter[int] = field(default_factory=Counter)

    def add(self, duration_s: float) -> None:
        """Take in one duration in seconds."""
        self.count += 1
        self.total_s += duration_s
        self.bins[round(math.log10(max(duration_s, _SHORTEST_S)) * _BINS_PER_DECADE)] += 1

    def merge(self, other: StageTimes) -> None:
        """Take in everything that another one holds."""
        self.count += other.count
        self.total_s += other.total_s
        self.bins += other.bins

    def percentile_s(self, percent: float) -> float:
        """The duration that `percent` of all are not longer than, in seconds; 0 without any."""
        rank = math.ceil(self.count * percent / 100)
        for key in sorted(self.bins):
            rank -= self.bins[key]
            if rank <= 0:
                return float(10 ** (key / _BINS_PER_DECADE))
        return 0.0


class TrackCounts:
    """How many tracks of each class were shown, in bounded memory.

    The tracks that were shown last are remembered with their classes. A track that comes back after `remembered` others
    were shown counts anew; trackers forget theirs long before.

    Args:
        remembered: how many tracks; more only while a single frame shows more.
    """

    def __init__(self, remembered: int = TRACKS_REMEMBERED) -> None:
        self.by_class: Counter[str] = Counter()
        """Tracks by the name of their class; one that changes its class counts for each."""
        self._remembered = remembered
        self._classes_of: OrderedDict[int, set[str]] = OrderedDict()

    def __len__(self) -> int:
        """Tracks that are remembered."""
        return len(self._classes_of)

    def take(self, tracks: Tracks, labels: LabelTable) -> None:
        """The tracks of one shown frame."""
        for track_id, label in zip(tracks.ids.tolist(), tracks.labels.tolist(), strict=True):
            name, known = labels.name(label), self._classes_of.setdefault(track_id, set())
            self._classes_of.move_to_end(track_id)
            if name not in known:
                known.add(name)
                self.by_class[name] += 1
        while len(self._classes_of) > max(self._remembered, len(tracks)):
            self._classes_of.popitem(last=False)


class RunStats:
    """All figures of one run; the report is made from it."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.stages: dict[str, StageTimes] = {}
        self.threads: dict[str, int] = {}
        self.tracks = TrackCounts()
        self.flagged_corrupt = 0
        self.wall_s = 0.0
        self.damage_details: list[str] = []

    def add_time(self, stage: str, duration_s: float) -> None:
        """One frame spent `duration_s` in a stage."""
        self.stages.setdefault(stage, StageTimes()).add(duration_s)

    @property
    def bottleneck(self) -> str | None:
        """The stage whose threads were busy for the largest part of the run."""
        busy = {name: times.total_s / self.threads.get(name, 1) for name, times in self.stages.items()}
        return max(busy, key=lambda name: busy[name]) if busy else None

    @property
    def throughput_fps(self) -> float:
        """Frames shown a second of wall time."""
        return self.ledger.shown / self.wall_s if self.wall_s > 0 else 0.0
