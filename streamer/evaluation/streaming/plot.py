"""Plots accuracy against latency, one panel per sequence."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from streamer.evaluation import figures
from streamer.evaluation.streaming.evaluate import SequenceResult
from streamer.system.suggestions import import_extra

_COLUMNS = 3
_PANEL_INCHES = (4.0, 3.1)
# Colours of Okabe and Ito, "Color Universal Design", 2008, which any colour vision can distinguish. The overlays of
# this program have thicker lines.
_STYLES: dict[str, dict[str, Any]] = {
    "stale": {"color": "#999999", "marker": "o", "label": "stale (the newest result unchanged)"},
    "forecast": {"color": "#E69F00", "marker": "s", "label": "forecast (motion model only)"},
    "detected": {"color": "#CC79A7", "marker": "v", "label": "detected"},
    "now": {"color": "#0072B2", "marker": "D", "linewidth": 2.4, "label": "now (carried to the displayed frame)"},
    "delayed": {"color": "#009E73", "marker": "^", "linewidth": 2.4, "label": "delayed (from both sides)"},
}


def write(path: Path, results: Sequence[SequenceResult]) -> None:
    """Draw F1 at IoU 0.5 against the detector's latency, replacing the file.

    Args:
        path: a .png or .svg file.
        results: at least one sequence.

    Raises:
        ConfigError, SinkUnavailable, SinkError: as of `figures.check`, or the file cannot be written.
    """
    figures.check(path)
    figure_module = import_extra("matplotlib.figure")  # pyplot would look for a window system
    columns = 2 if len(results) == 4 else min(_COLUMNS, len(results))
    rows = -(-len(results) // columns)
    # The legend is above the panels; a row of it has two or three entries.
    size = (max(columns, 1.6) * _PANEL_INCHES[0], rows * _PANEL_INCHES[1] + 0.8)
    figure = figure_module.Figure(figsize=size, layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False, sharey=True)
    for panel, result in zip(panels.flat, results, strict=False):
        _draw(panel, result)
    for panel in panels.flat[len(results) :]:
        panel.set_axis_off()
    for panel in panels[:, 0]:
        panel.set_ylabel("F1 at IoU 0.5, %")
    for panel in panels.flat[max(0, len(results) - columns) : len(results)]:
        panel.set_xlabel("detector latency, s")
    handles, labels = panels.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=2 if columns < _COLUMNS else 3, frameon=False)
    figures.save(figure, path)


def _draw(panel: Any, result: SequenceResult) -> None:
    latencies = sorted(result.by_latency, key=float)
    places = [float(latency) for latency in latencies]
    for method, style in _STYLES.items():
        if all(method in result.by_latency[latency] for latency in latencies):
            values = [result.by_latency[latency][method].f1 for latency in latencies]
            panel.plot(places, values, markersize=5, **{"linewidth": 1.6, **style})
    panel.axhline(
        result.no_latency.f1, color="black", linestyle=(0, (4, 3)), linewidth=1.2, label="a detector without latency"
    )
    panel.set_title(f"{result.name}, {float(result.fps):g} frames/s", fontsize=10)
    panel.set_xlim(left=0, right=1.05 * max(places) or 1)
    panel.set_ylim(0, 100)
    panel.grid(alpha=0.25)
    panel.spines[["top", "right"]].set_visible(False)
