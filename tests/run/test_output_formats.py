"""Real runs of every kind, and their outputs against the JSON Schemas of the package."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from jsonschema import Draft202012Validator

import streamer
from streamer.config.loading import load_settings
from streamer.errors import DetectorError
from streamer.observe.report import SilentReporter
from streamer.pipeline import Pipeline
from streamer.replay.recorder import Recorder
from streamer.replay.recording import Recording
from streamer.replay.session import ReplaySession
from streamer.run.outputs import Outputs
from streamer.run.session import Session
from streamer.sinks.text.csv_rows import COLUMNS
from streamer.sources.live.live import LiveSource
from tests import clips
from tests.sinks.making import csv_sink, json_lines_sink
from tests.sources.live.live_script import ScriptedConnector, picture
from tracking.iou import IouTracker

FRAMES = 40
AT_ONCE: dict[str, Any] = {"tracker.options.confirm_s": 0.0, "tracker.options.weak_confirm_s": 0.0}
"""A single detection makes a track, so that a live run has boxes on the busiest machine."""
CLASSES = (("Person", "/m/01g317"), ('say "cheese", please', None))
WALL_CLOCK_S = 1_700_000_000.25
SCRIPTED, DAMAGED = 12, 5


def validator(package: str, name: str) -> Draft202012Validator:
    """The validator of a schema in the package, which is itself valid."""
    schema = json.loads(files(package).joinpath(name).read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


LINE = validator("streamer.sinks.text", "json_lines.schema.json")
REPORT = validator("streamer.observe", "report.schema.json")


class Written(NamedTuple):
    """The outputs of a run."""

    lines: list[dict[str, Any]]
    rows: list[dict[str, str]]
    report: dict[str, Any]


class Folder:
    """A folder with a clip and detections of two classes for each of its frames."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.clip = clips.write_video(path / "clip.mp4", frames=FRAMES, size=(160, 120))
        self.seen = path / "seen.jsonl"
        with self.seen.open("w", encoding="utf-8") as file:
            for index in range(FRAMES):
                boxes = ([10 + index, 20, 50 + index, 90], [-4, 60, 30, 118])
                tracks = [
                    {"label": label, "score": 0.9, "box": box} | ({"mid": mid} if mid else {})
                    for (label, mid), box in zip(CLASSES, boxes, strict=True)
                ]
                file.write(json.dumps({"pts": index * 512, "tracks": tracks}) + "\n")
        self.seen_by_number = path / "seen.txt"
        rows = (f"{frame},-1,{10 + frame},20,40,50,0.9,-1,-1,-1" for frame in range(1, FRAMES + 1))
        self.seen_by_number.write_text("\n".join(rows) + "\n", encoding="ascii")

    def run(
        self,
        name: str,
        settings: Mapping[str, Any] | None = None,
        *,
        source: Path | None = None,
        record: Path | None = None,
        live: bool = False,
    ) -> Written:
        """Run the clip, or another source."""
        uri = str(source or self.clip)
        seen = self.seen_by_number if live or (source is not None and source.is_dir()) else self.seen
        options = {"detector.name": str(seen), "source.uri": uri, "source.live": live or None}
        chosen = load_settings(None, (), options | dict(settings or {}))
        observers = [] if record is None else [Recorder(record, uri, chosen.tracker)]
        Session(uri, self.outputs(name), chosen, SilentReporter(), observers=observers).run()
        return self.read(name)

    def outputs(self, name: str) -> Outputs:
        """All outputs of text."""
        jsonl, rows, mot, report = (self.file(name, suffix) for suffix in ("jsonl", "csv", "txt", "json"))
        return Outputs.of(load_settings(None), "", jsonl=jsonl, csv=rows, mot=mot, report=report)

    def file(self, name: str, suffix: str) -> Path:
        return self.path / f"{name}.{suffix}"

    def read(self, name: str) -> Written:
        """The outputs of a run; every line and the report are valid."""
        lines = [json.loads(line) for line in self.file(name, "jsonl").read_text(encoding="utf-8").splitlines()]
        for line in lines:
            LINE.validate(line)
        report = json.loads(self.file(name, "json").read_text(encoding="utf-8"))
        REPORT.validate(report)
        return Written(lines, read_csv(self.file(name, "csv")), report)


