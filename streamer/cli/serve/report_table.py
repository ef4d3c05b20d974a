"""The report of a site as text: a line a camera. Pure functions of the main thread."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.table import Table
from rich.text import Text

from streamer.cli import report_text
from streamer.cli.serve.status_table import short, shortened
from streamer.flow.stats import RunStats
from streamer.serve.report import CameraReport, SiteReport
from streamer.serve.status import CameraState
from streamer.system.paths import readable
from streamer.system.suggestions import counted
from streamer.values.states import FrameState

_NAME = 16
_NUMBERS = ("in", "shown", "detected", "dropped", "lost")
_MOST_LINES, _MOST_NAMES = 12, 3


def head(report: SiteReport) -> str:
    """State, cameras, frames and time."""
    shown = sum(one.report.stats.shown for one in report.cameras)
    rate = shown / report.wall_s if report.wall_s else 0.0
    cameras = counted(len(report.cameras), "camera")
    return f"{report.state}: {cameras}, {counted(shown, 'frame')} shown in {report.wall_s:.1f} s, {rate:.1f} fps"


def table(report: SiteReport) -> Table:
    """The figures of each camera; it fits 80 columns."""
    rows = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    rows.add_column("camera", no_wrap=True)
    for heading in (*_NUMBERS, "age p50/p95", "restarts", "objects"):
        rows.add_column(heading, justify="right", no_wrap=True)
    for one in report.cameras:
        stats = one.report.stats
        figures = [*_counts(stats), one.status.restarts, sum(stats.tracks.by_class.values())]
        cells = [*map(short, figures[:5]), _age(stats), *map(short, figures[5:])]
        rows.add_row(Text(shortened(readable(one.status.name), _NAME)), *cells)
    return rows


def _counts(stats: RunStats) -> list[int]:
    count = stats.ledger.count
    lost = count(FrameState.LOST) + count(FrameState.CORRUPT)
    return [stats.ledger.entered, stats.shown, count(FrameState.DETECTED), count(FrameState.DROPPED), lost]


def _age(stats: RunStats) -> str:
    ages = stats.ages.get("shown")
    if ages is None or not ages.count:
        return "-"
    return f"{ages.percentile_s(50) * 1e3:.0f}/{ages.percentile_s(95) * 1e3:.0f} ms"


def found(report: SiteReport) -> Iterator[str]:
    """What the rules of each camera counted and what was stored of its events, as in the report of `run`."""
    lines = [
        f"{camera.status.name}: {line}"
        for camera in report.cameras
        for line in (*report_text.stored(camera.report.stats), *report_text.rules(camera.report))
    ]
    yield from _first(lines, "counts")


def _first(lines: Sequence[str], what: str) -> Iterator[str]:
    yield from lines[:_MOST_LINES]
    if len(lines) > _MOST_LINES:
        yield f"{len(lines) - _MOST_LINES} more {what}; --report FILE has all of them"


def notes(report: SiteReport) -> Iterator[str]:
    """Why cameras failed, and the notes of the others, one line each; a note of several cameras once."""
    names: dict[str, list[str]] = {}
    for camera in report.cameras:
        for note in _notes(camera):
            names.setdefault(note, []).append(camera.status.name)
    lines = [
        f"{', '.join(of) if len(of) <= _MOST_NAMES else counted(len(of), 'camera')}: {note}"
        for note, of in names.items()
    ]
    yield from _first(lines, "notes")


def _notes(camera: CameraReport) -> Sequence[str]:
    status = camera.status
    if camera.report.state == "failed" and status.state is not CameraState.RUNNING and status.last_event:
        return [f"failed: {status.last_event}"]
    return camera.report.notes


def written(report: SiteReport) -> Iterator[str]:
    """How many files were finished in which folders."""
    folders = Counter(str(Path(path).parent) for one in report.cameras for path in one.report.outputs)
    for folder, files in folders.items():
        where = "in this folder" if folder == "." else f"in {folder}"
        yield f"written: {counted(files, 'file')} {where}"
