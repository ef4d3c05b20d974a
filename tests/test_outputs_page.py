"""The page about outputs shows what the program writes, and explains every key and column."""

from __future__ import annotations

import dataclasses
import json
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from streamer.sinks.text.csv_rows import COLUMNS
from streamer.sinks.text.json_lines import LineFormat
from tests import clips
from tests.cli.program import Program
from tests.sinks.scenes import scene

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "outputs.md").read_text(encoding="utf-8")
FRAMES, SIZE = 25, (640, 360)
MOT_COLUMNS = ["frame", "id", "left", "top", "width", "height", "score", "class", "-1", "-1"]


def section(title: str) -> str:
    """The text of a section of the page."""
    return PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def block(title: str, language: str) -> str:
    """The first block of a section in a language."""
    found = re.search(rf"^```{language}\n(.*?)^```", section(title), re.MULTILINE | re.DOTALL)
    assert found, f"{title}: no block of {language}"
    return found[1]


def explained(title: str) -> set[str]:
    """The names in the first column of the tables of a section."""
    cells = re.findall(r"^\| (`[^|]*) \|", section(title), re.MULTILINE)
    return {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}


def schema(package: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(files(package).joinpath(name).read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Program:
    """A folder with the outputs of the page's first command; a person and a car are detected on every other frame."""
    ran = Program(tmp_path_factory.mktemp("page"))
    clips.write_video(ran.folder / "clip.mp4", frames=FRAMES, size=SIZE)
    with (ran.folder / "seen.jsonl").open("w", encoding="utf-8") as seen:
        for index in range(FRAMES):
            person_px, car_px = 2.0 * index, -4.0 * index
            boxes = [96.4 + person_px, 80.2, 142.0 + person_px, 228.7], [402.5 + car_px, 150.8, 560.1 + car_px, 262.3]
            person = {"label": "Person", "mid": "/m/01g317", "score": 0.91, "box": boxes[0]}
            car = {"label": "Car", "mid": "/m/0k4j", "score": 0.78, "box": boxes[1]}
            seen.write(json.dumps({"pts": index * 512, "tracks": [person, car]}) + "\n")
    command = re.search(r"^streamer (run clip\.mp4 .*)$", PAGE, re.MULTILINE)
    assert command
    done = ran(*command[1].split(), "--detector", "seen.jsonl", "--detect-every", "2")
    assert done.code == 0, done.errors
    return ran


def test_the_example_of_csv_is_written(program: Program) -> None:
    written = (program.folder / "boxes.csv").read_text(encoding="utf-8")
    heading, rows = block("CSV", "csv").split("\n", 1)
    assert written.startswith(f"{heading}\n")
    assert f"\n{rows}" in written
    assert explained("CSV") == set(COLUMNS)


def test_the_example_of_json_lines_is_written(program: Program) -> None:
    lines = (program.folder / "boxes.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(block("JSON lines", "json")) in [json.loads(line) for line in lines]
    line = schema("streamer.sinks.text", "json_lines.schema.json")
    assert explained("JSON lines") == {*line["properties"], *line["$defs"]["track"]["properties"]}


def test_the_keys_of_live_sources_are_written() -> None:
    keys = block("JSON lines", "text").strip()
    values = json.loads(f"{{{keys}}}")
    one = scene(0, 0)
    frame = dataclasses.replace(one.frame, **values)
    assert f",{keys}," in LineFormat().line_of(dataclasses.replace(one, frame=frame))


def test_the_example_of_mot_is_written(program: Program) -> None:
    assert block("MOT Challenge text", "csv") in (program.folder / "tracks.txt").read_text(encoding="ascii")
    assert f"`{','.join(MOT_COLUMNS)}`" in section("MOT Challenge text")


def shape(value: Any) -> Any:
    """The keys of an object, and of the objects in it."""
    return {key: shape(inner) for key, inner in value.items()} if isinstance(value, dict) else None


def test_the_example_of_the_report_has_the_keys_of_a_real_one(program: Program) -> None:
    example, real = json.loads(block("Report", "json")), program.report("run.json")
    form = schema("streamer.observe", "report.schema.json")
    Draft202012Validator(form).validate(example)
    assert list(example) == list(real)
    assert shape(example) == shape(real)
    assert explained("Report") == set(form["properties"])
