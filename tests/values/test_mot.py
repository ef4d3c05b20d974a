"""MOT Challenge text: the function of the command `track`, and the sink."""

from __future__ import annotations

import dataclasses
import os
import time
import warnings
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from streamer.errors import ConfigError, SinkError, SinkUnavailable, SourceUnavailable
from streamer.values.mot import TrackSummary, read_detections, track_file, track_rows
from tests.sinks.making import mot_sink
from tests.sinks.scenes import scene, tracks
from tracking.iou import IouTracker
from tracking.types import Detections, Motion, Tracks

SIZE = (640, 480)
ROW = "{frame},-1,{left},100,40,80,0.9,-1,-1,-1\n"
DATA = Path(os.environ.get("STREAMER_TEST_DATA", "test-data")) / "tracking"


@pytest.fixture
def detections(tmp_path: Path) -> Path:
    """Two people who walk for 20 frames, with a blank line and the frames in reverse."""
    path = tmp_path / "det.txt"
    rows = [ROW.format(frame=k, left=left + 2 * k) for k in range(1, 21) for left in (100, 300)]
    path.write_text("".join(reversed(rows)) + "\n")
    return path


def run(detections: Path, output: Path, *, fps: float | Fraction = 25, overwrite: bool = False) -> str:
    tracker = IouTracker()
    return str(track_file(detections, fps=fps, size=SIZE, tracker=tracker, out_path=output, overwrite=overwrite))


def rows_of(path: Path) -> list[list[float]]:
    return [[float(field) for field in line.split(",")] for line in path.read_text().splitlines()]


def read(path: Path, text: str) -> list[Detections]:
    path.write_text(text)
    found = list(read_detections(path))
    assert [index for index, _ in found] == list(range(len(found)))
    return [seen for _, seen in found]


def test_every_frame_is_read_in_order(tmp_path: Path) -> None:
    frames = read(tmp_path / "det.txt", "3,-1,1.5,2,10,20,0.25,-1,-1,-1\n1,-1,0,0,5,6,1,-1,-1,-1\n3,-1,7,8,1,1,0.5\n")
    assert [len(seen) for seen in frames] == [1, 0, 2]
    assert frames[0].boxes.tolist() == [[0, 0, 5, 6]]
    assert frames[2].boxes.tolist() == [[1.5, 2, 11.5, 22], [7, 8, 8, 9]]
    assert frames[2].scores.tolist() == [0.25, 0.5]
    assert frames[2].labels.tolist() == [0, 0]


@pytest.mark.parametrize(
    "text",
    [
        "1,-1,10,20,30,40,0.5,-1,-1,-1\n2,-1,11,20,30,40,0.5,-1,-1,-1\n",
        "1,-1,10,20,30,40,0.5,\n2,-1,11,20,30,40,0.5,,\n",
        " 1, -1, 10, 20 ,30,40, 0.5\n\n   \n2 ,-1,11,20,30,40,0.5",
        "\ufeff1,-1,10,20,30,40,0.5\r\n2,-1,11,20,30,40,0.5\r\n",
        "1.0,-1,1e1,20,30,40,.5,1,0.3\n2.0,-1,11,20,30,40,.5\n",
    ],
    ids=["plain", "trailing commas", "spaces and blank lines", "BOM and CRLF", "other widths and notations"],
)
def test_common_variants_of_the_format_are_accepted(tmp_path: Path, text: str) -> None:
    frames = read(tmp_path / "det.txt", text)
    assert [seen.boxes.tolist() for seen in frames] == [[[10, 20, 40, 60]], [[11, 20, 41, 60]]]
    assert [seen.scores.tolist() for seen in frames] == [[0.5], [0.5]]


def test_scores_outside_0_to_1_are_clipped(tmp_path: Path) -> None:
    frames = read(tmp_path / "det.txt", "1,-1,0,0,5,5,37.5\n1,-1,0,0,5,5,-0.4\n1,-1,0,0,5,5,0.4\n")
    assert frames[0].scores == pytest.approx([1, 0, 0.4])


def test_a_box_without_a_width_is_a_row(tmp_path: Path) -> None:
    assert [len(seen) for seen in read(tmp_path / "det.txt", "1,-1,10,10,0,5,0.5\n1,-1,10,10,5,0,0.5\n")] == [2]


