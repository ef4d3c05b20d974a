"""Accuracy of the displayed boxes by latency: the overlays of the program beside the baselines."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from streamer.config.settings import TrackerSettings
from streamer.errors import ConfigError
from streamer.evaluation import sequences
from streamer.evaluation.streaming import baselines, mot_rows
from streamer.evaluation.streaming.scores import StreamingScores, score
from streamer.evaluation.streaming.simulation import displayed_tracks
from streamer.run.trackers import build_tracker
from streamer.system.suggestions import nearest
from tracking.types import Detections, Tracks

OVERLAYS = ("now", "detected", "delayed")
BASELINES = ("stale", "linear", "kalman", "forecast")
NO_LATENCY = "no latency"
Displays = Sequence[Tracks] | Sequence[Detections]
# The text is also part of a folder's name.
_SECONDS = re.compile(r"\d+(\.\d*)?|\.\d+")


@dataclass(frozen=True, slots=True)
class Task:
    """The parameters of an evaluation.

    Attributes:
        latencies: latencies of the detector in seconds, as typed.
        overlays: some of `OVERLAYS`.
        tracker: name of the tracker.
        detections: name of the file in `det/`; the default files if None.
        fps: frame rate; that of each sequence if None.
    """

    latencies: tuple[str, ...]
    overlays: tuple[str, ...]
    tracker: str
    detections: str | None = None
    fps: Fraction | None = None

    @classmethod
    def parse(cls, latencies: str, overlays: str, **others: Any) -> Task:
        """From lists that are separated by commas.

        Raises:
            ConfigError: a latency is no number of seconds, or an overlay does not exist.
        """
        times, names = split(latencies), split(overlays)
        for text in times:
            if not _SECONDS.fullmatch(text):
                raise ConfigError(f"--latency takes seconds separated by commas, such as 0.1,0.5,1.0, not {text!r}")
        for name in names:
            if name not in OVERLAYS:
                raise ConfigError(f"--overlay: no overlay {name!r}{nearest(name, OVERLAYS)}")
        if not times or not names:
            raise ConfigError("--latency and --overlay need at least one value")
        return cls(times, names, **others)


@dataclass(frozen=True, slots=True)
class SequenceResult:
    """Scores of one sequence.

    Attributes:
        name: name of the sequence.
        fps: frame rate at which it was played.
        frames: number of scored frames.
        no_latency: scores of the detector's boxes, each on its own frame.
        by_latency: scores by latency as typed, then by method: `BASELINES` and overlays.
    """

    name: str
    fps: Fraction
    frames: int
    no_latency: StreamingScores
    by_latency: Mapping[str, Mapping[str, StreamingScores]]

    def to_dict(self) -> dict[str, Any]:
        """The result as plain values, ready for JSON."""
        return {
            "fps": float(self.fps),
            "frames": self.frames,
            NO_LATENCY: self.no_latency.to_dict(),
            "latency": {
                latency: {method: scores.to_dict() for method, scores in methods.items()}
                for latency, methods in self.by_latency.items()
            },
        }


def evaluate(sequence: sequences.Sequence, task: Task, shown_folder: Path | None = None) -> SequenceResult:
    """Score one sequence at all latencies.

    Args:
        sequence: has ground truth and detections.
        task: the parameters.
        shown_folder: the displayed boxes are written to `<method>-<latency>/<sequence>.txt` in it; not written if None.

    Raises:
        SourceUnavailable, ConfigError: ground truth or detections cannot be used.
        SinkUnavailable, SinkError: the displayed boxes cannot be written.
    """
    truth = sequence.ground_truth().by_frame(sequence.frames)
    detections = sequence.detections(task.detections)
    clip = mot_rows.lie_inside(detections, sequence.size)
    fps = task.fps or sequence.fps

    def scored(displayed: Displays, folder: str) -> StreamingScores:
        rows = mot_rows.rows(displayed, sequence.size, clip=clip)
        if shown_folder is not None:
            mot_rows.write(shown_folder / folder / f"{sequence.name}.txt", rows)
        return score([mot_rows.parse(each) for each in rows], truth)

    by_latency = {
        latency: {
            method: scored(displayed, f"{method}-{latency}")
            for method, displayed in _by_method(sequence, task, float(latency), detections).items()
        }
        for latency in task.latencies
    }
    no_latency = scored(baselines.stale(detections, fps, 0.0), NO_LATENCY.replace(" ", "-"))
    return SequenceResult(sequence.name, fps, sequence.frames, no_latency, by_latency)


def _by_method(
    sequence: sequences.Sequence, task: Task, latency_s: float, detections: Sequence[Detections]
) -> dict[str, Displays]:
    fps = task.fps or sequence.fps
    settings = TrackerSettings(name=task.tracker)
    tracker = build_tracker(settings, detection_interval_s=latency_s + float(1 / fps))
    methods: dict[str, Displays] = {
        "stale": baselines.stale(detections, fps, latency_s),
        "linear": baselines.linear(detections, fps, latency_s),
        "kalman": baselines.kalman(detections, fps, latency_s),
        "forecast": baselines.forecast(detections, fps, latency_s, tracker),
    }
    for overlay in task.overlays:
        methods[overlay] = displayed_tracks(
            sequence,
            overlay=overlay,
            latency_s=latency_s,
            tracker=task.tracker,
            detections=task.detections,
            fps=task.fps,
        )
    return methods


def split(text: str) -> tuple[str, ...]:
    """The values of a list separated by commas, each once, in order."""
    return tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
