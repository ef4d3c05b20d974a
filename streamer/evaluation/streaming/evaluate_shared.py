"""Accuracy on the screens of several streams that share one detector, by policy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from streamer.config.settings import TrackerSettings
from streamer.detectors.recorded import RecordedDetector
from streamer.errors import ConfigError
from streamer.evaluation import sequences
from streamer.evaluation.sequence_frames import find_frames
from streamer.evaluation.sequence_source import SequenceSource
from streamer.evaluation.streaming import mot_rows
from streamer.evaluation.streaming.evaluate import Task, split
from streamer.evaluation.streaming.scores import StreamingScores, score
from streamer.evaluation.streaming.shared_detector import SharedRun, SimulatedStream
from streamer.inference.pool import default_max_age_s
from streamer.inference.turn_record import TurnRecord
from streamer.registry import POLICIES
from streamer.run.trackers import build_tracker
from streamer.system.suggestions import nearest
from streamer.values.labels import LabelTable
from streamer.values.states import Overlay
from tracking.types import Tracks

Ages = npt.NDArray[np.float32]
"""float32 `(N,)`: of each box on screen, the time since its object was last detected, seconds."""


@dataclass(frozen=True, slots=True)
class SharedTask:
    """The parameters of an evaluation with one detector for all streams.

    Attributes:
        task: latencies, overlays, tracker, detections and frame rate.
        policies: names of `registry.POLICIES`.
        max_age_s: the longest time between two detections of a stream; `default_max_age_s` if None.
    """

    task: Task
    policies: tuple[str, ...]
    max_age_s: float | None = None

    @classmethod
    def parse(cls, task: Task, policies: str, max_age_s: float | None, streams: int) -> SharedTask:
        """From a list that is separated by commas.

        Args:
            task: the other parameters.
            policies: the list.
            max_age_s: as typed.
            streams: how many share the detector.

        Raises:
            ConfigError: a policy does not exist, or `max_age_s` is less than one detection of each stream takes.
        """
        names = split(policies)
        for name in names:
            if name not in POLICIES:
                raise ConfigError(f"--policy: no policy {name!r}{nearest(name, POLICIES)}")
        if not names:
            raise ConfigError("--policy needs at least one value")
        round_s = streams * max(map(float, task.latencies))
        if max_age_s is not None and not max_age_s >= max(round_s, 0.001):
            raise ConfigError(
                f"--max-age {max_age_s:g} cannot be kept: {streams} streams x {round_s / streams:g} s are "
                f"{round_s:g} s; choose a larger one, fewer streams or a lower latency"
            )
        return cls(task, names, max_age_s)


@dataclass(frozen=True, slots=True)
class StreamResult:
    """What was on the screen of one stream.

    Attributes:
        name: of the sequence; `NAME (2)` if it is the second one of this name.
        frames: number of scored frames.
        scores: of the boxes on screen.
        ages_s: of all boxes on screen.
        detections: number of its frames that were detected.
        longest_wait_s: the longest time from the beginning of one detection to that of the next.
    """

    name: str
    frames: int
    scores: StreamingScores
    ages_s: Ages
    detections: int
    longest_wait_s: float

    def to_dict(self) -> dict[str, Any]:
        """The result as plain values, ready for JSON."""
        ages = dict(zip(("age_p50_s", "age_p95_s"), age_percentiles(self.ages_s), strict=True))
        counts = {"detections": self.detections, "longest_wait_s": round(self.longest_wait_s, 6)}
        return {"frames": self.frames, **self.scores.to_dict(), **ages, **counts}


@dataclass(frozen=True, slots=True)
class SharedResult:
    """All streams with one policy.

    Attributes:
        policy, overlay, latency: as typed.
        max_age_s: the longest time between two detections of a stream that the policy may allow.
        streams: in the order of the sequences.
    """

    policy: str
    overlay: str
    latency: str
    max_age_s: float
    streams: tuple[StreamResult, ...]

    @property
    def f1(self) -> float:
        """The mean of all streams."""
        return float(np.mean([one.scores.f1 for one in self.streams]))

    def to_dict(self) -> dict[str, Any]:
        """The result as plain values, ready for JSON."""
        return {
            "policy": self.policy,
            "overlay": self.overlay,
            "latency_s": float(self.latency),
            "max_age_s": self.max_age_s,
            "F1": self.f1,
            "longest_wait_s": max(one.to_dict()["longest_wait_s"] for one in self.streams),
            "streams": {one.name: one.to_dict() for one in self.streams},
        }


def age_percentiles(ages_s: Ages) -> tuple[float | None, float | None]:
    """The median and the 95th percentile, seconds; None without ages."""
    if not len(ages_s):
        return None, None
    p50, p95 = np.percentile(ages_s, (50, 95)).round(3).tolist()
    return p50, p95


def read_streams(folders: Sequence[Path]) -> list[sequences.Sequence]:
    """The sequences in these folders, each with a name of its own: a folder may be given several times.

    Raises:
        SourceUnavailable, ConfigError: as of `Sequence.read`.
    """
    names: list[str] = []
    found = []
    for sequence in map(sequences.Sequence.read, folders):
        names.append(sequence.name)
        count = names.count(sequence.name)
        found.append(sequence if count == 1 else replace(sequence, name=f"{sequence.name} ({count})"))
    return found


def evaluate_shared(
    found: Sequence[sequences.Sequence], task: SharedTask, shown_folder: Path | None = None
) -> Iterator[SharedResult]:
    """Score all streams at each latency, with each overlay and each policy.

    Args:
        found: have ground truth and detections.
        task: the parameters.
        shown_folder: the displayed boxes are written to `<policy>-<overlay>-<latency>/<name>.txt` in it; not written
            if None.

    Raises:
        SourceUnavailable, ConfigError: ground truth, detections or frames cannot be used.
        SinkUnavailable, SinkError: the displayed boxes cannot be written.
    """
    for latency in task.task.latencies:
        max_age_s = task.max_age_s or default_max_age_s(len(found), float(latency), 1)
        for overlay in task.task.overlays:
            for policy in task.policies:
                folder = None if shown_folder is None else shown_folder / f"{policy}-{overlay}-{latency}"
                streams = _run(found, task.task, policy, overlay, float(latency), max_age_s)
                scored = (_scored(*one, task.task, folder) for one in zip(found, streams, strict=True))
                yield SharedResult(policy, overlay, latency, max_age_s, tuple(scored))


def _run(
    found: Sequence[sequences.Sequence], task: Task, policy: str, overlay: str, latency_s: float, max_age_s: float
) -> list[SimulatedStream]:
    with ExitStack() as stack:
        streams = []
        for number, sequence in enumerate(found):
            fps = task.fps or sequence.fps
            interval_s = max_age_s + float(1 / fps)  # as for a camera of a site
            tracker = build_tracker(TrackerSettings(name=task.tracker), detection_interval_s=interval_s)
            detections = dict(enumerate(sequence.detections(task.detections)))
            detector = RecordedDetector(detections, LabelTable(("object",)), size=sequence.size)
            source = stack.enter_context(SequenceSource(sequence, fps, find_frames(sequence)))
            record = TurnRecord(number)
            streams.append(SimulatedStream(record, source, detector, tracker, Overlay(overlay), sequence.size))
        SharedRun(streams, POLICIES[policy](), latency_s=latency_s, max_age_s=max_age_s).run()
    return streams


def _scored(sequence: sequences.Sequence, stream: SimulatedStream, task: Task, folder: Path | None) -> StreamResult:
    shown = [stream.shown.get(index, Tracks.empty()) for index in range(sequence.frames)]
    clip = mot_rows.lie_inside(sequence.detections(task.detections), sequence.size)
    rows = mot_rows.rows(shown, sequence.size, clip=clip)
    if folder is not None:
        mot_rows.write(folder / f"{sequence.name}.txt", rows)
    scores = score([mot_rows.parse(each) for each in rows], sequence.ground_truth().by_frame(sequence.frames))
    ages_s = np.concatenate([one.unseen_s for one in shown])
    wait_s = stream.longest_wait_s
    return StreamResult(sequence.name, sequence.frames, scores, ages_s, stream.record.turns, wait_s)