def test_a_score_of_zero_is_known(tmp_path: Path) -> None:
    frames = read(tmp_path / "det.txt", "1,-1,0,0,5,5,0\n1,-1,0,0,5,5,-1\n")
    assert frames[0].scores.tolist() == [0, 0]


def test_unknown_scores_count_as_certain(tmp_path: Path) -> None:
    assert read(tmp_path / "det.txt", "1,-1,0,0,5,5,-1\n2,-1,0,0,5,5,-1\n")[1].scores.tolist() == [1]


@pytest.mark.parametrize(
    ("line", "saying"),
    [
        ("1,-1,abc,20,30,40,0.5", "'1,-1,abc"),
        ("1,-1,10,20,30", "5 values"),
        ("frame,id,left,top,width,height,conf", "'frame,id"),
        ("0,-1,10,20,30,40,0.5", "frame number from 1"),
        ("1.5,-1,10,20,30,40,0.5", "whole frame number"),
        ("1,-1,10,20,-30,40,0.5", "width and height from 0"),
        ("1,-1,nan,20,30,40,0.5", "finite"),
        ("1;-1;10;20;30;40;0.5", "'1;-1"),
    ],
)
def test_a_malformed_line_is_named(tmp_path: Path, line: str, saying: str) -> None:
    path = tmp_path / "det.txt"
    path.write_text(f"1,-1,10,20,30,40,0.5\n\n{line}\n2,-1,10,20,30,40,0.5\n")
    with pytest.raises(ConfigError) as caught:
        read_detections(path)
    assert f"{path} line 3" in str(caught.value)
    assert saying in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "det.txt"
    path.write_bytes(b"\xff\xd8\xff\xe0" * 100)
    with pytest.raises(ConfigError, match="not a text file"):
        read_detections(path)


@pytest.mark.parametrize("where", ["missing.txt", "."])
def test_unreadable_detections_are_refused(tmp_path: Path, where: str) -> None:
    with pytest.raises(SourceUnavailable, match="cannot read"):
        run(tmp_path / where, tmp_path / "out.txt")
    assert list(tmp_path.iterdir()) == []


def test_two_people_are_tracked_through_the_file(detections: Path, tmp_path: Path) -> None:
    output = tmp_path / "tracks.txt"
    summary = run(detections, output)
    rows = rows_of(output)
    assert [row[0] for row in rows] == sorted(row[0] for row in rows)
    assert {(row[1], row[2] > 250) for row in rows} == {(1, False), (2, True)}
    assert len(rows) == 40
    assert rows[-1] == pytest.approx([20, 2, 340, 100, 40, 80, 0.9, -1, -1, -1], abs=1)
    assert summary.startswith("20 frames, 40 detections, 2 tracks")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["det.txt", "tracks.txt"]


def test_fps_determines_the_times(tmp_path: Path) -> None:
    """A person occluded for 40 frames is forgotten at 25 fps and remembered at 119.88 fps."""
    path, output = tmp_path / "det.txt", tmp_path / "tracks.txt"
    path.write_text("".join(ROW.format(frame=k, left=100) for k in (*range(1, 21), *range(61, 101))))
    for fps, ids in ((25, {1, 2}), (Fraction(120_000, 1001), {1})):
        run(path, output, fps=fps, overwrite=True)
        assert {row[1] for row in rows_of(output)} == ids


def test_an_empty_file_gives_an_empty_file(tmp_path: Path) -> None:
    path, output = tmp_path / "det.txt", tmp_path / "tracks.txt"
    path.touch()
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a warning would be printed on the terminal
        assert run(path, output).startswith("0 frames")
    assert output.read_text() == ""


def test_an_existing_output_is_replaced_only_on_request(detections: Path, tmp_path: Path) -> None:
    output = tmp_path / "tracks.txt"
    output.write_text("old")
    with pytest.raises(SinkUnavailable, match="exists already"):
        run(detections, output)
    assert output.read_text() == "old"
    run(detections, output, overwrite=True)
    assert len(rows_of(output)) == 40


def test_the_input_is_never_the_output(detections: Path, tmp_path: Path) -> None:
    before = detections.read_text()
    link = tmp_path / "link.txt"
    link.symlink_to(detections)
    for output in (detections, link):
        with pytest.raises(SinkUnavailable, match="is the input"):
            run(detections, output, overwrite=True)
    assert detections.read_text() == before


