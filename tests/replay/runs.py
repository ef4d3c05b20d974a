"""Recorded and replayed runs, with results to compare."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from streamer.config.settings import TrackerSettings
from streamer.config.source import SourceSettings
from streamer.errors import Interrupted, StreamerError
from streamer.features import SourceContext
from streamer.flow.cadence import Cadence
from streamer.flow.observers import packet_tap
from streamer.flow.simulated_clock import Latency
from streamer.flow.stats import RunStats
from streamer.interfaces import Detector, Scene, Source
from streamer.media.packet_tap import PacketTap
from streamer.pipeline import Pipeline
from streamer.presentation.frame_path import FramePath, live_presentation
from streamer.replay.recorder import MOST_BYTES, Recorder
from streamer.replay.recording import Recording
from streamer.replay.replay_parts import ReplayedDetector, ReplayedRoute, ReplayedSource
from streamer.sinks.text.json_lines import LineFormat
from streamer.sources.selection import open_source
from streamer.values.frame import Frame
from streamer.values.labels import LabelTable
from streamer.values.states import FrameState
from tracking.iou import IouTracker
from tracking.types import Detections

IOU = TrackerSettings(name="iou")
LABELS = LabelTable(("square", "other"), ("/m/1", ""))
Counts = tuple[int, dict[tuple[FrameState, str], int]]


class Result(NamedTuple):
    """The result of a run.

    Attributes:
        lines: the JSON lines of all shown frames.
        counts: of the frame ledger.
        error: the message of the error that ended it; empty if there was none.
    """

    lines: bytes
    counts: Counts
    error: str = ""


class SquareDetector:
    """Detects the bright square of `tests.clips.picture`, with an offset that depends on the frame."""

    labels = LABELS

    def __init__(self, before: Callable[[Frame], None] = lambda _: None) -> None:
        self._before = before

    def detect(self, frame: Frame) -> Detections:
        self._before(frame)
        width, height = frame.width, frame.height
        shift = np.float32(frame.index % 7) / np.float32(3)
        box = np.array([[0, height * 0.75, width / 4, height]], np.float32) + shift
        return Detections(box.clip(0, [width, height] * 2), np.array([0.7 + shift / 10]), np.array([0]))

    def close(self) -> None:
        return None


def record(
    folder: Path,
    opens: Callable[[PacketTap | None], Source],
    *,
    overlay: str = "now",
    detector: Detector | None = None,
    latency: float | Sequence[float] | None = None,
    every: int = 1,
    on_scene: Callable[[Scene], Any] = lambda _: None,
    most_bytes: int = MOST_BYTES,
    delay_s: float | None = None,
) -> Result:
    """Record a run, to the end of the source or an error of `on_scene`."""
    stats, chosen = RunStats(), detector or SquareDetector()

    def scenes() -> Iterator[Scene]:
        recorder = Recorder(folder, "test", IOU, most_bytes=most_bytes)
        with recorder, opens(packet_tap([recorder])) as source:
            pipeline = Pipeline(
                source,
                [chosen],
                IouTracker(),
                cadence=Cadence(every),
                overlay=overlay,
                latency=None if latency is None else Latency(np.atleast_1d(latency).tolist()),
                stats=stats,
                delay_s=delay_s,
                observers=[recorder],
            )
            for scene in pipeline:
                yield scene
                on_scene(scene)

    return collected(scenes(), stats)


def replay(folder: Path, *, in_real_time: bool = False) -> Result:
    """Replay a recording."""
    recording = Recording(folder)
    stats, header = RunStats(), recording.header
    with ReplayedSource(recording) as source:
        route = ReplayedRoute(recording, stats.ledger, in_real_time=in_real_time)
        tracker = IouTracker()
        path = FramePath(route, live_presentation(tracker, header.overlay, header.delay_s))
        pipeline = Pipeline(source, [ReplayedDetector(header.labels)], tracker, stats=stats, path=path)
        return collected(pipeline, stats)


def collected(scenes: Iterable[Scene], stats: RunStats) -> Result:
    """The result of a run that ends, or fails with an error of this program."""
    lines, error, text = [], "", LineFormat()
    try:
        for scene in scenes:
            lines.append(text.line_of(scene))
    except (StreamerError, Interrupted) as ended:
        error = str(ended) or "interrupted"
    return Result("".join(lines).encode(), stats.ledger.snapshot(), error)


def opener(uri: str | Path, **options: Any) -> Callable[[PacketTap | None], Source]:
    """Opens a source with the packet tap of the recorder."""
    return lambda tap: open_source(str(uri), SourceSettings(**options), SourceContext(packet_tap=tap))
