"""The tracks that the program displays with a slow detector: its own pipeline on a simulated clock."""

from __future__ import annotations

import dataclasses
from fractions import Fraction

import numpy as np

from streamer.config.settings import TrackerSettings
from streamer.detectors.recorded import RecordedDetector
from streamer.evaluation.sequence_frames import find_frames
from streamer.evaluation.sequence_source import SequenceSource
from streamer.evaluation.sequences import Sequence
from streamer.evaluation.streaming.latency import newest_results
from streamer.flow.simulated_clock import Latency
from streamer.pipeline import Pipeline
from streamer.run.trackers import build_tracker
from streamer.values.labels import LabelTable
from tracking.types import Tracks


def displayed_tracks(
    sequence: Sequence,
    *,
    overlay: str,
    latency_s: float,
    tracker: str,
    detections: str | None = None,
    fps: Fraction | None = None,
) -> list[Tracks]:
    """The tracks displayed at the time of each ground-truth frame; with `delayed`, those on the frame itself.

    Args:
        sequence: the detector gives its detections.
        overlay: `now`, `detected` or `delayed`.
        latency_s: latency of the detector in seconds.
        tracker: name of the tracker.
        detections: name of the file in `det/`.
        fps: frame rate; that of the sequence if None.

    Returns:
        The tracks for each of the frames 1 to n, boxes in pixels of the ground truth.

    Raises:
        ConfigError: detections or frames that cannot be used.
        SourceUnavailable: there are no detections, or the frames cannot be read.
    """
    rate = fps or sequence.fps
    found = dict(enumerate(sequence.detections(detections)))
    detector = RecordedDetector(found, LabelTable(("object",)), size=sequence.size)
    built = build_tracker(TrackerSettings(name=tracker), detection_interval_s=latency_s + float(1 / rate))
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
    """Tracks with all coordinates multiplied by `share` (x, y)."""
    boxes, velocities = tracks.boxes * np.tile(share, 2), tracks.velocities * share
    return dataclasses.replace(tracks, boxes=boxes.astype(np.float32), velocities=velocities.astype(np.float32))
