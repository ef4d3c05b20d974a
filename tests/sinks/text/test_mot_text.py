"""Tracks as MOT Challenge text, with the class of each."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streamer.detectors.recorded import read
from streamer.values.labels import LabelTable
from streamer.values.mot import read_detections, read_rows
from tests.sinks.making import mot_sink
from tests.sinks.scenes import scene

FRAMES = 12
PERSON = 69
"""The row of `Person` in the table of Open Images V4."""


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """The text of scenes with persons whose class has the number 69."""
    path = tmp_path / "tracks.txt"
    table = LabelTable((*(f"class {row}" for row in range(PERSON)), "Person"))
    with mot_sink(path) as sink:
        for index in range(FRAMES):
            one = scene(index, index * 512, count=2)
            labels = np.full(2, PERSON, np.int32)
            sink.write(dataclasses.replace(one, tracks=dataclasses.replace(one.tracks, labels=labels), labels=table))
    return path


def test_column_eight_has_the_number_of_the_class(tmp_path: Path) -> None:
    with mot_sink(tmp_path / "tracks.txt") as sink:
        sink.write(scene(4, 2048, count=2))
    assert (tmp_path / "tracks.txt").read_text(encoding="ascii").splitlines() == [
        "5,1,0.12,1.00,20.38,29.00,0.8765,0,-1,-1",
        "5,2,1.12,2.00,20.38,29.00,0.8765,1,-1,-1",
    ]


def test_the_readers_of_this_program_take_files_with_classes(written: Path) -> None:
    assert read_rows(written).shape == (2 * FRAMES, 7)
    assert [len(detections) for _, detections in read_detections(written)] == [2] * FRAMES
    detector = read(written)
    assert len(detector.detect(scene(0, 0).frame)) == 2
    assert detector.labels.name(0) == "object"


def evaluated(folder: Path, tracks: Path) -> dict[str, Any]:
    """What TrackEval finds, with the tracks as ground truth, too."""
    trackeval = pytest.importorskip("trackeval")
    truth = folder / "gt" / "one" / "gt" / "gt.txt"
    truth.parent.mkdir(parents=True)
    rows = [line.split(",") for line in tracks.read_text(encoding="ascii").splitlines()]
    truth.write_text("".join(f"{','.join(row[:6])},1,1,1\n" for row in rows), encoding="ascii")
    results = folder / "trackers" / "mine" / "data"
    results.mkdir(parents=True)
    shutil.copy(tracks, results / "one.txt")
    options = {"GT_FOLDER": folder / "gt", "TRACKERS_FOLDER": folder / "trackers", "OUTPUT_FOLDER": folder / "out"}
    dataset = trackeval.datasets.MotChallenge2DBox(
        {
            **{name: str(path) for name, path in options.items()},
            "SKIP_SPLIT_FOL": True,
            "PRINT_CONFIG": False,
            "SEQ_INFO": {"one": FRAMES},
            "BENCHMARK": "MOT17",
        }
    )
    data = dataset.get_preprocessed_seq_data(dataset.get_raw_seq_data("mine", "one"), "pedestrian")
    found: dict[str, Any] = trackeval.metrics.CLEAR({"PRINT_CONFIG": False}).eval_sequence(data)
    return found


def test_trackeval_needs_class_one_as_the_page_of_outputs_says(written: Path, tmp_path: Path) -> None:
    with pytest.raises(Exception, match="only valid for pedestrian class"):
        evaluated(tmp_path / "refused", written)
    rows = [line.split(",") for line in written.read_text(encoding="ascii").splitlines()]
    written.write_text("".join(",".join([*row[:7], "1", *row[8:]]) + "\n" for row in rows), encoding="ascii")
    assert evaluated(tmp_path / "accepted", written)["MOTA"] == pytest.approx(1)
