"""Recorded detections and their file formats."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from streamer.detectors.recorded import RecordedDetector, read
from streamer.errors import ConfigError, SourceUnavailable
from streamer.values.frame import Frame
from streamer.values.labels import LabelTable
from tests.detectors.frames import blank, frame_of
from tracking.types import Detections

LABELS = LabelTable(("thing", "other"))


def found(*corners: float) -> Detections:
    return Detections(np.array([corners], np.float32), np.array([0.7], np.float32), np.array([1]))


def frame(index: int, pts: int | None = None, size: tuple[int, int] = (64, 48)) -> Frame:
    made = frame_of(blank(*size), index=index)
    return made if pts is None else Frame(made.picture, index, pts, made.time_base, made.captured_s)


def test_each_frame_gets_its_recorded_detections() -> None:
    recorded = {0: found(1, 2, 3, 4), 5: found(5, 6, 7, 8)}
    detector = RecordedDetector(recorded, LABELS)
    assert detector.labels is LABELS
    for _ in range(2):
        assert detector.detect(frame(5)) is recorded[5]
        assert detector.detect(frame(0)) is recorded[0]
        assert len(detector.detect(frame(1))) == 0
        assert len(detector.detect(frame(6))) == 0


def test_the_key_may_be_the_pts() -> None:
    detector = RecordedDetector({9000: found(1, 2, 3, 4)}, LABELS, by_pts=True)
    assert len(detector.detect(frame(0, pts=9000))) == 1
    assert len(detector.detect(frame(9000, pts=0))) == 0


@pytest.mark.parametrize(
    ("size", "expected"), [((64, 48), (8, 12, 32, 48)), ((128, 48), (16, 12, 64, 48)), ((32, 96), (4, 24, 16, 96))]
)
def test_boxes_are_scaled_to_the_frame(size: tuple[int, int], expected: tuple[int, ...]) -> None:
    detector = RecordedDetector({0: found(8, 12, 32, 48)}, LABELS, size=(64, 48))
    seen = detector.detect(frame(0, size=size))
    assert seen.boxes.tolist() == [list(expected)]
    assert (seen.scores.tolist(), seen.labels.tolist()) == ([pytest.approx(0.7)], [1])


def test_without_a_size_boxes_are_not_scaled() -> None:
    detector = RecordedDetector({0: found(8, 12, 32, 48)}, LABELS)
    assert detector.detect(frame(0, size=(640, 480))).boxes.tolist() == [[8, 12, 32, 48]]


def test_close_may_be_called_twice() -> None:
    detector = RecordedDetector({}, LABELS)
    detector.close()
    detector.close()
    assert len(detector.detect(frame(0))) == 0


@pytest.mark.parametrize(
    ("name", "is_one"),
    [("det.txt", True), ("DET.TXT", True), ("out.jsonl", True), ("model.tar.gz", False), ("", False)],
)
def test_recordings_are_recognised_by_their_suffix(name: str, is_one: bool) -> None:
    assert RecordedDetector.accepts(name) == is_one


def test_mot_text_counts_frames_from_one(tmp_path: Path) -> None:
    file = tmp_path / "det.txt"
    file.write_text("1,-1,10,20,30,40,0.9,-1,-1,-1\n3,-1,1,2,3,4,0.4,-1,-1,-1\n1,-1,5,5,5,5,0.3,-1,-1,-1\n")
    detector = read(file)
    first = detector.detect(frame(0))
    assert sorted(first.boxes.tolist()) == [[5, 5, 10, 10], [10, 20, 40, 60]]
    assert [len(detector.detect(frame(index))) for index in range(4)] == [2, 0, 1, 0]
    assert detector.labels.name(int(first.labels[0])) == "object"


def line(pts: int, *tracks: tuple[str, str | None, list[float], float]) -> str:
    shown = [
        {"label": label, "mid": mid, "box": box, "score": score, "id": number}
        for number, (label, mid, box, score) in enumerate(tracks, 1)
    ]
    return json.dumps({"pts": pts, "tracks": shown}) + "\n"


def test_json_lines_are_found_by_pts_with_the_highest_score_first(tmp_path: Path) -> None:
    file = tmp_path / "out.jsonl"
    dog, cat = ("Dog", "/m/0bt9lr"), ("Cat", "/m/01yrx")
    file.write_text(
        line(0, (*dog, [1, 2, 3, 4], 0.5), (*cat, [5, 6, 7, 8], 0.75))
        + "\n"
        + line(512)
        + line(1024, (*dog, [9, 9, 12, 12], 0.25))
    )
    detector = read(file)
    first = detector.detect(frame(7, pts=0))
    assert first.scores.tolist() == [0.75, 0.5]
    assert first.boxes.tolist() == [[5, 6, 7, 8], [1, 2, 3, 4]]
    names = [(detector.labels.name(label), detector.labels.mid(label)) for label in first.labels.tolist()]
    assert names == [cat, dog]
    assert len(detector.detect(frame(8, pts=512))) == 0
    last = detector.detect(frame(9, pts=1024))
    assert [detector.labels.name(label) for label in last.labels.tolist()] == ["Dog"]


def test_json_lines_without_boxes(tmp_path: Path) -> None:
    file = tmp_path / "out.jsonl"
    file.write_text(line(0) + line(1))
    detector = read(file)
    assert len(detector.detect(frame(0))) == 0
    assert len(detector.labels) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        "no json",
        '{"pts": 0}',
        '{"tracks": []',
        "[1, 2]",
        '{"pts": "soon", "tracks": [{"label": "a", "box": [1,2,3,4], "score": 1}]}',
        '{"pts": 0, "tracks": [{"label": "a", "box": [1,2,3,4]}]}',
        '{"pts": 0, "tracks": 5}',
    ],
)
def test_another_format_is_reported_with_the_line_number(tmp_path: Path, wrong: str) -> None:
    file = tmp_path / "out.jsonl"
    file.write_text(line(0) + wrong + "\n")
    with pytest.raises(ConfigError, match=r"out\.jsonl, line 2: not what run --jsonl writes") as caught:
        read(file)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("box", [[1, 2, 3], [5, 5, 1, 1], ["a", 1, 2, 3], None, [1, 2, float("nan"), 4]])
def test_an_invalid_box_is_reported_with_its_frame(tmp_path: Path, box: object) -> None:
    file = tmp_path / "out.jsonl"
    file.write_text(json.dumps({"pts": 77, "tracks": [{"label": "a", "box": box, "score": 0.5}]}) + "\n")
    with pytest.raises(ConfigError, match="77"):
        read(file)


@pytest.mark.parametrize("score", ["high", None, [1], float("nan")])
def test_an_invalid_score_is_reported_with_its_frame(tmp_path: Path, score: object) -> None:
    file = tmp_path / "out.jsonl"
    file.write_text(json.dumps({"pts": 77, "tracks": [{"label": "a", "box": [1, 2, 3, 4], "score": score}]}) + "\n")
    with pytest.raises(ConfigError, match="77"):
        read(file)


def test_a_malformed_line_of_mot_text_is_reported_with_its_number(tmp_path: Path) -> None:
    file = tmp_path / "det.txt"
    file.write_text("1,-1,10,20,30,40,0.9,-1,-1,-1\n2,-1,wide\n")
    with pytest.raises(ConfigError, match=r"line 2"):
        read(file)


@pytest.mark.parametrize("name", ["none.jsonl", "none.txt"])
def test_a_missing_file_is_reported(tmp_path: Path, name: str) -> None:
    with pytest.raises((SourceUnavailable, ConfigError), match=name):
        read(tmp_path / name)


def test_a_binary_file_is_reported(tmp_path: Path) -> None:
    file = tmp_path / "out.jsonl"
    file.write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(SourceUnavailable, match=r"out\.jsonl: it is no text"):
        read(file)
