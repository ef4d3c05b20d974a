"""The figures of a run: times, counts, rates and tracks.

Filled by the threads of the run, read by any thread (report, status line, metrics). Figures of several threads are
guarded by a lock and read as a snapshot.
"""

from __future__ import annotations

import math
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from streamer.flow.frame_ledger import FrameLedger
from streamer.flow.observers import RunObserver
from streamer.values.frame import Frame
from streamer.values.labels import LabelTable
from tracking.types import Tracks

TRACKS_REMEMBERED = 10_000
_BINS_PER_DECADE = 48
_SHORTEST_S = 1e-7

LEAST_TRACK_S = 1.0
"""Age from which a track is counted as an object, seconds.

On a clip of four cars that pass one by one, the starter has 7 tracks of Car and 4 of other classes. Those of at least a
second are the four cars; at 0.5 s there are six, because one car has three tracks (docs/outputs.md)."""
SHORT_VIDEO_S = 2.0
"""Up to this length, seconds, all tracks of a video are counted."""


@dataclass(slots=True)
class DurationHistogram:
    """Durations in bounded memory: a histogram with bins 4.9% wide.

    A percentile is exact to 2.5%; `total_s` and `count` are exact. One thread adds; any thread may copy.
    """

    count: int = 0
    total_s: float = 0.0
    bins: Counter[int] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def add(self, duration_s: float) -> None:
        """Count one duration, in seconds."""
        key = round(math.log10(max(duration_s, _SHORTEST_S)) * _BINS_PER_DECADE)
        with self._lock:
            self.count += 1
            self.total_s += duration_s
            self.bins[key] += 1

    def copy(self) -> DurationHistogram:
        """A snapshot."""
        with self._lock:
            return DurationHistogram(self.count, self.total_s, Counter(self.bins))

    def merge(self, other: DurationHistogram) -> None:
        """Add the durations of another histogram."""
        added = other.copy()
        with self._lock:
            self.count, self.total_s = self.count + added.count, self.total_s + added.total_s
            self.bins.update(added.bins)

    def percentile_s(self, percent: float) -> float:
        """The duration that `percent` of all durations do not exceed, in seconds; 0 if the histogram is empty."""
        rank = math.ceil(self.count * percent / 100)
        for key in sorted(self.bins):
            rank -= self.bins[key]
            if rank <= 0:
                return float(10 ** (key / _BINS_PER_DECADE))
        return 0.0


@dataclass(slots=True)
class _Counted:
    """How a track was counted."""

    name: str | None = None
    is_long: bool = False


class TrackCounts:
    """Counts the objects of each class that were shown, in bounded memory. Display thread only.

    A track is counted once, with the class that it has last, when it is `LEAST_TRACK_S` old: most shorter tracks are
    misdetections, or a part of another track. In a video shorter than `SHORT_VIDEO_S`, and in pictures, all tracks are.

    The tracks that were shown last are remembered with their classes. A track is counted again if `remembered` others
    were shown since; trackers forget theirs long before.

    Args:
        remembered: how many tracks; more only while a single frame shows more.
    """

    def __init__(self, remembered: int = TRACKS_REMEMBERED) -> None:
        self._remembered = remembered
        self._tracks: OrderedDict[int, _Counted] = OrderedDict()
        self._all: Counter[str] = Counter()
        self._long: Counter[str] = Counter()
        self._earlier, self._earlier_shorter = Counter[str](), 0  # of other runs
        self._first_s: float | None = None
        self._is_long = False

    def __len__(self) -> int:
        """Tracks that are remembered."""
        return len(self._tracks)

    @property
    def by_class(self) -> Mapping[str, int]:
        """Number of objects by class name, without zeros."""
        return (self._long if self._is_long else self._all) + self._earlier

    @property
    def shorter(self) -> int:
        """Tracks that are too short to be counted in `by_class`."""
        return self._earlier_shorter + (self._all.total() - self._long.total() if self._is_long else 0)

    def merge(self, other: TrackCounts) -> None:
        """Add the objects of another run."""
        self._earlier.update(other.by_class)
        self._earlier_shorter += other.shorter

    def add(self, tracks: Tracks, labels: LabelTable, frame: Frame) -> None:
        """Count the tracks of one shown frame."""
        if self._first_s is None:
            self._first_s = frame.time_s
        self._is_long |= not frame.file and frame.time_s - self._first_s >= SHORT_VIDEO_S
        ages_s = tracks.age_s.tolist()
        for track_id, label, age_s in zip(tracks.ids.tolist(), tracks.labels.tolist(), ages_s, strict=True):
            track = self._tracks.setdefault(track_id, _Counted())
            self._tracks.move_to_end(track_id)
            self._count(track, labels.name(label), is_long=track.is_long or age_s >= LEAST_TRACK_S)
        while len(self._tracks) > max(self._remembered, len(tracks)):
            self._tracks.popitem(last=False)

    def _count(self, track: _Counted, name: str, *, is_long: bool) -> None:
        if (track.name, track.is_long) == (name, is_long):
            return
        if track.name is not None:
            self._all[track.name] -= 1
            self._long[track.name] -= track.is_long
        self._all[name] += 1
        self._long[name] += is_long
        track.name, track.is_long = name, is_long


DETECTED = "detected"
"""The event that counts frames by the reason for which they were chosen to be detected (`detector.every: auto`)."""


