"""Scores of detections as a table for a terminal. Pure functions.

Separate from `tables`, which imports SciPy with the baselines of `evaluate streaming`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from rich.table import Table

from streamer.evaluation.detection.scores import Curve, DetectionScores
from streamer.evaluation.detection.truth import Metric
from streamer.system.paths import readable


def detection_scores(scores: DetectionScores) -> Table:
    """One row for each class with boxes, and one for all together; precision, recall and F1 at `scores.score`."""
    precisions = ("AP",) if scores.metric is Metric.OPEN_IMAGES else ("AP", "AP50")
    table = new_table("class", "boxes", *precisions, "precision", "recall", "F1", "best F1", "at score")
    for each in sorted(scores.classes, key=lambda one: one.name.casefold()):
        values = (each.ap, each.ap50)[: len(precisions)]
        table.add_row(readable(each.name), *_detection_cells(each.curve, values, scores.score))
    if len(scores.classes) > 1:
        table.add_section()
        values = tuple(float(np.mean([getattr(one, name.lower()) for one in scores.classes])) for name in precisions)
        table.add_row(f"all {len(scores.classes)} classes", *_detection_cells(scores.all_classes, values, scores.score))
    return table


def detection_lines(scores: DetectionScores) -> list[str]:
    """The figures that the metric is known for, the best score, and what was left out."""
    metric = "Open Images Challenge, IoU 0.5" if scores.metric is Metric.OPEN_IMAGES else "COCO, IoU 0.50 to 0.95"
    recalls = {name: value for name, value in scores.summary.items() if name.startswith("AR")}
    precisions = {name: value for name, value in scores.summary.items() if name not in recalls}
    pooled = scores.all_classes
    chosen, best = pooled.at(scores.score), pooled.best()
    return [
        f"{scores.detector} on {scores.images} images ({metric}):",
        *(", ".join(f"{name} {value:.4f}" for name, value in each.items()) for each in (precisions, recalls) if each),
        f"F1 {chosen.f1:.4f} at score {chosen.score:.3g}, best F1 {best.f1:.4f} at score {best.score:.3f} (IoU 0.5)",
        *scores.notes,
    ]


def new_table(first: str, *columns: str) -> Table:
    """A table with figures in all columns but the first."""
    table = Table(box=None, pad_edge=False)
    table.add_column(first, no_wrap=True)
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    return table


def _detection_cells(curve: Curve, precisions: Sequence[float], score: float) -> list[str]:
    chosen, best = curve.at(score), curve.best()
    shares = (*precisions, chosen.precision, chosen.recall, chosen.f1, best.f1, best.score)
    return [f"{curve.truths:g}", *(f"{share:.3f}" for share in shares)]
