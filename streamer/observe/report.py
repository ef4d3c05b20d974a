"""The account of one run, for people and for programs. Made by the main thread once the run has ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from streamer.flow.stats import RunStats
from streamer.values.states import FrameState


@dataclass(frozen=True, slots=True)
class Report:
    """What happened.

    Attributes:
        source: readable name of the input, without credentials.
        detector: which one ran, and why.
        state: `complete`, `interrupted` or `failed`.
        stats: the figures of the run.
        outputs: paths of the finished outputs.
        notes: what the outputs could not carry, and whatever else a user must know.
        first_frame_s: from the start of the program to the first scene; None without any.
    """

    source: str
    detector: str
    state: str
    stats: RunStats
    outputs: Sequence[str] = ()
    notes: Sequence[str] = field(default=())
    first_frame_s: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """The report as plain values, ready for JSON. Times in the unit that the key names."""
        stats, ledger = self.stats, self.stats.ledger
        return {
            "source": self.source,
            "detector": self.detector,
            "state": self.state,
            "frames": {
                "entered": ledger.entered,
                "detected": ledger.count(FrameState.DETECTED),
                "interpolated": ledger.count(FrameState.INTERPOLATED),
                "predicted": ledger.count(FrameState.PREDICTED),
                "lost": ledger.causes(FrameState.LOST),
                "dropped": ledger.causes(FrameState.DROPPED),
                "corrupt": ledger.causes(FrameState.CORRUPT),
                "flagged_corrupt": stats.flagged_corrupt,
            },
            "stages": {
                name: {
                    "p50_ms": round(times.percentile_s(50) * 1e3, 3),
                    "p95_ms": round(times.percentile_s(95) * 1e3, 3),
                    "total_s": round(times.total_s, 3),
                    "count": times.count,
                    "threads": stats.threads.get(name, 1),
                }
                for name, times in stats.stages.items()
                if times.count
            },
            "ages": {
                where: {
                    "p50_ms": round(ages.percentile_s(50) * 1e3, 1),
                    "p95_ms": round(ages.percentile_s(95) * 1e3, 1),
                    "max_ms": round(ages.percentile_s(100) * 1e3, 1),
                    "count": ages.count,
                }
                for where, ages in stats.ages.items()
            },
            "counts": {f"{what}: {cause}" if cause else what: n for (what, cause), n in sorted(stats.counts.items())},
            "bottleneck": stats.bottleneck,
            "throughput_fps": round(stats.throughput_fps, 2),
            "wall_s": round(stats.wall_s, 3),
            "first_frame_s": None if self.first_frame_s is None else round(self.first_frame_s, 3),
            "tracks_by_class": dict(sorted(stats.tracks.by_class.items())),
            "outputs": list(self.outputs),
            "notes": list(self.notes),
        }
