"""Runs the pipeline on a video at several paces of detection, and keeps what was counted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import streamer
from benchmarks.crossings.peers import peers
from benchmarks.crossings.truth_files import Detecting, Truth
from streamer.config.detector import DetectorSettings
from streamer.detectors import recorded, selection
from streamer.detectors.recorded import RecordedDetector
from streamer.features import DetectorContext
from streamer.sources.file.file import FileSource
from streamer.values.events import EventKind
from streamer.values.mot import read_detections

Counts = tuple[int, int]
PACES_FPS = (10, 5, 2, 1)


@dataclass(frozen=True, slots=True)
class Stay:
    """From entering to leaving a zone, seconds of media time."""

    since_s: float
    inside_s: float


@dataclass(frozen=True, slots=True)
class Counted:
    """What one run counted.

    Attributes:
        lines: crossings in and out by line.
        others: those of other counters on the same tracks, by counter and line.
        zones: the stays by zone, in order of their begin.
    """

    lines: Mapping[str, Counts]
    others: Mapping[str, Mapping[str, Counts]]
    zones: Mapping[str, list[Stay]]


def recorded_detector(truth: Truth, detecting: Detecting, data: Path) -> RecordedDetector:
    """The detections of every frame of the video: all paces get the same."""
    if detecting.size is not None:
        labels = recorded.read(data / detecting.name).labels
        return RecordedDetector(dict(read_detections(data / detecting.name)), labels, size=detecting.size)
    built = selection.build_detector(
        DetectorSettings(name=detecting.name, classes=detecting.classes), DetectorContext()
    )
    one = built.detectors[0]
    with FileSource(data / truth.video) as source:
        detections = {frame.index: built.keep(one.detect(frame)) for frame in source}
    for each in built.detectors:
        each.close()
    return RecordedDetector(detections, one.labels)


def count(truth: Truth, detector: RecordedDetector, data: Path, pace_fps: float) -> Counted:
    """Run the pipeline with its default settings and so many detections a second, at most all frames."""
    settings = {
        "detector.fps": pace_fps,
        "analytics.lines": [{"name": line.name, "points": line.points} for line in truth.lines],
        "analytics.zones": [{"name": zone.name, "points": zone.points} for zone in truth.zones],
    }
    others = {name: {line.name: counter(line.points) for line in truth.lines} for name, counter in peers().items()}
    stays: dict[str, list[Stay]] = {zone.name: [] for zone in truth.zones}
    with streamer.open(str(data / truth.video), detector=detector, settings=settings) as scenes:
        for scene in scenes:
            for counters in others.values():
                for counter in counters.values():
                    counter.add(scene)
            for event in scene.watched.events:
                if event.kind is EventKind.LEAVE and event.inside_s is not None:
                    stays[event.rule].append(Stay(event.time_s - event.inside_s, event.inside_s))
    return Counted(
        {line.name: (line.entered, line.left) for line in scene.watched.lines},
        {name: {line: counter.counts for line, counter in counters.items()} for name, counters in others.items()},
        {zone: sorted(found, key=lambda stay: stay.since_s) for zone, found in stays.items()},
    )
