"""Scores as tables for a terminal. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from rich.table import Table

from streamer.evaluation.detection_tables import new_table
from streamer.evaluation.steadiness import SteadinessReport, Steps
from streamer.evaluation.streaming.evaluate import NO_LATENCY, SequenceResult
from streamer.evaluation.streaming.evaluate_shared import Ages, SharedResult, age_percentiles
from streamer.evaluation.streaming.scores import NAMES, StreamingScores
from streamer.evaluation.track_scores import Scores, TrackScores
from streamer.system.paths import readable

SHARED_COLUMNS = ("policy", "F1", "age p50 s", "p95 s", "detections", "wait s")
SHARED_LEGEND = (
    "age: time since the object of a box on screen was last detected; wait: the longest time between two detections; "
    "all: mean F1"
)
TRACK_COLUMNS = ("HOTA", "DetA", "AssA", "MOTA", "IDF1", "IDSW")


def track_scores(scores: Scores) -> Table:
    """One row for each sequence and each pool."""
    table = new_table("sequence", *TRACK_COLUMNS)
    for name, one in scores.by_sequence.items():
        table.add_row(readable(name), *_track_cells(one))
    table.add_section()
    for name, one in scores.pooled.items():
        table.add_row(readable(f"pooled {name}"), *_track_cells(one))
    return table


def streaming_scores(result: SequenceResult) -> Table:
    """One row for each method at each latency of one sequence."""
    table = new_table(f"{readable(result.name)}, {float(result.fps):g} frames/s", "latency s", *NAMES)
    table.add_row(NO_LATENCY, "0", *_streaming_cells(result.no_latency))
    for latency, methods in result.by_latency.items():
        table.add_section()
        for method, scores in methods.items():
            table.add_row(method, latency, *_streaming_cells(scores))
    return table


def shared_scores(results: Sequence[SharedResult]) -> Table:
    """One row for each stream and policy, at one latency with one overlay. All streams share a detector."""
    first = results[0]
    table = new_table(f"{first.overlay}, latency {first.latency} s", *SHARED_COLUMNS)
    for rows in zip(*(result.streams for result in results), strict=True):
        for result, stream in zip(results, rows, strict=True):
            cells = (f"{stream.scores.f1:.2f}", *_age_cells(stream.ages_s), str(stream.detections))
            name = readable(stream.name) if result is first else ""
            table.add_row(name, result.policy, *cells, f"{stream.longest_wait_s:.2f}")
    table.add_section()
    for result in results:
        ages_s = np.concatenate([one.ages_s for one in result.streams])
        detections = str(sum(one.detections for one in result.streams))
        wait_s = max(one.longest_wait_s for one in result.streams)
        name = "all" if result is first else ""
        table.add_row(name, result.policy, f"{result.f1:.2f}", *_age_cells(ages_s), detections, f"{wait_s:.2f}")
    return table


def steadiness(report: SteadinessReport) -> Table:
    """Two rows of steps. `id_line` has the ids."""
    table = new_table("frame to frame", "steps", "IoU p50", "p5", "shift p50", "p95", "deviation p50", "p95")
    for name, steps in (("detection arrived", report.landed), ("between", report.between)):
        table.add_row(name, *_step_cells(steps))
    return table


STEADINESS_LEGEND = (
    "shift: how far the centre moved; deviation: how far it is from where constant velocity puts it; in box sizes"
)


def id_line(report: SteadinessReport) -> str:
    """One line about broken ids."""
    ids = report.ids
    return (
        f"{ids.ids} ids, shown for {ids.shown_s:.1f} s together in {report.duration_s:.1f} s; {ids.ended_inside} ended "
        f"inside the frame, {ids.breaks} of them broke ({ids.breaks_per_minute:.2f} per minute of an object)"
    )


def _track_cells(scores: TrackScores) -> list[str]:
    values = scores.to_dict()
    return [_cell(values[column]) for column in TRACK_COLUMNS]


def _streaming_cells(scores: StreamingScores) -> list[str]:
    return [_cell(value) for value in scores.to_dict().values()]


def _step_cells(steps: Steps) -> list[str]:
    shares = (steps.iou_p50, steps.iou_p5, steps.shift_p50, steps.shift_p95, steps.deviation_p50, steps.deviation_p95)
    return [str(steps.count), *(f"{share:.3f}" if steps.count else "-" for share in shares)]


def _age_cells(ages_s: Ages) -> list[str]:
    return ["-" if age_s is None else f"{age_s:.2f}" for age_s in age_percentiles(ages_s)]


def _cell(value: float | int) -> str:
    return f"{value:.2f}" if isinstance(value, float) else str(value)
