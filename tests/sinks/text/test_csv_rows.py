"""Boxes as CSV."""

from __future__ import annotations

import csv
import dataclasses
import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.errors import SinkUnavailable
from streamer.interfaces import Scene
from streamer.sinks.text.csv_rows import COLUMNS, CsvSink
from streamer.values.labels import LabelTable
from tests.sinks.making import csv_sink, json_lines_sink
from tests.sinks.scenes import scene

ROW = "{frame},{time_s},1,0,person,0.8765,0.12,1.00,20.50,30.00,detected,{arrival},"


def text_of(sink: CsvSink, *scenes: Scene) -> str:
    """The text that the sink adds for scenes."""
    return "".join(map(sink.text_of, scenes))


@pytest.fixture
def sink(tmp_path: Path) -> CsvSink:
    return csv_sink(tmp_path / "out.csv")


def test_each_box_is_a_row_below_the_heading(tmp_path: Path) -> None:
    with csv_sink(tmp_path / "out.csv") as sink:
        for index in range(3):
            sink.write(scene(index, index * 512, count=index))
    assert (tmp_path / "out.csv").read_bytes().decode().split("\n") == [
        "frame,time_s,track_id,class_id,class,score,x0_px,y0_px,x1_px,y1_px,origin,arrival_wall_clock_s,file",
        ROW.format(frame=1, time_s="0.040000", arrival=""),
        ROW.format(frame=2, time_s="0.080000", arrival=""),
        "2,0.080000,2,1,car,0.8765,1.12,2.00,21.50,31.00,predicted,,",
        "",
    ]


def test_frames_of_live_sources_have_their_arrival(sink: CsvSink) -> None:
    one = scene(0, 0, count=1)
    live = dataclasses.replace(one, frame=dataclasses.replace(one.frame, arrival_wall_clock_s=1.7e9 + 0.25))
    expected = ROW.format(frame=0, time_s="0.000000", arrival="1700000000.250000")
    assert text_of(sink, live) == f"{expected}\n"


names = st.text(min_size=1).filter(lambda name: not any("\ud800" <= character <= "\udfff" for character in name))


@given(st.tuples(names, names))
def test_every_class_name_is_read_back(labels: tuple[str, str]) -> None:
    sink = csv_sink(Path("out.csv"))
    text = text_of(sink, dataclasses.replace(scene(0, 0, count=2), labels=LabelTable(labels)))
    rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    assert [row[COLUMNS.index("class")] for row in rows] == list(labels)
    assert {len(row) for row in rows} == {len(COLUMNS)}


def test_a_file_name_that_is_not_utf8_is_written_readably(sink: CsvSink) -> None:
    one = scene(0, 0, count=1)
    named = dataclasses.replace(one, frame=dataclasses.replace(one.frame, file="caf\udce9.png"))
    assert text_of(sink, named).endswith(",detected,,caf\\xe9.png\n")


def test_names_are_quoted_only_where_needed(sink: CsvSink) -> None:
    odd = LabelTable(('1" pipe, red', "Gemüse"))
    lines = text_of(sink, dataclasses.replace(scene(0, 0, count=2), labels=odd)).splitlines()
    assert ',"1"" pipe, red",' in lines[0]
    assert ",Gemüse," in lines[1]


def test_another_label_table_changes_the_names(sink: CsvSink) -> None:
    one = scene(0, 0, count=1)
    tables = [LabelTable(("person",)), LabelTable(("car",))]
    rows = text_of(sink, *(dataclasses.replace(one, labels=table) for table in tables)).splitlines()
    assert [row.split(",")[4] for row in rows] == ["person", "car"]


def test_csv_and_json_lines_have_the_same_numbers(sink: CsvSink, tmp_path: Path) -> None:
    one = scene(7, 7 * 511, count=40)
    boxes = one.tracks.boxes + np.linspace(-30, 700, 160, dtype=np.float32).reshape(40, 4)
    one = dataclasses.replace(one, tracks=dataclasses.replace(one.tracks, boxes=np.sort(boxes, axis=1)))
    line = json_lines_sink(tmp_path / "out.jsonl").text_of(one)
    for row in text_of(sink, one).splitlines():
        x0_px, y0_px, x1_px, y1_px = row.split(",")[6:10]
        assert f'"box":[{x0_px},{y0_px},{x1_px},{y1_px}]' in line


def test_a_full_disk_is_reported_when_the_sink_is_entered() -> None:
    with pytest.raises(SinkUnavailable, match="cannot write /dev/full: No space left on device; free some space"):
        csv_sink(Path("/dev/full")).__enter__()
