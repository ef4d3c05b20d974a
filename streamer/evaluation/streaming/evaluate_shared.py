"""Accuracy on the screens of several streams that share one detector, by policy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from streamer.config.settings import TrackerSettings
from streamer.detectors.recorded import RecordedDetector
from streamer.errors import ConfigError
from streamer.evaluation import sequences
from streamer.evaluation.sequence_frames import find_frames
from streamer.evaluation.sequence_source import SequenceSource
from streamer.evaluation.streaming import mot_rows
from streamer.evaluation.streaming.scores import StreamingScores, score
from streamer.evaluation.streaming.shared_detector import SharedRun, SimulatedStream
from streamer.inference.turn_record import TurnRecord, usual_max_age_s
from streamer.registry import POLICIES
from streamer.run.trackers import build_tracker
from streamer.values.labels import LabelTable
from streamer.values.states import Overlay
from tracking.types import Tracks


@dataclass(frozen=True, slots=True)
class StreamResult:
    """What was on the screen of one stream.

    Attributes:
        name: of the sequence; `NAME (2)` where it was given a second time.
        fps: frame rate.
        frames: number of scored frames.
        scores: of the boxes on screen when each frame arrived.
        age_p50_s, age_p95_s: time since the object of a box on screen was last detected; 0 without boxes.
        detections: number of its frames that were detected.
        longest_wait_s: the longest time from the beginning of one detection to that of the next.
    """

    name: str
    fps: Fraction
    frames: int
    scores: StreamingScores
    age_p50_s: float
    age_p95_s: float
    detections: int
    longest_wait_s: float

    def to_dict(self) -> dict[str, Any]:
        """The result as plain values, ready for JSON."""
        return {
            "fps": float(self.fps),
            "frames": self.frames,
            **self.scores.to_dict(),
            "age_p50_s": self.age_p50_s,
            "age_p95_s": self.age_p95_s,
            "detections": self.detections,
            "longest_wait_s": self.longest_wait_s,
        }


def evaluate_shared(
    found: Sequence[sequences.Sequence],
    *,
    policy: str,
    latency_s: float,
    overlay: str = "now",
    tracker: str,
    detections: str | None = None,
    fps: Fraction | None = None,
    max_age_s: float | None = None,
) -> list[StreamResult]:
    max_age_s = max_age_s or usual_max_age_s(len(found), latency_s)
    with ExitStack() as stack:
        streams = []
        for number, sequence in enumerate(found, 1):
            rate = fps or sequence.fps
            settings = TrackerSettings(name=tracker)
            built = build_tracker(settings, detection_interval_s=len(found) * latency_s + float(1 / rate))
            detector = RecordedDetector(
                dict(enumerate(sequence.detections(detections))), LabelTable(("object",)), size=sequence.size
            )
            source = stack.enter_context(SequenceSource(sequence, rate, find_frames(sequence)))
            record = TurnRecord(number, max_age_s)
            streams.append(SimulatedStream(record, source, detector, built, Overlay(overlay), sequence.size))
        SharedRun(streams, POLICIES[policy](), latency_s).run()
    return [_result(sequence, stream, fps, detections) for sequence, stream in zip(found, streams, strict=True)]


def _result(sequence, stream, fps, detections) -> StreamResult:
    shown = [stream.shown.get(index, Tracks.empty()) for index in range(sequence.frames)]
    clip = mot_rows.lie_inside(sequence.detections(detections), sequence.size)
    rows = mot_rows.rows(shown, sequence.size, clip=clip)
    truth = sequence.ground_truth().by_frame(sequence.frames)
    scores = score([mot_rows.parse(each) for each in rows], truth)
    ages = np.concatenate([np.zeros(0), *(one.unseen_s for one in shown)])
    p50, p95 = np.percentile(ages, (50, 95)) if len(ages) else (0.0, 0.0)
    return StreamResult(
        sequence.name, fps or sequence.fps, sequence.frames, scores, float(p50), float(p95), stream.record.turns,
        stream.longest_wait_s,
    )
