"""What the program shows of a sequence under a detector's latency: its own pipeline on a virtual clock. Main thread."""

from __future__ import annotations

import dataclasses
from fractions import Fraction

import numpy as np

from streamer.config.settings import TrackerSettings
from streamer.detectors.recorded import RecordedDetector
from streamer.evaluation.sequence_frames import find_frames
from streamer.evaluation.streaming.latency import newest_results
from streamer.evaluation.sequence_source import SequenceSource
from streamer.evaluation.sequences import Sequence
from streamer.flow.simulated_clock import Latency
from streamer.pipeline import Pipeline
from streamer.run import wiring
from streamer.values.labels import LabelTable
from tracking.types import Tracks


def shown(
    sequence: Sequence,
    *,
    overlay: str,
    latency_s: float,
    tracker: str,
    detections: str | None = None,
    fps: Fraction | None = None,
) -> list[Tracks]:
    """The tracks on screen at the instant of each frame of ground truth; with `delayed`, on the picture of that frame.

    Args:
        sequence: its detections are what the detector finds.
        overlay: `now`, `detected` or `delayed`.
        latency_s: of the detector, seconds.
        tracker: by name.
        detections: name of the file in `det/`.
        fps: frames a second, if not the sequence's own.

    Returns:
        One for each of the frames 1 to n, boxes in pixels of the ground truth.

    Raises:
        ConfigError: detections or pictures that cannot be used.
        SourceUnavailable: no detections, or pictures that cannot be read.
    """
    rate = fps or sequence.fps
    found = dict(enumerate(sequence.detections(detections)))
    detector = RecordedDetector(found, LabelTable(("object",)), size=sequence.size)
    built = wiring.build_tracker(TrackerSettings(name=tracker), detection_interval_s=latency_s + float(1 / rate))
    on_frame: dict[int, Tracks] = {}
    with SequenceSource(sequence, rate, find_frames(sequence)) as source:
        share = np.array(sequence.size) / (source.info.width, source.info.height)
        pipeline = Pipeline(source, [detector], built, overlay=overlay, latency=Latency([latency_s]))
        for scene in pipeline:
            on_frame[scene.frame.index] = scaled(scene.tracks, share)
    frames = range(sequence.frames)
    if overlay == "detected":
        newest = newest_results(sequence.frames, rate, latency_s)
        return [on_frame[index] if index >= 0 else Tracks.empty() for index in newest]
    return [on_frame.get(index, Tracks.empty()) for index in frames]


def scaled(tracks: Tracks, share: np.ndarray[tuple[int], np.dtype[np.float64]]) -> Tracks:
    """Tracks in pixels `share` (x, y) times as small."""
    boxes, velocities = tracks.boxes * np.tile(share, 2), tracks.velocities * share
    return dataclasses.replace(tracks, boxes=boxes.astype(np.float32), velocities=velocities.astype(np.float32))