class RunStats:
    """All figures of one run. Thread-safe, except for `tracks`.

    Args:
        stream: name of the stream if a program runs several; the pipeline gives it to every frame.
    """

    def __init__(self, stream: str = "") -> None:
        self.stream = stream
        self.ledger = FrameLedger()
        self.threads: dict[str, int] = {}
        self.tracks = TrackCounts()
        self.shown = 0
        """Scenes that were shown, in any state. Written by the display thread."""
        self.shown_s: float | None = None
        """Monotonic clock when the last scene was shown; None before the first. Written by the display thread."""
        self.wall_s = 0.0
        self.recorded: Collection[str] = ()
        """Stages whose durations are those of a recorded run, so they are no share of this one."""
        self._lock = threading.Lock()
        self._times: dict[tuple[str, str], DurationHistogram] = {}
        self._counts: Counter[tuple[str, str]] = Counter()
        self._source_fault = ""
        self._observers: tuple[RunObserver, ...] = ()
        self._gauges: dict[tuple[str, str], float] = {}

    def __repr__(self) -> str:
        return f"RunStats(shown={self.shown}, tracks={dict(self.tracks.by_class)}, wall_s={self.wall_s:.1f})"

    def observe(self, observers: Sequence[RunObserver]) -> None:
        """Before the source is entered, or before the first frame: notify these of the ledger and of the source."""
        self._observers = tuple(observers)
        self.ledger.observe(observers)

    def merge(self, other: RunStats) -> None:
        """Add the figures of another run of the stream, which has ended."""
        entered, settled = other.ledger.snapshot()
        self.ledger.enter(entered)
        for (state, cause), frames in settled.items():
            self.ledger.settle(state, cause, frames)
        with self._lock:
            self._counts.update(other.counts)
        for name, one in other.stages.items():
            self.times_of("stage", name).merge(one)
        for name, one in other.ages.items():
            self.times_of("age", name).merge(one)
        self.tracks.merge(other.tracks)
        self.threads = {**self.threads, **other.threads}
        self.shown, self.wall_s = self.shown + other.shown, self.wall_s + other.wall_s

    def add_shown(self) -> None:
        """A scene was shown. Display thread."""
        self.shown, self.shown_s = self.shown + 1, time.monotonic()

    def add_time(self, stage: str, duration_s: float) -> None:
        """One frame spent `duration_s` in a stage."""
        self.times_of("stage", stage).add(duration_s)

    def add_age(self, where: str, age_s: float) -> None:
        """A frame had this age, since its arrival, at a place: `detector`, `shown`, an output."""
        self.times_of("age", where).add(age_s)

    def times_of(self, kind: str, name: str) -> DurationHistogram:
        """The histogram of a stage's durations (`stage`) or of the age of frames (`age`), created on first use."""
        with self._lock:
            return self._times.setdefault((kind, name), DurationHistogram())

    def count(self, what: str, cause: str, times: int = 1) -> None:
        """Count an event that is not the final state of a frame: `reconnect` with its cause, `skipped` by an output."""
        if times:
            with self._lock:
                self._counts[what, cause] += times

    def gauge(self, what: str, of: str, value: float) -> None:
        """Set a current value: `source_connected`, `sink_connected` of an output, ..."""
        with self._lock:
            self._gauges[what, of] = value

    @property
    def stages(self) -> dict[str, DurationHistogram]:
        """Durations by stage, as a snapshot."""
        return self._copies("stage")

    @property
    def ages(self) -> dict[str, DurationHistogram]:
        """Ages of frames by place, as a snapshot."""
        return self._copies("age")

    @property
    def counts(self) -> dict[tuple[str, str], int]:
        """Event counts by `(what, cause)`, as a snapshot."""
        with self._lock:
            return dict(self._counts)

    def set_source(self, *, fault: str, at_s: float | None = None) -> None:
        """The source sends frames, or why it does not, one line.

        Args:
            fault: empty if it sends frames.
            at_s: monotonic clock: of the first frame, or since when there is none; now if None.
        """
        with self._lock:
            changed = self._gauges.get(("source_connected", "")) != (not fault)
            self._source_fault = fault
            self._gauges["source_connected", ""] = not fault
        if changed:
            for observer in self._observers:
                observer.source_changed(fault, time.monotonic() if at_s is None else at_s)

    @property
    def source_fault(self) -> str:
        """Why a live source is not connected; empty if it is, or before the first try."""
        with self._lock:
            return self._source_fault

    @property
    def gauges(self) -> dict[tuple[str, str], float]:
        """Current values by `(what, of)`, as a snapshot."""
        with self._lock:
            return dict(self._gauges)

    @property
    def flagged_corrupt(self) -> int:
        """Frames that the decoder flagged as damaged."""
        return self.counts.get(("flagged corrupt", ""), 0)

    @property
    def bottleneck(self) -> str | None:
        """The stage whose threads were busy for the largest share of the run."""
        own = {name: times for name, times in self.stages.items() if name not in self.recorded}
        busy = {name: times.total_s / self.threads.get(name, 1) for name, times in own.items()}
        return max(busy, key=lambda name: busy[name]) if busy else None

    @property
    def throughput_fps(self) -> float:
        """Frames shown per second of wall time."""
        return self.shown / self.wall_s if self.wall_s > 0 else 0.0

    def _copies(self, kind: str) -> dict[str, DurationHistogram]:
        with self._lock:
            found = {name: times for (one, name), times in self._times.items() if one == kind}
        return {name: times.copy() for name, times in found.items()}
