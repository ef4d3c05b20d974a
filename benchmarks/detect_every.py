"""Accuracy with every N-th frame of a file detected, against every frame detected.

    python -m benchmarks.detect_every SEQUENCE... [--every 3] [--tracker NAME] [--det NAME]

F1 at an IoU of 0.5 against the ground truth of sequences in MOT Challenge layout with images. Boxes in between are
interpolated. Goal: with every = 3 at least 97% of the score with every frame. The result does not depend on the
machine.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from streamer.config.settings import TrackerSettings
from streamer.detectors.recorded import RecordedDetector
from streamer.evaluation import sequences
from streamer.evaluation.sequence_frames import find_frames
from streamer.evaluation.sequence_source import SequenceSource
from streamer.evaluation.streaming import mot_rows
from streamer.evaluation.streaming.scores import score
from streamer.evaluation.streaming.simulation import scaled
from streamer.flow.cadence import Cadence
from streamer.pipeline import Pipeline
from streamer.registry import TRACKERS
from streamer.run.trackers import build_tracker
from streamer.values.labels import LabelTable


def f1(sequence: sequences.Sequence, every: int, tracker: str, name: str | None) -> float:
    """Of the boxes on all frames, percent."""
    detections = sequence.detections(name)
    detector = RecordedDetector(dict(enumerate(detections)), LabelTable(("object",)), size=sequence.size)
    built = build_tracker(TrackerSettings(name=tracker), detection_interval_s=every / float(sequence.fps))
    with SequenceSource(sequence, sequence.fps, find_frames(sequence)) as source:
        share = np.array(sequence.size) / (source.info.width, source.info.height)
        shown = [scaled(scene.tracks, share) for scene in Pipeline(source, [detector], built, cadence=Cadence(every))]
    clip = mot_rows.lie_inside(detections, sequence.size)
    rows = mot_rows.rows(shown, sequence.size, clip=clip)
    truth = sequence.ground_truth().by_frame(sequence.frames)
    return score([mot_rows.parse(each) for each in rows], truth).f1


def main() -> None:
    """Parse the options and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sequences", type=Path, nargs="+")
    parser.add_argument("--every", type=int, default=3)
    parser.add_argument("--tracker", choices=list(TRACKERS), default=TrackerSettings().name)
    parser.add_argument("--det")
    options = parser.parse_args()
    for sequence in sequences.read_all(options.sequences):
        whole, part = (f1(sequence, every, options.tracker, options.det) for every in (1, options.every))
        print(
            f"{sequence.name}: F1 {whole:.1f} with every frame, {part:.1f} with one in {options.every}, "
            f"{100 * part / whole:.1f}%, tracker {options.tracker}"
        )


if __name__ == "__main__":
    main()