@pytest.mark.parametrize(("fps", "size"), [(0, SIZE), (-5, SIZE), (float("nan"), SIZE), (25, (0, 480))])
def test_an_invalid_rate_or_size_is_refused(
    detections: Path, tmp_path: Path, fps: float, size: tuple[int, int]
) -> None:
    with pytest.raises(ConfigError, match="must be above 0"):
        track_file(detections, fps=fps, size=size, tracker=IouTracker(), out_path=tmp_path / "out.txt")


class FailingTracker(IouTracker):
    """Fails on the tenth frame."""

    def update(self, detections: Detections, time_s: float, motion: Motion | None = None) -> Tracks:
        if time_s > 9 / 25:
            raise ZeroDivisionError
        return super().update(detections, time_s, motion)


def test_a_failure_leaves_no_file(detections: Path, tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        track_file(detections, fps=25, size=SIZE, tracker=FailingTracker(), out_path=tmp_path / "out.txt")
    assert list(tmp_path.iterdir()) == [detections]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_a_full_disk_is_one_clear_line(detections: Path) -> None:
    with pytest.raises(SinkError, match=r"cannot write /dev/full: No space left"):
        run(detections, Path("/dev/full"), overwrite=True)


def test_the_summary_counts_rows_read_and_written(detections: Path, tmp_path: Path) -> None:
    output = tmp_path / "tracks.txt"
    with detections.open("a") as file:
        file.write("24,-1,500,300,40,80,0.9,-1,-1,-1\n")  # one detection, and frames without any
    found = track_file(detections, fps=25, size=SIZE, tracker=IouTracker(), out_path=output)
    assert (found.frames, found.detections) == (24, 41)
    assert found.rows == len(rows_of(output))
    assert found.tracks == len({row[1] for row in rows_of(output)})
    assert str(found).endswith(" frames/s")


def test_the_summary_has_the_speed(detections: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "perf_counter", iter([100.0, 102.5]).__next__)
    assert run(detections, tmp_path / "out.txt").endswith(" at 8 frames/s")
    assert str(TrackSummary(3, 2, 1, 1, 0.0)) == "3 frames, 2 detections, 1 tracks at 0 frames/s"


def test_a_frame_of_one_pixel_is_accepted(detections: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.txt"
    track_file(detections, fps=25, size=(1, 1), tracker=IouTracker(), out_path=out)
    assert out.read_text() == ""


@pytest.mark.parametrize("side", ["left", "top", "right", "bottom"])
@pytest.mark.parametrize(("beyond_px", "clipped"), [(0, True), (1, True), (1.5, False), (30, False)])
def test_boxes_are_clipped_if_the_detector_clips(tmp_path: Path, side: str, beyond_px: float, clipped: bool) -> None:
    """A person leaves at one side; the detector clips the box there, or some pixels later."""
    path, output = tmp_path / "det.txt", tmp_path / "tracks.txt"
    lines = []
    for frame in range(1, 21):
        start = 60.0 - 4 * frame
        end = start + 60
        start = max(start, -beyond_px)
        if side in ("right", "bottom"):
            length = SIZE[0] if side == "right" else SIZE[1]
            start, end = length - end, length - start
        along, across = (start, end - start), (200.0, 80.0)
        (left, width), (top, height) = (along, across) if side in ("left", "right") else (across, along)
        lines.append(f"{frame},-1,{left},{top},{width},{height},0.9,-1,-1,-1\n")
    path.write_text("".join(lines))
    run(path, output)
    rows = rows_of(output)
    inside = all(
        row[2] >= 0 and row[3] >= 0 and row[2] + row[4] <= SIZE[0] + 0.01 and row[3] + row[5] <= SIZE[1] + 0.01
        for row in rows
    )
    assert rows
    assert inside == clipped


@pytest.mark.parametrize("beyond", [False, True])
def test_boxes_are_clipped_only_if_all_detections_are(tmp_path: Path, beyond: bool) -> None:
    """A person leaves the frame: boxes of a detector that clips shrink, boxes of another one go outside."""
    path, output = tmp_path / "det.txt", tmp_path / "tracks.txt"
    lines = []
    for frame in range(1, 30):
        left = 560 + 3 * frame
        width = 40 if beyond else min(40, 640 - left)
        if left < 640:
            lines.append(f"{frame},-1,{left},100,{width},80,0.9,-1,-1,-1\n")
    path.write_text("".join(lines))
    run(path, output)
    right = max(row[2] + row[4] for row in rows_of(output))
    assert right > 650 if beyond else right <= 640.01


def test_a_track_outside_the_frame_is_not_written() -> None:
    four = tracks(4)  # boxes of 20x29 px, 1 px apart, from 0
    assert len(track_rows(0, four, (640, 480))) == 4
    assert [line.split(",")[1] for line in track_rows(0, four, (2, 480))] == ["1", "2"]
    assert track_rows(0, four, (2, 480))[0] == "1,1,0.12,1.00,1.88,29.00,0.8765,-1,-1,-1\n"


def test_a_track_beyond_the_left_or_top_is_not_written() -> None:
    four = tracks(4)
    for axis in (0, 1):
        boxes = four.boxes.copy()
        boxes[:, axis] -= boxes[:, axis + 2] + np.array([1, 0, -1, -2])
        boxes[:, axis + 2] = [-1, 0, 1, 2]
        left = dataclasses.replace(four, boxes=boxes)
        assert [line.split(",")[1] for line in track_rows(0, left, SIZE)] == ["3", "4"]
        assert len(track_rows(0, left, SIZE, clip=False)) == 2


def test_a_track_beyond_the_bottom_is_not_written() -> None:
    four = tracks(4)
    tops = four.boxes[:, 1]
    assert [line.split(",")[1] for line in track_rows(0, four, (640, int(tops[2]) + 1))] == ["1", "2", "3"]


def test_the_sink_writes_confirmed_tracks_with_frames_from_1(tmp_path: Path) -> None:
    path = tmp_path / "tracks.txt"
    with mot_sink(path) as sink:
        for index in range(3):
            sink.write(scene(index, index, count=index))
    assert [row[:2] for row in rows_of(path)] == [[2, 1], [3, 1], [3, 2]]


def test_unconfirmed_tracks_are_not_written() -> None:
    one = tracks(1)
    waiting = Tracks(
        **{name: getattr(one, name) for name in ("ids", "boxes", "scores", "labels", "velocities")},
        age_s=one.age_s,
        unseen_s=one.unseen_s,
        origin=one.origin,
        confirmed=np.zeros(1, np.bool_),
    )
    assert track_rows(0, waiting, SIZE) == []


def crowded_rows(frames: int = 150) -> str:
    """Twelve people on three lanes who overtake each other, with noisy and missing detections."""
    rng = np.random.default_rng(4)
    rows = []
    for frame in range(1, frames + 1):
        for person in range(12):
            left, top = 30 + 90 * (person % 4) + (1 + 0.7 * (person % 3)) * frame, 60 + 110 * (person // 4)
            if rng.random() > 0.05:
                x, y, width, height = np.array([left, top, 38, 92]) + rng.normal(0, 1.5, 4)
                rows.append(f"{frame},-1,{x:.2f},{y:.2f},{width:.2f},{height:.2f},{rng.uniform(0.5, 1):.3f},-1,-1,-1\n")
    return "".join(rows)


def check_tracks_of(path: Path, size: tuple[int, int], out_path: Path) -> None:
    """Nearly all detections are tracked, a track has at most one row per frame, and the summary is correct."""
    summary = track_file(path, fps=25, size=size, tracker=IouTracker(), out_path=out_path)
    rows = np.array(rows_of(out_path))
    assert summary.detections == len([line for line in path.read_text().splitlines() if line.strip()])
    assert summary.rows == len(rows) > 0.8 * summary.detections
    assert summary.tracks == len(np.unique(rows[:, 1])) == rows[:, 1].max()
    assert len(np.unique(rows[:, :2], axis=0)) == len(rows)


def test_a_crowd_is_tracked(tmp_path: Path) -> None:
    (tmp_path / "det.txt").write_text(crowded_rows())
    check_tracks_of(tmp_path / "det.txt", SIZE, tmp_path / "tracks.txt")
    assert np.array(rows_of(tmp_path / "tracks.txt"))[:, 1].max() < 40


@pytest.mark.elsewhere
@pytest.mark.skipif(not DATA.is_dir(), reason=f"no optional folder of tracking data at {DATA}")
@pytest.mark.parametrize("name", ["TUD-Stadtmitte", "KITTI-17"])
def test_real_detections_are_tracked(name: str, tmp_path: Path) -> None:
    check_tracks_of(DATA / name / "det" / "det.txt", (1224, 480), tmp_path / "tracks.txt")
