"""Accuracy and work with some frames of a file detected, against every frame detected.

    python -m benchmarks.detect_every SEQUENCE|VIDEO... [--every auto,2,3] [--max-gap-s S] [--detector NAME]
        [--tracker NAME] [--det NAME]

Boxes in between are interpolated. For a sequence in MOT Challenge layout with images: F1 at an IoU of 0.5 against its
ground truth, with its own detections. For both: F1 of the boxes on screen against those with every frame detected, by
class, which counts every box that flickers as an error. A video is detected once, and all runs get these detections.
Goal: `auto` reaches 99% with at most 40% of the detections. The result does not depend on the machine.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from streamer.config.detector import DetectorSettings
from streamer.config.settings import Settings, TrackerSettings
from streamer.detectors import selection
from streamer.detectors.recorded import RecordedDetector
from streamer.evaluation import sequences
from streamer.evaluation.sequence_frames import find_frames
from streamer.evaluation.sequence_source import SequenceSource
from streamer.evaluation.streaming import mot_rows
from streamer.evaluation.streaming.scores import Displayed, score
from streamer.evaluation.streaming.simulation import scaled
from streamer.features import DetectorContext
from streamer.flow.cadence import choose_cadence
from streamer.flow.stats import DETECTED, RunStats
from streamer.interfaces import Source
from streamer.pipeline import Pipeline
from streamer.registry import TRACKERS
from streamer.run.trackers import build_tracker
from streamer.sources.file.file import FileSource
from streamer.values.labels import LabelTable
from streamer.values.states import FrameState
from tracking.types import Tracks


class Shown(NamedTuple):
    """One run: the tracks of every frame, the share of the frames that were detected, and why."""

    tracks: list[Tracks]
    share: float
    reasons: str


@dataclass
class Material:
    """Frames with recorded detections.

    Attributes:
        name: of the sequence or video.
        detector: returns the detections.
        sequence: with the ground truth; None for a video.
        video: None for a sequence.
    """

    name: str
    detector: RecordedDetector
    sequence: sequences.Sequence | None = None
    video: Path | None = None

    def source(self) -> Source:
        if self.sequence is not None:
            return SequenceSource(self.sequence, self.sequence.fps, find_frames(self.sequence))
        assert self.video is not None
        return FileSource(self.video)

    def run(self, every: int | str, max_gap_s: float, tracker: str) -> Shown:
        settings = Settings(
            detector=DetectorSettings.model_validate({"every": every, "max_gap_s": max_gap_s}),
            tracker=TrackerSettings(name=tracker),
        )
        stats = RunStats()
        with self.source() as source:
            info = source.info
            cadence = choose_cadence(settings.detector, info)
            built = build_tracker(settings.tracker, detection_interval_s=cadence.interval_s(info.average_fps))
            pipeline = Pipeline(source, [self.detector], built, cadence=cadence, stats=stats)
            tracks = [scene.tracks for scene in pipeline]
        if self.sequence is not None:
            tracks = [scaled(one, np.array(self.sequence.size) / (info.width, info.height)) for one in tracks]
        reasons = ", ".join(f"{n} {reason}" for (what, reason), n in sorted(stats.counts.items()) if what == DETECTED)
        return Shown(tracks, stats.ledger.count(FrameState.DETECTED) / max(len(tracks), 1), reasons)


def f1_of_truth(sequence: sequences.Sequence, shown: Sequence[Tracks], det: str | None) -> float:
    """F1 of the boxes on all frames against the ground truth, percent."""
    clip = mot_rows.lie_inside(sequence.detections(det), sequence.size)
    rows = mot_rows.rows(shown, sequence.size, clip=clip)
    truth = sequence.ground_truth().by_frame(sequence.frames)
    return score([mot_rows.parse(each) for each in rows], truth).f1


def f1_of_boxes(shown: Sequence[Tracks], expected: Sequence[Tracks]) -> float:
    """F1 of boxes and classes against those of another run, percent."""
    classes = sorted({int(label) for tracks in expected for label in tracks.labels})
    # Every class of every frame is compared on its own, as if it were a frame.
    one, other = (
        [_displayed(tracks.select(tracks.labels == label)) for label in classes for tracks in run]
        for run in (shown, expected)
    )
    unknown = sum(int((~np.isin(tracks.labels, classes)).sum()) for tracks in shown)
    boxes = sum(len(each.scores) for each in (*one, *other))
    f1 = score(one, [each.boxes for each in other]).f1 if classes else 100.0
    return f1 * boxes / max(boxes + unknown, 1)


def _displayed(tracks: Tracks) -> Displayed:
    boxes = tracks.boxes.astype(np.float64)
    sizes = boxes[:, 2:] - boxes[:, :2]
    return Displayed(np.concatenate([boxes[:, :2], sizes], axis=1), tracks.scores.astype(np.float64))


def materials(paths: Sequence[Path], detector: str, det: str | None) -> list[Material]:
    found = []
    for path in paths:
        if path.is_file():
            found.append(_video(path, detector))
            continue
        (sequence,) = sequences.read_all([path])
        detections = dict(enumerate(sequence.detections(det)))
        recorded = RecordedDetector(detections, LabelTable(("object",)), size=sequence.size)
        found.append(Material(sequence.name, recorded, sequence=sequence))
    return found


def _video(path: Path, name: str) -> Material:
    built = selection.build_detector(DetectorSettings(name=name), DetectorContext())
    one = built.detectors[0]
    with FileSource(path) as source:
        detections = {frame.index: built.keep(one.detect(frame)) for frame in source}
    labels = one.labels
    for each in built.detectors:
        each.close()
    return Material(f"{path.stem} ({name})", RecordedDetector(detections, labels), video=path)


def main() -> None:
    """Parse the options and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("materials", type=Path, nargs="+")
    parser.add_argument("--every", default="auto,2,3")
    parser.add_argument("--max-gap-s", type=float, default=DetectorSettings().max_gap_s)
    parser.add_argument("--detector", default="starter", help="for videos")
    parser.add_argument("--tracker", choices=list(TRACKERS), default=TrackerSettings().name)
    parser.add_argument("--det")
    options = parser.parse_args()
    for material in materials(options.materials, options.detector, options.det):
        whole = material.run(1, options.max_gap_s, options.tracker)
        print(f"\n{material.name}, {len(whole.tracks)} frames, tracker {options.tracker}")
        for every in options.every.split(","):
            part = material.run(every, options.max_gap_s, options.tracker)
            same = f1_of_boxes(part.tracks, whole.tracks)
            line = f"  every {every:4s} {part.share:6.1%} detected, same boxes {same:5.1f}%"
            if material.sequence is not None:
                one, other = (f1_of_truth(material.sequence, run.tracks, options.det) for run in (part, whole))
                line += f", F1 {one:.1f} against {other:.1f}: {one / other:.1%}"
            print(line + (f" ({part.reasons})" if part.reasons else ""), flush=True)


if __name__ == "__main__":
    main()