def read_csv(path: Path) -> list[dict[str, str]]:
    """The rows; the heading is complete."""
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file, strict=True)
        assert tuple(reader.fieldnames or ()) == COLUMNS
        return list(reader)


def check_same_boxes(written: Written) -> None:
    """The CSV has the boxes of the JSON lines, in the same order."""
    boxes = [(line, track) for line in written.lines for track in line["tracks"]]
    assert len(boxes) == len(written.rows) > 0
    for (line, track), row in zip(boxes, written.rows, strict=True):
        assert (int(row["frame"]), float(row["time_s"])) == (line["index"], line["time_s"])
        assert (int(row["track_id"]), row["class"], float(row["score"])) == (
            track["id"],
            track["label"],
            track["score"],
        )
        assert [float(row[name]) for name in ("x0_px", "y0_px", "x1_px", "y1_px")] == track["box"]
        assert row["origin"] == track["origin"]
        arrival = row["arrival_wall_clock_s"]
        assert (float(arrival) if arrival else None) == line.get("arrival_wall_clock_s")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    return Folder(tmp_path_factory.mktemp("formats"))


@pytest.mark.parametrize(
    ("name", "settings", "origins"),
    [
        ("file", {}, {"detected"}),
        ("every third", {"detector.every": 3}, {"detected", "interpolated"}),
        ("latency", {"detector.latency": "0.2"}, {"predicted"}),
    ],
)
def test_runs_of_files_fit_the_schemas(folder: Folder, name: str, settings: dict[str, Any], origins: set[str]) -> None:
    written = folder.run(name, settings)
    check_same_boxes(written)
    assert [line["index"] for line in written.lines] == list(range(FRAMES))
    assert {track["origin"] for line in written.lines for track in line["tracks"]} >= origins
    assert {row["class"] for row in written.rows} == {label for label, _ in CLASSES}
    assert not any("arrival_wall_clock_s" in line for line in written.lines)


def test_the_mot_rows_have_the_class_ids_of_the_csv_rows(folder: Folder) -> None:
    written = folder.run("classes")
    mot = [line.split(",") for line in folder.file("classes", "txt").read_text(encoding="ascii").splitlines()]
    of_mot = {(int(row[0]) - 1, int(row[1])): int(row[7]) for row in mot}
    assert of_mot == {(int(row["frame"]), int(row["track_id"])): int(row["class_id"]) for row in written.rows}
    assert set(of_mot.values()) == {0, 1}


def test_a_damaged_file_fits_the_schemas(folder: Folder) -> None:
    damaged = clips.corrupt(folder.clip, folder.path / "damaged.mp4", start=0.3, end=0.6)
    written = folder.run("damaged", source=damaged)
    check_same_boxes(written)
    assert written.report["frames"]["corrupt"] or written.report["frames"]["flagged_corrupt"]


def test_a_live_run_and_its_replay_write_the_same_with_arrival_times(folder: Folder) -> None:
    kept = folder.path / "kept"
    written = folder.run("live", AT_ONCE | {"overlay": "detected"}, record=kept, live=True)
    check_same_boxes(written)
    assert all(line["arrival_wall_clock_s"] > 0 for line in written.lines)
    settings = load_settings(None, (), AT_ONCE)
    ReplaySession(Recording(kept), folder.outputs("again"), settings, SilentReporter()).run()
    folder.read("again")
    for suffix in ("jsonl", "csv", "txt"):
        assert folder.file("again", suffix).read_bytes() == folder.file("live", suffix).read_bytes()


def test_boxes_of_a_folder_of_pictures_have_their_names(folder: Folder) -> None:
    pictures = folder.path / "pictures"
    pictures.mkdir()
    names = ['1, "the first".png', "2 ü.png", "10.png"]
    for number, name in enumerate(names):
        clips.write_picture(pictures / name, number)
    kept = folder.path / "kept pictures"
    written = folder.run("pictures", {"detector.latency": "0"}, source=pictures, record=kept)
    assert [line["file"] for line in written.lines] == names
    of_line = {line["index"]: line["file"] for line in written.lines}
    assert [row["file"] for row in written.rows] == [of_line[int(row["frame"])] for row in written.rows]
    assert written.rows
    ReplaySession(Recording(kept), folder.outputs("pictures again"), load_settings(None), SilentReporter()).run()
    assert folder.read("pictures again")[:2] == written[:2]


