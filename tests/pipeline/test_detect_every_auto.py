"""`detector.every: auto` in whole runs: the same frames whatever the detectors do, and no file without an answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

import streamer
from streamer.flow.cadence import Cadence
from streamer.flow.simulated_clock import Latency
from streamer.pipeline import Pipeline
from streamer.sources.file.file import FileSource
from tests.cli.program import Program
from tests.motion.drawn import Drawn, Thing
from tracking.iou import IouTracker

FRAMES = 60


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An object that crosses the picture in the second half."""
    path = tmp_path_factory.mktemp("auto") / "clip.mkv"
    scene = Drawn([Thing(lambda index: (40.0 + 4 * max(index - FRAMES // 2, 0), 80.0))])
    with av.open(str(path), "w") as output:
        stream = output.add_stream("ffv1", rate=30)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "gray"
        for index in range(FRAMES):
            picture = av.VideoFrame.from_ndarray(scene.picture(index), "gray")
            output.mux(stream.encode(picture))
        output.mux(stream.encode())
    return path


@pytest.fixture
def program(tmp_path: Path) -> Program:
    return Program(tmp_path)


class Slow(streamer.Detector):
    """Finds one box that is missing on some frames; the work for each frame grows with `work`."""

    labels = streamer.LabelTable(("thing",))

    def __init__(self, work: int) -> None:
        self.work, self.seen = work, list[int]()

    def detect(self, frame: streamer.Frame) -> streamer.Detections:
        self.seen.append(frame.index)
        np.linalg.svd(np.ones((self.work, self.work)))
        boxes = [[8, 8, 40, 30]] * (frame.index % 20 < 13)
        return streamer.Detections(np.array(boxes), np.full(len(boxes), 0.9), np.zeros(len(boxes), np.int32))

    def close(self) -> None:
        return


def detected(clip: Path, detectors: list[Slow]) -> tuple[list[int], list[list[float]]]:
    with FileSource(clip) as source:
        scenes = list(Pipeline(source, detectors, IouTracker(confirm_s=0.0), cadence=Cadence(max_gap_s=0.5)))
    assert [scene.frame.index for scene in scenes] == list(range(FRAMES))
    assert {scene.frame.index for scene in scenes if scene.state == "detected"} == {
        index for detector in detectors for index in detector.seen
    }
    return sorted(index for detector in detectors for index in detector.seen), [
        scene.tracks.boxes.ravel().tolist() for scene in scenes
    ]


def test_the_choice_does_not_depend_on_the_detectors(clip: Path) -> None:
    alone = detected(clip, [Slow(1)])
    assert alone == detected(clip, [Slow(1), Slow(200)]) == detected(clip, [Slow(120), Slow(1), Slow(60)])


def test_the_frames_where_a_box_appears_or_is_lost_are_detected(clip: Path) -> None:
    frames, _ = detected(clip, [Slow(1)])
    assert {12, 13, 19, 20, 32, 33, 39, 40, 52, 53} <= set(frames)
    assert len(frames) < FRAMES * 0.6


def test_a_live_source_cannot_be_detected_by_motion(clip: Path) -> None:
    with FileSource(clip) as source, pytest.raises(ValueError, match="max_gap_s is for files"):
        Pipeline(source, [Slow(1)], IouTracker(), cadence=Cadence(max_gap_s=0.5), latency=Latency.parse("0.1"))


def test_the_report_says_why_frames_were_detected(program: Program, clip: Path) -> None:
    (program.folder / "det.txt").write_text("1,-1,10,20,30,60,0.9,-1,-1,-1\n")
    run: list[Any] = ["run", clip, "-o", "out.mp4", "--detector", "det.txt", "--detect-every", "auto"]
    result = program(*run, "--report", "report.json")
    assert result.code == 0, result.errors
    report = program.report()
    reasons = {key: n for key, n in report["counts"].items() if key.startswith("detected: ")}
    assert set(reasons) == {
        "detected: new shot",
        "detected: longest gap",
        "detected: detections differ",
        "detected: moved",
    }
    assert sum(reasons.values()) == report["frames"]["detected"]
    assert "detected because: " in result.errors + result.output


def test_auto_is_refused_for_a_live_run_before_the_start(program: Program, clip: Path) -> None:
    result = program("run", clip, "--detector", "det.txt", "--detect-every", "auto", "--latency", "0.1")
    assert result.code == 2
    assert "detector.every (--detect-every) auto is for files" in result.errors
