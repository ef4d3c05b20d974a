"""Plots precision against recall at IoU 0.5. Main thread."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from streamer.evaluation import figures
from streamer.evaluation.detection.scores import ClassScores, Curve, DetectionScores
from streamer.system.suggestions import import_extra

# Colours of Okabe and Ito, "Color Universal Design", 2008, which any colour vision can distinguish.
_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#999999")
_INCHES = (6.4, 4.8)


def write(path: Path, scores: DetectionScores) -> None:
    """Draw a line for each class and one for all classes together, replacing the file.

    With more classes than colours only the line of all classes has a name. A dot marks the score at which precision
    and recall are told.

    Args:
        path: a .png or .svg file.
        scores: at least one class.

    Raises:
        ConfigError, SinkUnavailable, SinkError: as of `figures.check`, or the file cannot be written.
    """
    figures.check(path)
    figure = import_extra("matplotlib.figure").Figure(figsize=_INCHES, layout="constrained")
    panel = figure.subplots()
    classes = sorted(scores.classes, key=lambda each: -each.ap50)
    named = len(classes) <= len(_COLOURS)
    for at, each in enumerate(classes):
        style = {"color": _COLOURS[at], "label": _label(each)} if named else {"color": "#999999", "alpha": 0.3}
        _line(panel, each.curve, scores.score, linewidth=1.6 if named else 0.8, dot=named, **style)
    if len(classes) > 1:
        label = f"all {len(classes)} classes together"
        _line(panel, scores.all_classes, scores.score, linewidth=2.6, dot=True, color="black", label=label)
    panel.set_xlabel("recall at IoU 0.5")
    panel.set_ylabel("precision")
    panel.set_xlim(0, 1.02)
    panel.set_ylim(0, 1.02)
    panel.grid(alpha=0.25)
    panel.spines[["top", "right"]].set_visible(False)
    name, value = next(iter(scores.summary.items()))
    panel.set_title(f"{scores.detector}: {name} {value:.3f}, {scores.images} images", fontsize=10)
    figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=9, title=f"dot: score {scores.score:g}")
    figures.save(figure, path)


def _line(panel: Any, curve: Curve, score: float, *, dot: bool, **style: Any) -> None:
    panel.plot(curve.recall, curve.precision, **style)
    point = curve.at(score)
    if dot and point.recall:
        panel.plot([point.recall], [point.precision], "o", color=style["color"], markersize=6)


def _label(each: ClassScores) -> str:
    return f"{each.name} (AP50 {each.ap50:.3f})"
