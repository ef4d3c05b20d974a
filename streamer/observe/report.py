"""The report of one run, and the interface through which a run reports to a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Protocol

from streamer.config.analytics import AnalyticsSettings, RuleSettings
from streamer.config.analytics.camera_watch import CAMERA_RULE
from streamer.flow.frame_ledger import FrameLedger
from streamer.flow.stats import DurationHistogram, RunStats
from streamer.values.events import COUNTED, Direction, EventKind, counted_as
from streamer.values.states import FrameState

STATES_WITH_CAUSE = (FrameState.LOST, FrameState.DROPPED, FrameState.CORRUPT)
"""Final states of a frame that have a cause."""


@dataclass(frozen=True, slots=True)
class Report:
    """The result of one run.

    Attributes:
        source: readable name of the input, without credentials.
        detector: which detector ran, and why.
        state: `complete`, `interrupted` or `failed`.
        stats: the figures of the run.
        outputs: paths of the finished files, with those of recordings.
        notes: what the outputs could not carry, and other things that the user must know.
        first_frame_s: time from the start of the program to the first scene; None if there was no scene.
        remarks: for the user only, not part of the JSON: addresses that were served.
        rules: those of the run.
    """

    source: str
    detector: str
    state: str
    stats: RunStats
    outputs: Sequence[str] = ()
    notes: Sequence[str] = field(default=())
    first_frame_s: float | None = None
    remarks: Sequence[str] = ()
    rules: AnalyticsSettings = field(default_factory=AnalyticsSettings)

    @property
    def lines(self) -> dict[str, dict[str, int]]:
        """Crossings of each line by direction."""
        ways = {direction.value: counted_as(EventKind.CROSSING, direction) for direction in Direction}
        return self._counts(self.rules.lines, ways)

    @property
    def zones(self) -> dict[str, dict[str, int]]:
        """Events of each zone by kind."""
        return self._counts(self.rules.zones, _kinds("enter", "leave", "dwell", "above", "below"))

    @property
    def object_counts(self) -> dict[str, dict[str, int]]:
        """Events of each rule of `counts` by kind."""
        return self._counts(self.rules.counts, _kinds("above", "below"))

    @property
    def presence(self) -> dict[str, dict[str, int]]:
        """Events of each rule of `presence` by kind."""
        return self._counts(self.rules.presence, _kinds("appear", "disappear"))

    @property
    def camera(self) -> dict[str, int]:
        """How often the camera was lost for `lost_s`, covered and moved."""
        counts = self.stats.counts
        return {name: counts.get((f"camera_{name}", CAMERA_RULE), 0) for name in ("lost", "covered", "moved")}

    def _counts(self, rules: Sequence[RuleSettings], names: Mapping[str, str]) -> dict[str, dict[str, int]]:
        counts = self.stats.counts
        return {rule.name: {key: counts.get((what, rule.name), 0) for key, what in names.items()} for rule in rules}

    def to_dict(self) -> dict[str, Any]:
        """The report as plain values, ready for JSON. The name of each key has the unit of its value."""
        stats = self.stats
        return {
            "source": self.source,
            "detector": self.detector,
            "state": self.state,
            "frames": {**_frames(stats.ledger), "flagged_corrupt": stats.flagged_corrupt},
            "stages": {
                name: {**_stage(times), "threads": stats.threads.get(name, 1)}
                for name, times in stats.stages.items()
                if times.count
            },
            "ages": {place: _age(ages) for place, ages in stats.ages.items()},
            "counts": {
                f"{what}: {cause}" if cause else what: n
                for (what, cause), n in sorted(stats.counts.items())
                if what not in COUNTED
            },
            "bottleneck": stats.bottleneck,
            "throughput_fps": round(stats.throughput_fps, 2),
            "wall_s": round(stats.wall_s, 3),
            "first_frame_s": None if self.first_frame_s is None else round(self.first_frame_s, 3),
            "tracks_by_class": dict(sorted(stats.tracks.by_class.items())),
            "lines": self.lines,
            "zones": self.zones,
            "object_counts": self.object_counts,
            "presence": self.presence,
            "camera": self.camera,
            "outputs": list(self.outputs),
            "notes": list(self.notes),
        }


def _kinds(*kinds: str) -> dict[str, str]:
    return {kind: counted_as(EventKind(kind)) for kind in kinds}


def _frames(ledger: FrameLedger) -> dict[str, Any]:
    shown = (FrameState.DETECTED, FrameState.INTERPOLATED, FrameState.PREDICTED)
    counts = {state.value: ledger.count(state) for state in shown}
    return {"entered": ledger.entered, **counts, **{state.value: ledger.causes(state) for state in STATES_WITH_CAUSE}}


def _stage(times: DurationHistogram) -> dict[str, Any]:
    return {
        "p50_ms": round(times.percentile_s(50) * 1e3, 3),
        "p95_ms": round(times.percentile_s(95) * 1e3, 3),
        "total_s": round(times.total_s, 3),
        "count": times.count,
    }


def _age(ages: DurationHistogram) -> dict[str, Any]:
    percentiles = {"p50_ms": 50, "p95_ms": 95, "max_ms": 100}
    return {
        **{key: round(ages.percentile_s(percent) * 1e3, 1) for key, percent in percentiles.items()},
        "count": ages.count,
    }


class Progress(Protocol):
    """Shows how far a run is."""

    def update(self, stats: RunStats) -> None:
        """Called after each frame."""
        ...


class Reporter(Protocol):
    """Receives the messages, the progress and the report of a run. The thread that runs the stream calls it."""

    def message(self, text: str) -> None:
        """One line about what happens."""
        ...

    def started(self, destinations: Sequence[str]) -> None:
        """All parts are open: one line says where each output goes, another that no video is written."""
        ...

    def progress(self, total: int | None, *, live: bool) -> AbstractContextManager[Progress]:
        """A progress display, entered for as long as frames flow.

        Args:
            total: number of frames; None if unknown.
            live: the source is live.
        """
        ...

    def report(self, report: Report) -> None:
        """The final report."""
        ...


class SilentReporter:
    """A reporter for programs and notebooks: it shows nothing and keeps the final report."""

    final: Report | None = None
    """The report of the run; None until it has ended."""

    def message(self, text: str) -> None:
        """Does nothing."""

    def started(self, destinations: Sequence[str]) -> None:
        """Does nothing."""

    def progress(self, total: int | None, *, live: bool) -> AbstractContextManager[SilentReporter]:  # noqa: ARG002
        """A display that shows nothing."""
        return nullcontext(self)

    def update(self, stats: RunStats) -> None:
        """Does nothing."""

    def report(self, report: Report) -> None:
        """Keep the report."""
        self.final = report
