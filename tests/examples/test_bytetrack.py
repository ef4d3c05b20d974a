"""The package in examples/bytetrack: the ByteTrack of the library `trackers`, by itself and on the command line."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from examples.bytetrack.streamer_bytetrack import ByteTrack
from tests.tracking.boxes import detections, grid
from tracking.types import Detections, Origin

PACKAGE = Path(__file__).parents[2] / "examples" / "bytetrack"
ROOT = PACKAGE.parents[1]
GRAPH = "lavfi:color=black:size=160x120:rate=25:duration=1"
STEP_S = 0.04


def after(frames: int, step_px: float = 0.0, tracker: ByteTrack | None = None) -> ByteTrack:
    """A tracker that has followed three boxes over so many frames."""
    tracker = tracker or ByteTrack()
    for k in range(frames):
        tracker.update(detections(grid(3, (step_px * k, 0.0))), k * STEP_S)
    return tracker


def test_ids_start_at_1_with_the_second_frame() -> None:
    tracker = ByteTrack()
    assert len(tracker.update(detections(grid(3)), 0.0)) == 0
    tracks = tracker.update(detections(grid(3)), STEP_S)
    assert sorted(tracks.ids.tolist()) == [1, 2, 3]
    assert tracks.age_s == pytest.approx([STEP_S] * 3)
    assert tracks.origin.tolist() == [Origin.DETECTED] * 3


def test_tracks_keep_boxes_scores_and_labels_of_their_detections() -> None:
    tracker = ByteTrack()
    found = Detections(grid(2), np.array([0.9, 0.8], np.float32), np.array([5, 7], np.int32))
    for k in range(3):
        tracks = tracker.update(found, k * STEP_S)
    order = np.argsort(tracks.labels)
    assert np.array_equal(tracks.boxes[order], found.boxes)
    assert tracks.scores[order] == pytest.approx([0.9, 0.8])


def test_a_track_is_found_again_with_a_weak_detection() -> None:
    tracker = after(5)
    weak = Detections(grid(3), np.full(3, 0.2, np.float32), np.zeros(3, np.int32))
    assert sorted(tracker.update(weak, 5 * STEP_S).ids.tolist()) == [1, 2, 3]


@pytest.mark.parametrize(("gap_s", "again"), [(0.8, [1, 2, 3]), (1.5, [4, 5, 6])])
def test_a_missed_track_is_remembered_for_a_second(gap_s: float, again: list[int]) -> None:
    tracker = after(30)
    for k in range(3):
        tracks = tracker.update(detections(grid(3)), 29 * STEP_S + gap_s + k * STEP_S)
    assert sorted(tracks.ids.tolist()) == again


def test_it_predicts_a_steady_motion() -> None:
    tracker = after(50, step_px=4.0)
    now, ahead = tracker.predict(49 * STEP_S), tracker.predict(49 * STEP_S + 0.5)
    assert ahead.velocities[:, 0] == pytest.approx([100] * 3, abs=8)
    assert ahead.boxes - now.boxes == pytest.approx(np.tile([50, 0, 50, 0], (3, 1)), abs=5)
    assert ahead.unseen_s == pytest.approx([0.5] * 3)
    assert ahead.origin.tolist() == [Origin.PREDICTED] * 3


@pytest.mark.parametrize("fps", [5, 25, 60])
def test_the_velocity_does_not_depend_on_the_frame_rate(fps: int) -> None:
    tracker = ByteTrack()
    for k in range(3 * fps):
        tracks = tracker.update(detections([(60.0 * k / fps, 0, 60.0 * k / fps + 40, 90)]), k / fps)
    assert tracks.velocities[0] == pytest.approx([60, 0], abs=6)


def test_ids_continue_after_a_reset_and_a_step_back_in_time() -> None:
    tracker = after(5)
    tracker.reset()
    assert len(tracker.predict(5 * STEP_S)) == 0
    assert sorted(after(5, tracker=tracker).predict(4 * STEP_S).ids.tolist()) == [4, 5, 6]
    assert sorted(after(5, tracker=tracker).predict(4 * STEP_S).ids.tolist()) == [7, 8, 9]


@pytest.mark.parametrize("time_s", [float("nan"), float("inf")])
def test_an_invalid_time_is_refused(time_s: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        ByteTrack().update(Detections.empty(), time_s)


@pytest.mark.slow
def test_it_is_a_tracker_of_the_command_line(tmp_path: Path) -> None:
    shutil.copytree(PACKAGE, tmp_path / "source")
    install = ["pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--target", "packages"]
    subprocess.run([sys.executable, "-m", *install, "./source"], cwd=tmp_path, check=True)
    rows = [f"{frame},-1,{20 + 2 * frame},40,30,30,0.9,-1,-1,-1\n" for frame in range(1, 26)]
    (tmp_path / "detections.txt").write_text("".join(rows), encoding="ascii")
    variables = {**os.environ, "PYTHONPATH": f"{tmp_path / 'packages'}{os.pathsep}{ROOT}"}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        words = [sys.executable, "-m", "streamer", "run", GRAPH, "--detector", "detections.txt", *arguments]
        return subprocess.run(words, cwd=tmp_path, env=variables, capture_output=True, text=True, timeout=100)

    done = run("--tracker", "bytetrack", "--jsonl", "boxes.jsonl")
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in (tmp_path / "boxes.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [[track["id"] for track in line["tracks"]] for line in lines] == [[]] + [[1]] * 24
    refused = run("--tracker", "bytetrack", "--set", "tracker.options.lost_track_bufer=3", "--jsonl", "other.jsonl")
    assert refused.returncode == 2
    assert "did you mean lost_track_buffer" in " ".join(refused.stderr.split())
