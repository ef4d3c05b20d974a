"""How right what is on screen is, by latency: the program's overlays beside the plain ways. Main thread."""

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
from streamer.evaluation.streaming.simulation import displayed_tracks
from streamer.evaluation.streaming.scores import StreamingScores, score
from streamer.run import wiring
from streamer.system.suggestions import nearest
from tracking.types import Detections, Tracks

OVERLAYS = ("now", "detected", "delayed")
BASELINES = ("stale", "linear", "kalman", "forecast")
NO_LATENCY = "no latency"
# It names a folder too.
_SECONDS = re.compile(r"\d+(\.\d*)?|\.\d+")


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be evaluated.

    Attributes:
        latencies: of the detector, seconds as they were typed.
        overlays: of `OVERLAYS`.
        tracker: by name.
        detections: name of the file in `det/`; the usual ones if None.
        fps: frames a second; each sequence's own if None.
    """

    latencies: tuple[str, ...]
    overlays: tuple[str, ...]
    tracker: str
    detections: str | None = None
    fps: Fraction | None = None

    @classmethod
    def of(cls, latencies: str, overlays: str, **more: Any) -> Task:
        """From lists by comma, as they are typed.

        Raises:
            ConfigError: a latency that is no number of seconds, or no such overlay.
        """
        times, ways = _split(latencies), _split(overlays)
        for text in times:
            if not _SECONDS.fullmatch(text):
                raise ConfigError(f"--latency takes seconds by comma, such as 0.1,0.5,1.0, not {text!r}")
        for way in ways:
            if way not in OVERLAYS:
                raise ConfigError(f"--overlay: no overlay {way!r}{nearest(way, OVERLAYS)}")
        if not times or not ways:
            raise ConfigError("--latency and --overlay need at least one value")
        return cls(times, ways, **more)


@dataclass(frozen=True, slots=True)
class SequenceResult:
    """Scores of one sequence.

    Attributes:
        name: the sequence's.
        fps: frames a second at which it was played.
        frames: how many instants were scored.
        no_latency: the detector's own boxes, each on its own frame.
        by_latency: by latency as typed, then by `BASELINES` and overlays.
    """

    name: str
    fps: Fraction
    frames: int
    no_latency: StreamingScores
    by_latency: Mapping[str, Mapping[str, StreamingScores]]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "fps": float(self.fps),
            "frames": self.frames,
            NO_LATENCY: self.no_latency.to_dict(),
            "latency": {
                latency: {way: scores.to_dict() for way, scores in ways.items()}
                for latency, ways in self.by_latency.items()
            },
        }


def evaluate(sequence: sequences.Sequence, task: Task, shown_folder: Path | None = None) -> SequenceResult:
    """Score one sequence at all latencies.

    Args:
        sequence: with ground truth and detections.
        task: what is wanted.
        shown_folder: what was on screen is written to `<way>-<latency>/<sequence>.txt` in it; not kept if None.

    Raises:
        SourceUnavailable, ConfigError: ground truth or detections that cannot be used.
        SinkUnavailable, SinkError: what was shown cannot be written.
    """
    truth = sequence.ground_truth().by_frame(sequence.frames)
    detections = sequence.detections(task.detections)
    clip = mot_rows.lie_inside(detections, sequence.size)
    fps = task.fps or sequence.fps

    def scored(way: Sequence[Tracks] | Sequence[Detections], folder: str) -> StreamingScores:
        rows = mot_rows.rows(way, sequence.size, clip=clip)
        if shown_folder is not None:
            mot_rows.write(shown_folder / folder / f"{sequence.name}.txt", rows)
        return score([mot_rows.parse(each) for each in rows], truth)

    by_latency = {
        latency: {
            way: scored(on_screen, f"{way}-{latency}")
            for way, on_screen in _ways(sequence, task, float(latency), detections).items()
        }
        for latency in task.latencies
    }
    no_latency = scored(baselines.stale(detections, fps, 0.0), NO_LATENCY.replace(" ", "-"))
    return SequenceResult(sequence.name, fps, sequence.frames, no_latency, by_latency)


def _ways(
    sequence: sequences.Sequence, task: Task, latency_s: float, detections: Sequence[Detections]
) -> dict[str, Sequence[Tracks] | Sequence[Detections]]:
    fps = task.fps or sequence.fps
    settings = TrackerSettings(name=task.tracker)
    tracker = wiring.build_tracker(settings, detection_interval_s=latency_s + float(1 / fps))
    ways: dict[str, Sequence[Tracks] | Sequence[Detections]] = {
        "stale": baselines.stale(detections, fps, latency_s),
        "linear": baselines.linear(detections, fps, latency_s),
        "kalman": baselines.kalman(detections, fps, latency_s),
        "forecast": baselines.forecast(detections, fps, latency_s, tracker),
    }
    for overlay in task.overlays:
        ways[overlay] = shown(
            sequence,
            overlay=overlay,
            latency_s=latency_s,
            tracker=task.tracker,
            detections=task.detections,
            fps=task.fps,
        )
    return ways


def _split(text: str) -> tuple[str, ...]:
    """The values of a list by comma, each once, in order."""
    return tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
