"""Counts of lines on sequences with ground truth, with and without joining the tracks of an object that gets a new id.

    python -m benchmarks.crossings.sequences --data DIR [SEQUENCE ...] [--lost-s S] [--same-place IOU]

Seven vertical lines lie over each sequence (MOT Challenge layout) in DIR/tracking. What is counted on the boxes of the
ground truth is compared with what is counted on the tracks of the pipeline, which gets the detections of the sequence
at 10, 5, 2 and 1 Hz. `+` and `-` are crossings too many and too few, summed over lines and directions. Without images,
nothing moves the boxes between two detections, so 2 and 1 Hz mean much there for PETS09 only.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

import numpy as np

from benchmarks.crossings.counting import PACES_FPS, Counts
from streamer.analytics import continuity
from streamer.analytics.rules import Rules
from streamer.config.analytics import AnalyticsSettings
from streamer.config.detector import DetectorSettings
from streamer.config.settings import TrackerSettings
from streamer.detectors.recorded import RecordedDetector
from streamer.evaluation import sequences
from streamer.evaluation.sequence_frames import find_frames
from streamer.evaluation.sequence_source import SequenceSource
from streamer.flow.cadence import choose_cadence
from streamer.interfaces import Scene
from streamer.pipeline import Pipeline
from streamer.run.trackers import build_tracker
from streamer.values.events import Watched
from streamer.values.labels import LabelTable
from streamer.values.states import FrameState
from tracking.types import Tracks

LABELS = LabelTable(("object",))
AT_X = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)


def rules() -> Rules:
    lines = [{"name": f"x {x}", "points": [[x, 1.0], [x, 0.0]]} for x in AT_X]
    return Rules(AnalyticsSettings.model_validate({"lines": lines}), "sequence")


def counts_of(watched: Watched) -> list[Counts]:
    return [(line.entered, line.left) for line in watched.lines]


def true_counts(sequence: sequences.Sequence) -> list[Counts]:
    """Those of the boxes of the ground truth."""
    truth, counting, watched = sequence.ground_truth(), rules(), Watched()
    with SequenceSource(sequence, sequence.fps, None) as source:
        for frame in source:
            rows = (truth.frames == frame.index + 1) & truth.scored
            corners = truth.boxes[rows].copy()
            corners[:, 2:] += corners[:, :2]
            watched = counting(Scene(frame, _tracks(truth.ids[rows] + 1, corners), LABELS, FrameState.DETECTED)).watched
    return counts_of(watched)


def pipeline_counts(sequence: sequences.Sequence, pace_fps: float) -> list[Counts]:
    detector = RecordedDetector(dict(enumerate(sequence.detections())), LABELS, size=sequence.size)
    watched = Watched()
    with SequenceSource(sequence, sequence.fps, find_frames(sequence)) as source:
        cadence = choose_cadence(DetectorSettings(fps=pace_fps), source.info)
        interval_s = cadence.interval_s(source.info.average_fps)
        tracker = build_tracker(TrackerSettings(), detection_interval_s=interval_s)
        for scene in Pipeline(source, [detector], tracker, cadence=cadence, rules=rules()):
            watched = scene.watched
    return counts_of(watched)


def errors(counts: list[Counts], true: list[Counts]) -> Counts:
    """Crossings too many and too few."""
    more = np.array(counts) - np.array(true)
    return int(more.clip(min=0).sum()), int((-more).clip(min=0).sum())


def _tracks(ids: np.ndarray, corners: np.ndarray) -> Tracks:
    count = len(ids)
    return Tracks(
        ids=ids,
        boxes=corners.astype(np.float32),
        scores=np.ones(count, np.float32),
        labels=np.zeros(count, np.int32),
        velocities=np.zeros((count, 2), np.float32),
        age_s=np.ones(count, np.float32),
        unseen_s=np.zeros(count, np.float32),
        origin=np.zeros(count, np.uint8),
        confirmed=np.ones(count, np.bool_),
    )


def main() -> None:
    """Parse the options and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("names", nargs="*", help="all if empty")
    parser.add_argument("--lost-s", type=float, default=continuity.LOST_S)
    parser.add_argument("--same-place", type=float, default=continuity.SAME_PLACE)
    options = parser.parse_args()
    folders = sorted(path for path in (options.data / "tracking").iterdir() if (path / "gt").is_dir())
    joined = {"apart": -1.0, "joined": options.lost_s}
    continuity.SAME_PLACE = options.same_place
    total: Counter[tuple[str, int, str]] = Counter()
    crossings = 0
    for sequence in sequences.read_all([path for path in folders if not options.names or path.name in options.names]):
        continuity.LOST_S = joined["apart"]
        true = true_counts(sequence)
        crossings += sum(map(sum, true))
        for name, continuity.LOST_S in joined.items():
            found = {pace: errors(pipeline_counts(sequence, pace), true) for pace in PACES_FPS}
            for pace, (more, fewer) in found.items():
                total[name, pace, "+"] += more
                total[name, pace, "-"] += fewer
            cells = "".join(f"{f'{pace} Hz +{more} -{fewer}':>18}" for pace, (more, fewer) in found.items())
            print(f"{sequence.name:22}{sum(map(sum, true)):5} {name:7}{cells}", flush=True)
    for name in joined:
        sums = {pace: (total[name, pace, "+"], total[name, pace, "-"]) for pace in PACES_FPS}
        cells = "".join(f"{f'{pace} Hz +{more} -{fewer}':>18}" for pace, (more, fewer) in sums.items())
        print(f"{'all':22}{crossings:5} {name:7}{cells}")


if __name__ == "__main__":
    main()
