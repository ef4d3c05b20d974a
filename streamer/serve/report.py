"""The report of a site: that of each camera, over all of its runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from streamer.flow.stats import RunStats
from streamer.observe.report import Report
from streamer.serve.status import CameraState, CameraStatus

_MOST_FILES = 1000
"""Files of a camera in its report, the last ones: a camera may begin again many times."""


@dataclass(frozen=True, slots=True)
class CameraReport:
    """What became of one camera.

    Attributes:
        status: its last state.
        report: of all of its runs, as of `run`.
    """

    status: CameraStatus
    report: Report

    def to_dict(self) -> dict[str, Any]:
        """The report as plain values, ready for JSON; the count `restart` says how often it was started again."""
        values = self.report.to_dict()
        restarts = {"restart": self.status.restarts} if self.status.restarts else {}
        return {**values, "counts": {**values["counts"], **restarts}}


@dataclass(frozen=True, slots=True)
class SiteReport:
    """The result of a site.

    Attributes:
        state: `complete`: all sources ended; `interrupted` or `failed`.
        wall_s: how long it ran, seconds.
        cameras: in the order of the settings, without those that were removed.
    """

    state: str
    wall_s: float
    cameras: Sequence[CameraReport]

    def to_dict(self) -> dict[str, Any]:
        """The report as plain values, ready for JSON (`streamer/observe/site_report.schema.json`)."""
        return {
            "state": self.state,
            "wall_s": round(self.wall_s, 3),
            "cameras": {one.status.name: one.to_dict() for one in self.cameras},
        }


def site_report(
    state: str, wall_s: float, cameras: Sequence[CameraStatus], reports: Mapping[str, Report]
) -> SiteReport:
    """The report of a site that has ended.

    Args:
        state, wall_s: see `SiteReport`.
        cameras: their last states.
        reports: by the name of the camera; a camera that was never connected has none.
    """
    return SiteReport(
        state, wall_s, [CameraReport(one, reports.get(one.name) or _without_a_run(one)) for one in cameras]
    )


def _without_a_run(camera: CameraStatus) -> Report:
    state = "interrupted" if camera.state is CameraState.STOPPED else "failed"
    event = camera.stats.source_fault or camera.last_event
    notes = [f"it was never connected: {event}"] if event else []
    return Report(camera.source, "", state, RunStats(camera.name), notes=notes)


def combined(earlier: Report | None, later: Report | None) -> Report | None:
    """One report of two runs of a camera; each may be None.

    It has the sums of the figures, the state of the later run, and all files and notes.
    """
    if earlier is None or later is None:
        return later or earlier
    stats = RunStats(later.stats.stream)
    for one in (earlier, later):
        stats.merge(one.stats)
    return replace(
        later,
        stats=stats,
        outputs=[*earlier.outputs, *later.outputs][-_MOST_FILES:],
        notes=list(dict.fromkeys([*earlier.notes, *later.notes])),
        first_frame_s=later.first_frame_s if earlier.first_frame_s is None else earlier.first_frame_s,
    )
