"""The final report as text. Pure functions, used by the thread that runs the stream."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from rich.table import Table

from streamer.flow.stats import DETECTED, LEAST_TRACK_S, RunStats
from streamer.observe.report import STATES_WITH_CAUSE, Report
from streamer.parts.values import DETECTED_HERE, DIFFERING, JOINED, MISSING
from streamer.system.paths import readable
from streamer.system.suggestions import counted
from streamer.values.events import COUNTED
from streamer.values.states import FrameState

_STORED = (("event", "stored"), ("clip", "written"), ("clip", "dropped"), ("snapshot", "dropped"))
_OF_EVENTS = tuple(dict.fromkeys(what for what, _ in _STORED))
MOST_CLASSES = 8
MOST_FILES = 6


def head(report: Report) -> list[str]:
    """State, rate and the final states of the frames."""
    stats, ledger = report.stats, report.stats.ledger
    carried = (FrameState.INTERPOLATED, FrameState.PREDICTED)
    parts = [f"{ledger.count(FrameState.DETECTED)} detected"]
    parts += [f"{ledger.count(state)} {state}" for state in carried if ledger.count(state)]
    for state in STATES_WITH_CAUSE:
        parts += [f"{frames} {state} ({cause})" for cause, frames in ledger.causes(state).items()]
    if stats.flagged_corrupt:
        parts.append(f"{stats.flagged_corrupt} shown although flagged as damaged")
    return [
        f"{report.state}: {counted(ledger.entered, 'frame')} in {stats.wall_s:.1f} s, {stats.throughput_fps:.1f} fps",
        "frames: " + ", ".join(parts),
        *_reasons(stats),
        *_joined(stats),
    ]


def _joined(stats: RunStats) -> list[str]:
    """Where the detections came from, if other processes detected."""
    counts = stats.counts
    here = {cause: counts.get((DETECTED_HERE, cause), 0) for cause in (MISSING, DIFFERING)}
    joined = counts.get((JOINED, ""), 0)
    if not joined and not any(here.values()):
        return []
    parts = [f"{n} {cause} and detected here" for cause, n in here.items() if n]
    return [f"from parts: {', '.join([counted(joined, 'frame'), *parts])}"]


def _reasons(stats: RunStats) -> list[str]:
    """Why frames were chosen to be detected, if the run chose them."""
    counts = [(n, reason) for (what, reason), n in stats.counts.items() if what == DETECTED]
    return ["detected because: " + ", ".join(f"{n} {reason}" for n, reason in sorted(counts, reverse=True))] * bool(
        counts
    )


def stages(stats: RunStats) -> Table:
    """One row for each stage: durations, and how busy its threads were."""
    table = Table(box=None, pad_edge=False)
    table.add_column("stage")
    for heading in ("p50 ms", "p95 ms", "busy"):
        table.add_column(heading, justify="right")
    table.add_column()
    for name, times in stats.stages.items():
        if times.count:
            p50, p95 = times.percentile_s(50) * 1e3, times.percentile_s(95) * 1e3
            marker = "<- bottleneck" if name == stats.bottleneck else ""
            table.add_row(name, f"{p50:.2f}", f"{p95:.2f}", _busy(stats, name, times.total_s), marker)
    return table


def _busy(stats: RunStats, name: str, total_s: float) -> str:
    if name in stats.recorded:
        return "recorded"
    return f"{total_s / stats.threads.get(name, 1) / max(stats.wall_s, 1e-9):.0%}"


def figures(stats: RunStats) -> list[str]:
    """The age of live frames, counts and tracks."""
    ages = [
        f"{place} {times.percentile_s(50) * 1e3:.0f} / {times.percentile_s(95) * 1e3:.0f} ms"
        for place, times in stats.ages.items()
    ]
    counts = [
        f"{n} {what} ({readable(cause)})"
        for (what, cause), n in sorted(stats.counts.items())
        if cause and what not in (DETECTED, DETECTED_HERE, *COUNTED, *_OF_EVENTS)
    ]
    lines = ["age of the frames, p50 / p95: " + ", ".join(ages)] if ages else []
    lines += ["other counts: " + ", ".join(counts)] if counts else []
    return [*lines, *stored(stats), _tracks(stats)]


def stored(stats: RunStats) -> list[str]:
    """What was stored of events."""
    events, written, dropped, pictures = (stats.counts.get(key, 0) for key in _STORED)
    if not events:
        return []
    clips = [f"{counted(written, 'clip')}"] if written else []
    clips += [f"{counted(dropped, 'clip')} dropped"] if dropped else []
    clips += [f"{counted(pictures, 'snapshot')} dropped"] if pictures else []
    return [", ".join([f"events: {events} stored", *clips])]


def rules(report: Report) -> list[str]:
    """The counts of each rule, and how often the camera was lost, covered or moved."""
    told = [f"line {name}: {ways['in']} in, {ways['out']} out" for name, ways in report.lines.items()]
    for name, kinds in report.zones.items():
        dwelt = f", {kinds['dwell']} dwelt" if kinds["dwell"] else ""
        told.append(f"zone {name}: {kinds['enter']} entered, {kinds['leave']} left{dwelt}{_beyond(kinds)}")
    for name, kinds in report.object_counts.items():
        told.append(f"count {name}: {_beyond(kinds).removeprefix(', ') or 'always within its limits'}")
    for name, kinds in report.presence.items():
        told.append(f"presence {name}: appeared {counted(kinds['appear'], 'time')}")
    happened = [f"{name} {counted(times, 'time')}" for name, times in report.camera.items() if times]
    return [*told, f"camera: {', '.join(happened)}"] if happened else told


def _beyond(kinds: Mapping[str, int]) -> str:
    """How often a number was beyond its limits: `, above its limit 2 times`."""
    times = {kind: kinds[kind] for kind in ("above", "below") if kinds[kind]}
    return "".join(f", {kind} its limit {counted(number, 'time')}" for kind, number in times.items())


def notes(report: Report, warned: Collection[str]) -> list[str]:
    """Each note once, without those that were warnings, also of one output: `out.mp4: note`."""
    told = {*warned, *(warning.partition(": ")[2] for warning in warned)}
    return [f"note: {note}" for note in dict.fromkeys(report.notes) if note not in told]


def destinations(report: Report) -> list[str]:
    """The finished files, and what was served."""
    shown = [f"written: {path}" for path in report.outputs]
    if len(shown) > MOST_FILES:
        first, last = shown[: MOST_FILES // 2], shown[-MOST_FILES // 2 + 1 :]
        shown = [*first, f"written: {len(shown) - len(first) - len(last)} more files", *last]
    return [*shown, *report.remarks]


def _tracks(stats: RunStats) -> str:
    counts = sorted(((count, name) for name, count in stats.tracks.by_class.items()), reverse=True)
    shown = [f"{name} {count}" for count, name in counts[:MOST_CLASSES]]
    if len(counts) > MOST_CLASSES:
        shown.append(f"{len(counts) - MOST_CLASSES} more classes")
    if not shown and stats.tracks.shorter:
        return f"tracks: none of {LEAST_TRACK_S:g} s or more, {stats.tracks.shorter} shorter"
    return "tracks: " + (", ".join(shown) or "none")