def test_a_recording_without_arrival_times_is_replayed(folder: Folder) -> None:
    kept = folder.path / "older"
    written = folder.run("older run", record=kept, live=True)
    events = (kept / "events.jsonl").read_text(encoding="utf-8").splitlines()
    older = [{k: v for k, v in json.loads(event).items() if k != "arrival_wall_clock_s"} for event in events]
    (kept / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in older), encoding="utf-8")
    ReplaySession(Recording(kept), folder.outputs("older again"), load_settings(None), SilentReporter()).run()
    without = [{k: v for k, v in line.items() if k != "arrival_wall_clock_s"} for line in written.lines]
    assert folder.read("older again").lines == without


class FailsOnce:
    """Finds a box; fails on the second frame that it gets."""

    labels = streamer.LabelTable(("thing",))

    def __init__(self) -> None:
        self._seen = 0

    def detect(self, frame: streamer.Frame) -> streamer.Detections:
        self._seen += 1
        if self._seen == 2:
            raise DetectorError(f"no answer for frame {frame.index}")
        return streamer.Detections(np.array([[8, 8, 40, 30]]), np.array([0.9]), np.array([0]))

    def close(self) -> None:
        return None


def scripted() -> Iterator[Any]:
    """A camera with a wall clock and one damaged frame."""
    for number in range(SCRIPTED):
        yield picture(number, wall_clock_s=WALL_CLOCK_S + number, damage="packet loss" if number == DAMAGED else "")


def write_all(path: Path, source: Callable[[], streamer.Source]) -> list[dict[str, Any]]:
    """The JSON lines of a run; valid."""
    with source() as opened, json_lines_sink(path, info=opened.info) as lines:
        Pipeline(opened, [FailsOnce()], IouTracker(confirm_s=0.0), sinks=[lines]).run()
    found = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    for line in found:
        LINE.validate(line)
    return found


def test_the_lines_of_a_camera_have_its_wall_clock_and_damage(tmp_path: Path) -> None:
    lines = write_all(tmp_path / "camera.jsonl", lambda: LiveSource(ScriptedConnector(scripted, ends=True)))
    assert all({"arrival_wall_clock_s", "wall_clock_s", "raw_pts"} <= line.keys() for line in lines)
    # A busy machine drops frames of a camera.
    assert {line["wall_clock_s"] for line in lines} <= {WALL_CLOCK_S + number for number in range(SCRIPTED)}
    damaged = {line["wall_clock_s"]: line["damage"] for line in lines if "damage" in line}
    assert damaged in ({WALL_CLOCK_S + DAMAGED: "packet loss"}, {})


def test_the_line_of_a_failed_detection_fits_the_schema(folder: Folder, tmp_path: Path) -> None:
    lines = write_all(tmp_path / "lost.jsonl", lambda: streamer.open_source(str(folder.clip)))
    assert [line["index"] for line in lines if line["state"] == "lost"] == [1]


def test_a_run_that_ends_before_its_first_frame_writes_empty_files(folder: Folder, tmp_path: Path) -> None:
    outputs = [tmp_path / "none.jsonl", tmp_path / "none.csv"]
    with suppress(streamer.Interrupted), streamer.open(folder.clip, detector=FailsOnce(), outputs=outputs) as scenes:
        del scenes
    assert outputs[0].read_text() == ""
    assert read_csv(outputs[1]) == []
    with csv_sink(tmp_path / "also none.csv"):
        pass
    assert read_csv(tmp_path / "also none.csv") == []


@pytest.mark.parametrize(("schema", "extra"), [(LINE, {"colour": "red"}), (REPORT, {"speed": 3})])
def test_an_undocumented_key_is_invalid(folder: Folder, schema: Draft202012Validator, extra: dict[str, Any]) -> None:
    written = folder.run(f"extra {next(iter(extra))}")
    valid = written.lines[0] if schema is LINE else written.report
    assert schema.is_valid(valid)
    assert not schema.is_valid(valid | extra)
