"""Tracks as JSON lines."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from streamer.errors import SinkError, SourceLost
from streamer.interfaces import Scene
from streamer.sinks.text import json_lines
from streamer.sinks.text.json_lines import LineFormat
from streamer.values.events import CountState, LineState, PresenceState, Watched, ZoneState
from streamer.values.labels import LabelTable
from streamer.values.states import FrameState
from tests.sinks.making import INFO, json_lines_sink
from tests.sinks.scenes import scene

SCHEMA = Path(json_lines.__file__).with_name("json_lines.schema.json")


def test_a_frame_is_one_line_with_all_keys(tmp_path: Path) -> None:
    with json_lines_sink(tmp_path / "out.jsonl") as sink:
        for index in range(3):
            sink.write(scene(index, index * 512, count=index))
    lines = (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    assert [record["index"] for record in records] == [0, 1, 2]
    assert [len(record["tracks"]) for record in records] == [0, 1, 2]
    assert records[2] == {
        "index": 2,
        "pts": 1024,
        "time_base": "1/12800",
        "time_s": 0.08,
        "segment": 0,
        "state": "detected",
        "width": 64,
        "height": 48,
        "tracks": [
            {
                "id": 1,
                "label": "person",
                "mid": "/m/01g317",
                "score": 0.8765,
                "box": [0.12, 1.0, 20.5, 30.0],
                "box_normalized": [0.001922, 0.020833, 0.320312, 0.625],
                "origin": "detected",
                "found_pts": 1024,
                "age_s": 0.0,
            },
            {
                "id": 2,
                "label": "car",
                "score": 0.8765,
                "box": [1.12, 2.0, 21.5, 31.0],
                "box_normalized": [0.017547, 0.041667, 0.335938, 0.645833],
                "origin": "predicted",
                "found_pts": 1024,
                "age_s": 0.0,
            },
        ],
    }


def test_a_predicted_box_has_the_time_and_age_of_its_detection() -> None:
    carried = dataclasses.replace(scene(2, 1024, count=2), found_pts=np.array([512, 1536]))
    tracks = json.loads(LineFormat().line_of(carried))["tracks"]
    assert [(track["found_pts"], track["age_s"]) for track in tracks] == [(512, 0.04), (1536, -0.04)]


def test_lines_are_compact_utf8() -> None:
    line = LineFormat().line_of(scene(0, 0, count=3))
    assert line.endswith("}\n")
    assert line.count("\n") == 1
    assert ", " not in line
    assert ": " not in line


def test_the_counts_of_rules_are_on_each_line() -> None:
    area = ((0.1, 0.1), (0.9, 0.1), (0.9, 0.9))
    watched = Watched(
        lines=(LineState("gate", area[:2], 25, 3),),
        zones=(ZoneState("café", area, 2, 14),),
        counts=(CountState("queue", 4),),
        presence=(PresenceState("dog", True),),
    )
    line = LineFormat().line_of(dataclasses.replace(scene(0, 0, count=3), watched=watched))
    record = json.loads(line)
    assert record["lines"] == [{"name": "gate", "in": 25, "out": 3}]
    assert record["zones"] == [{"name": "café", "inside": 2, "entered": 14}]
    assert record["counts"] == [{"name": "queue", "objects": 4}]
    assert record["presence"] == [{"name": "dog", "present": True}]
    jsonschema.validate(record, json.loads(SCHEMA.read_text(encoding="utf-8")))
    assert ", " not in line


def test_a_picture_is_named() -> None:
    plain = scene(0, 0)
    named = dataclasses.replace(plain, frame=dataclasses.replace(plain.frame, file="münchen/caf\udce9.jpg"))
    line = json.loads(LineFormat().line_of(named).encode("utf-8"))
    assert line["file"] == "münchen/caf\\xe9.jpg"
    assert "file" not in json.loads(LineFormat().line_of(plain))


def test_numbers_are_rounded_from_float32() -> None:
    record = json.loads(LineFormat().line_of(scene(0, 0, count=20)))
    for track in record["tracks"]:
        texts = [str(value) for value in [*track["box"], track["score"], *track["box_normalized"]]]
        assert max(map(len, texts)) <= 8
    centre = np.array([track["box"] for track in record["tracks"]])[:, :2]
    np.testing.assert_allclose(centre[:, 0], np.arange(20) + 0.12, atol=0.01)


def test_names_that_json_escapes_are_kept() -> None:
    odd = LabelTable(('a "quoted" \\ name\n', "Gemüse"))
    one = scene(0, 0, count=2)
    line = LineFormat().line_of(Scene(one.frame, one.tracks, odd, FrameState.INTERPOLATED))
    record = json.loads(line)
    assert [track["label"] for track in record["tracks"]] == list(odd.names)
    assert record["state"] == "interpolated"
    assert "Gemüse" in line


def test_another_label_table_changes_the_names() -> None:
    one, form = scene(0, 0, count=1), LineFormat()
    names = [
        json.loads(form.line_of(dataclasses.replace(one, labels=LabelTable((name,)))))["tracks"][0]["label"]
        for name in ("person", "car")
    ]
    assert names == ["person", "car"]


def test_writing_before_entering_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match="not open"):
        json_lines_sink(tmp_path / "out.jsonl").write(scene(0, 0))


@pytest.mark.parametrize(("live", "kept"), [(True, True), (False, False)])
def test_the_lines_of_a_camera_that_does_not_come_back_are_kept(tmp_path: Path, live: bool, kept: bool) -> None:
    path = tmp_path / "out.jsonl"
    sink = json_lines_sink(path, info=dataclasses.replace(INFO, live=live))
    sink.__enter__()
    sink.write(scene(0, 0))
    sink.__exit__(SourceLost, SourceLost("the camera is gone", "lost"), None)
    assert [one.name for one in tmp_path.iterdir()] == (["out.jsonl"] if kept else [])
