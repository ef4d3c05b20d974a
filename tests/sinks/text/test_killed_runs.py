"""After `kill -9` the next start with the same name recovers the rows of text files."""

from __future__ import annotations

import logging
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sinks.making import csv_sink, json_lines_sink, mot_sink
from tests.sinks.scenes import scene

ROOT = Path(__file__).parents[3]
PROGRAM = """
import sys
from pathlib import Path
from tests.sinks import making
from tests.sinks.scenes import scene

with making.{sink}(Path({path!r})) as sink:
    for index in range({scenes}):
        sink.write(scene(index, index * 512, count=1))
    print("written", flush=True)
    sys.stdin.read()
"""
SINKS = [("csv_sink", "boxes.csv"), ("json_lines_sink", "boxes.jsonl"), ("mot_sink", "tracks.txt")]


def killed(sink: str, path: Path, scenes: int) -> None:
    """Write scenes in a process of its own, and kill it."""
    command = [sys.executable, "-c", PROGRAM.format(sink=sink, path=str(path), scenes=scenes)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "written\n"
        process.send_signal(signal.SIGKILL)


def make(sink: str, path: Path, scenes: int) -> None:
    kinds = {"csv_sink": csv_sink, "json_lines_sink": json_lines_sink, "mot_sink": mot_sink}
    with kinds[sink](path) as made:
        for index in range(scenes):
            made.write(scene(index, index * 512, count=1))


@pytest.mark.parametrize(("sink", "name"), SINKS)
def test_the_rows_of_a_killed_run_get_a_name(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, sink: str, name: str
) -> None:
    path = tmp_path / name
    killed(sink, path, scenes=3)
    assert not path.exists()
    with caplog.at_level(logging.WARNING):
        make(sink, path, scenes=1)
    recovered = path.with_name(f"{path.stem}-2{path.suffix}")
    assert {one.name for one in tmp_path.iterdir()} == {name, recovered.name}
    assert f"recovered {recovered} of a killed run: 3 rows" in caplog.text
    make(sink, tmp_path / "whole", scenes=3)
    assert recovered.read_bytes() == (tmp_path / "whole").read_bytes()


def test_an_incomplete_last_row_of_a_killed_run_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "boxes.csv"
    killed("csv_sink", path, scenes=2)
    (partial,) = tmp_path.iterdir()
    with partial.open("ab") as file:
        file.write(b"2,0.08")
    make("csv_sink", path, scenes=1)
    lines = (tmp_path / "boxes-2.csv").read_text().split("\n")
    assert [line.partition(",")[0] for line in lines] == ["frame", "0", "1", ""]


def test_a_killed_run_without_a_row_leaves_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "boxes.csv"
    killed("csv_sink", path, scenes=0)
    with caplog.at_level(logging.WARNING):
        make("csv_sink", path, scenes=1)
    assert [one.name for one in tmp_path.iterdir()] == ["boxes.csv"]
    assert "it has no row" in caplog.text


def test_the_file_of_a_run_in_progress_is_left_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "boxes.csv"
    with csv_sink(path) as first:
        first.write(scene(0, 0, count=1))
        with csv_sink(path, overwrite=True) as second:
            second.write(scene(0, 0, count=1))
        assert path.exists()
        path.unlink()
        first.write(scene(1, 512, count=1))
    assert len(path.read_text().splitlines()) == 3
    assert not caplog.records
