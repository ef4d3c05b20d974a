"""Warnings about runs that are probably not what the user wants."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import streamer
from streamer.config.detector import DetectorSettings
from streamer.flow.stats import RunStats
from streamer.interfaces import StreamInfo
from streamer.observe.warnings import FIRST_S, RunWarnings
from streamer.values.delivery import Detected
from streamer.values.frame import Frame
from streamer.values.labels import LabelTable
from tests.cli.program import Program
from tests.clips import write_video
from tests.pipeline.parts import grey_picture
from tracking.iou import IouTracker
from tracking.types import Detections

LABELS = LabelTable(("Person", "Car", "Dog"))
WARNER = "streamer.observe.warnings"


class Detector:
    """Finds the same on every frame.

    Args:
        labels: of the boxes.
        top_score: the highest score on each frame, before the detector's own bound.
    """

    labels = LABELS

    def __init__(self, labels: Sequence[int] = (), *, top_score: float | None = None) -> None:
        self.top_score: float | None = None
        self.next_score = top_score
        count = len(labels)
        boxes = np.tile(np.array([[10, 10, 60, 60]], np.float32), (count, 1))
        self.found = Detections(boxes, np.full(count, 0.6, np.float32), np.array(labels, np.int32))

    def detect(self, frame: Frame) -> Detections:
        del frame
        self.top_score = self.next_score
        return self.found

    def close(self) -> None:
        return None


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_video(tmp_path_factory.mktemp("media") / "clip.mp4", frames=30, size=(320, 240))


def run(clip: Path, caplog: pytest.LogCaptureFixture, detector: Any, **settings: Any) -> list[str]:
    """The warnings of a run over the clip."""
    named = {f"detector.{name}": value for name, value in settings.items()}
    for _ in streamer.open(clip, detector=detector, settings=named):
        pass
    return [record.getMessage() for record in caplog.records if record.name == WARNER]


def test_a_usual_run_has_no_warning(clip: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert run(clip, caplog, Detector([0, 1]), classes=["Person", "Dog"]) == []


def test_a_class_that_never_matched_is_named_with_what_was_found(clip: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert run(clip, caplog, Detector([0, 0, 1]), classes=["Dog"]) == [
        "no detection of class Dog in 30 frames; the detector found Person 60, Car 30; "
        "try another detector.name, or see 'streamer models labels'"
    ]


def test_a_class_that_was_found_on_one_frame_only_is_named(clip: Path, caplog: pytest.LogCaptureFixture) -> None:
    detector = Detector([0])
    with_a_dog = replace(detector.found, labels=np.array([2], np.int32))
    found = iter([with_a_dog])
    detector.detect = lambda _: next(found, detector.found)  # type: ignore[method-assign, assignment]
    (line,) = run(clip, caplog, detector, classes=["Dog"])
    assert line.startswith(
        "detections on one frame only of class Dog in 30 frames; the detector found Person 29, Dog 1"
    )


def test_detections_below_all_bounds_are_counted(clip: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert run(clip, caplog, Detector([0]), classes=["Person"], min_scores={"Person": 0.9}) == [
        "none of the 30 detections reaches its bound; lower detector.min_score or detector.min_scores"
    ]


def test_a_detector_that_found_nothing_names_its_best_score(clip: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert run(clip, caplog, Detector(top_score=0.34)) == [
        "the detector found nothing in 30 frames (best score 0.34); try detector.min_score=0.3, or check the picture "
        "(night, wrong channel)"
    ]


@pytest.mark.parametrize("top_score", [None, 0.02])
def test_a_lower_bound_is_proposed_only_if_it_helps(
    clip: Path, caplog: pytest.LogCaptureFixture, top_score: float | None
) -> None:
    (line,) = run(clip, caplog, Detector(top_score=top_score))
    assert line.endswith("; check the picture (night, wrong channel), or set another detector.name")


def test_a_very_short_clip_without_objects_has_no_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert run(write_video(tmp_path / "short.mp4", frames=5), caplog, Detector()) == []


def test_recorded_detections_of_another_video_are_reported(
    clip: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "det.txt"
    path.write_text("".join(f"{900 + frame},-1,10,10,50,50,0.9\n" for frame in range(30)))
    assert run(clip, caplog, str(path)) == [f"{path} has no detections for these 30 frames; take those of this video"]


def test_detections_of_a_larger_picture_are_reported_and_in_the_report(clip: Path, tmp_path: Path) -> None:
    path, report = tmp_path / "det.txt", tmp_path / "report.json"
    rows = [(frame, 40 + 18 * place, 30 + 14 * place) for frame in range(1, 31) for place in range(30)]
    path.write_text("".join(f"{frame},-1,{x},{y},40,40,0.9\n" for frame, x, y in rows))
    result = Program(tmp_path)("run", clip, "--detector", path, "--jsonl", tmp_path / "out.jsonl", "--report", report)
    assert result.code == 0
    warning = "lie outside the picture of 320x240, as if they were made at 640x480; scale them by 0.5 in that case"
    assert warning in " ".join(result.errors.split())
    (note,) = json.loads(report.read_text())["notes"]
    assert warning in note


class LiveRun:
    """A live run on fake time."""

    def __init__(self, detector: Detector, **settings: Any) -> None:
        self.stats = RunStats()
        self.warnings = RunWarnings(DetectorSettings(**settings), self.stats)
        info = StreamInfo("camera", 64, 48, "yuv420p", Fraction(1, 25), live=True)
        self.warnings.source_opened(info, live=True)
        self.found = self.warnings.watch([detector], lambda found: found.select(found.labels == 2), IouTracker())
        self._detector = detector
        self._index = 0

    def run(self, duration_s: float) -> None:
        for _ in range(round(duration_s)):
            frame = Frame(grey_picture(), self._index, self._index, Fraction(1), 5000.0 + self._index)
            self.warnings.frame_captured(frame)
            self.warnings.delivered(Detected(frame, self.found(self._detector.detect(frame))))
            self._index += 1


def test_a_live_run_is_judged_after_its_first_minute(caplog: pytest.LogCaptureFixture) -> None:
    camera = LiveRun(Detector([0]), classes=("Dog",))
    camera.run(FIRST_S - 5)
    assert caplog.messages == []
    camera.run(2 * FIRST_S)
    first, second = caplog.messages
    assert first.startswith("no detection of class Dog in 61 frames; the detector found Person 61")
    assert second.startswith("camera: the picture has not changed for 60 s")
    assert camera.warnings.notes == [first, second]
    assert camera.stats.counts == {("picture fault", "frozen"): 1}


def test_an_interrupted_run_is_not_judged_by_what_it_did_not_find(caplog: pytest.LogCaptureFixture) -> None:
    camera = LiveRun(Detector())
    camera.run(30)
    camera.warnings.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert caplog.messages == []
    with caplog.at_level(logging.WARNING):
        camera.warnings.__exit__(None, None, None)
    assert len(caplog.messages) == 1


def test_the_score_of_an_earlier_input_does_not_count() -> None:
    detector = Detector(top_score=0.8)
    LiveRun(detector).run(10)
    second = LiveRun(detector)
    detector.next_score = 0.2
    second.run(20)
    assert "best score 0.20" in str(second.found.nothing())
