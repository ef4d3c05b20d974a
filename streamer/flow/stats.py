"""What happened to every frame and where the time went.

Filled by the threads of a run and read by any (the report, the status line, the metrics): what several threads touch
guards itself with a lock, and is read as a snapshot.
"""

from __future__ import annotations

import math
import threading
from collections import Counter, OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field

from streamer.flow.observers import RunObserver
from streamer.values.labels import LabelTable
from streamer.values.states import FrameState
from tracking.types import Tracks

TRACKS_REMEMBERED = 10_000


class FrameLedger:
    """Every frame that came in ends in exactly one state; what has no state yet is in flight.

    States: `detected`, `interpolated`, `predicted` (shown without detection), `lost` to the detector with a cause,
    `dropped` and `corrupt` with a cause. Any thread may call any method.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entered = 0
        self._settled: Counter[tuple[FrameState, str]] = Counter()
        self._observers: tuple[RunObserver, ...] = ()

    def observe(self, observers: Sequence[RunObserver]) -> None:
        """Before the first frame: notify these observers of all entries."""
        self._observers = tuple(observers)

    @property
    def entered(self) -> int:
        """Frames that were demuxed, decodable or not."""
        return self.snapshot()[0]

    def enter(self, frames: int = 1) -> None:
        """Frames came in."""
        with self._lock:
            self._entered += frames
        for observer in self._observers:
            observer.frames_entered(frames)

    def settle(self, state: FrameState, cause: str = "", frames: int = 1) -> None:
        """Frames reached their final state.

        Raises:
            ValueError: more frames would be settled than came in.
        """
        with self._lock:
            in_flight = self._entered - self._settled.total()
            if frames > in_flight:
                raise ValueError(f"{frames} frames settled as {state} but only {in_flight} are in flight")
            self._settled[state, cause] += frames
        self._notify(state, cause, frames)

    def settle_rest(self, state: FrameState, cause: str) -> None:
        """The run is over: what is in flight reaches its final state."""
        with self._lock:
            rest = self._entered - self._settled.total()
            if rest:
                self._settled[state, cause] += rest
        if rest:
            self._notify(state, cause, rest)

    def _notify(self, state: FrameState, cause: str, frames: int) -> None:
        for observer in self._observers:
            observer.frames_settled(state, cause, frames)

    def snapshot(self) -> tuple[int, dict[tuple[FrameState, str], int]]:
        """Frames that came in, and frames by `(state, cause)`, of one moment."""
        with self._lock:
            return self._entered, dict(self._settled)

    @property
    def in_flight(self) -> int:
        """Frames without a state yet."""
        entered, settled = self.snapshot()
        return entered - sum(settled.values())

    def count(self, state: FrameState) -> int:
        """Frames in a state, of whatever cause."""
        return sum(n for (name, _), n in self.snapshot()[1].items() if name == state)

    def causes(self, state: FrameState) -> dict[str, int]:
        """Frames in a state by cause."""
        return {cause: n for (name, cause), n in sorted(self.snapshot()[1].items()) if name == state}


_BINS_PER_DECADE = 48
_SHORTEST_S = 1e-7


@dataclass(slots=True)
class DurationHistogram:
    """Durations of one stage in bounded memory: a histogram with bins 4.9% wide.

    A percentile is exact to 2.5%; `total_s` and `count` are exact. One thread adds; `copy` may be called by any.
    """

    count: int = 0
    total_s: float = 0.0
    bins: Counter[int] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def add(self, duration_s: float) -> None:
        """Take in one duration in seconds."""
        key = round(math.log10(max(duration_s, _SHORTEST_S)) * _BINS_PER_DECADE)
        with self._lock:
            self.count += 1
            self.total_s += duration_s
            self.bins[key] += 1

    def copy(self) -> DurationHistogram:
        """What was taken in until now."""
        with self._lock:
            return DurationHistogram(self.count, self.total_s, Counter(self.bins))

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


class RateMeter:
    """How often something happens lately, from the gaps between the last ones. Belongs to one thread.

    Args:
        weight: of the newest gap in the running mean.
    """

    def __init__(self, weight: float = 0.05) -> None:
        self._weight = weight
        self._last_s: float | None = None
        self._gap_s = 0.0

    def tick(self, now_s: float) -> float:
        """It happens now; how often a second it does, 0 the first time."""
        if self._last_s is not None:
            gap_s = now_s - self._last_s
            self._gap_s = gap_s if not self._gap_s else self._gap_s + self._weight * (gap_s - self._gap_s)
        self._last_s = now_s
        return 1 / self._gap_s if self._gap_s > 0 else 0.0


class RunStats:
    """All figures of one run; the report is made from it. Any thread may call any method but those of `tracks`."""

    def __init__(self) -> None:
        self.ledger = FrameLedger()
        self.threads: dict[str, int] = {}
        self.tracks = TrackCounts()
        self.shown = 0
        """Scenes that went to the outputs, whatever their state. Main thread only."""
        self.wall_s = 0.0
        self._lock = threading.Lock()
        self._times: dict[tuple[str, str], DurationHistogram] = {}
        self._counts: Counter[tuple[str, str]] = Counter()
        self._gauges: dict[tuple[str, str], float] = {}

    def add_time(self, stage: str, duration_s: float) -> None:
        """One frame spent `duration_s` in a stage."""
        self.times_of("stage", stage).add(duration_s)

    def add_age(self, where: str, age_s: float) -> None:
        """A picture had this age, from its arrival, at some place: `detector`, `shown`."""
        self.times_of("age", where).add(age_s)

    def times_of(self, kind: str, name: str) -> DurationHistogram:
        """The histogram for a stage's durations (`stage`) or a picture's age (`age`), made when first asked for."""
        with self._lock:
            return self._times.setdefault((kind, name), DurationHistogram())

    def count(self, what: str, cause: str, times: int = 1) -> None:
        """Something happened that is no frame's fate: `reconnect` with its cause, `skipped` by an output, ..."""
        if times:
            with self._lock:
                self._counts[what, cause] += times

    def gauge(self, what: str, of: str, value: float) -> None:
        """The state of something at this moment: `source_connected`, `sink_connected` of an output, ..."""
        with self._lock:
            self._gauges[what, of] = value

    @property
    def stages(self) -> dict[str, DurationHistogram]:
        """Durations by stage, as they are at this moment."""
        return self._copies("stage")

    @property
    def ages(self) -> dict[str, DurationHistogram]:
        """Ages of pictures by place, as they are at this moment."""
        return self._copies("age")

    @property
    def counts(self) -> dict[tuple[str, str], int]:
        """What was counted by `(what, cause)`, as it is at this moment."""
        with self._lock:
            return dict(self._counts)

    @property
    def gauges(self) -> dict[tuple[str, str], float]:
        """States by `(what, of)`, as they are at this moment."""
        with self._lock:
            return dict(self._gauges)

    @property
    def flagged_corrupt(self) -> int:
        """Frames that the decoder flagged as damaged."""
        return self.counts.get(("flagged corrupt", ""), 0)

    @property
    def bottleneck(self) -> str | None:
        """The stage whose threads were busy for the largest part of the run."""
        busy = {name: times.total_s / self.threads.get(name, 1) for name, times in self.stages.items()}
        return max(busy, key=lambda name: busy[name]) if busy else None

    @property
    def throughput_fps(self) -> float:
        """Frames shown a second of wall time."""
        return self.shown / self.wall_s if self.wall_s > 0 else 0.0

    def _copies(self, kind: str) -> dict[str, DurationHistogram]:
        with self._lock:
            found = {name: times for (one, name), times in self._times.items() if one == kind}
        return {name: times.copy() for name, times in found.items()}
