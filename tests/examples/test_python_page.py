"""docs/python.md and docs/trackers.md: each block of Python runs, and the tables list every field."""

from __future__ import annotations

import dataclasses
import re
import shutil
from pathlib import Path

import cv2
import pytest

import streamer
from streamer.cli.commands import packaged_clip

DOCS = Path(__file__).parents[2] / "docs"
CLIP = "carphone_pristine.mp4"
FIVE_TASKS = 5
MOST_LINES = 5


def blocks(page: str) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```$", (DOCS / page).read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


PYTHON = blocks("python.md")
ALL = [*PYTHON, *blocks("trackers.md")]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, starter_weights: Path) -> Path:  # noqa: ARG001
    """The current folder, with the files that the blocks read."""
    clip = packaged_clip(CLIP)
    shutil.copy(clip, tmp_path / "clip.mp4")
    (tmp_path / "clips").mkdir()
    shutil.copy(clip, tmp_path / "clips" / "one.mp4")
    cv2.imwrite(str(tmp_path / "picture.jpg"), next(streamer.open(clip, detector="starter")).frame.bgr())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(streamer.TRACKERS, "_registered", {})
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("block", ALL, ids=range(len(ALL)))
def test_each_block_runs(block: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = set(folder.iterdir())
    exec(compile(block, "a block of the page", "exec"), {"__name__": "__main__"})
    made = set(folder.iterdir()) - before
    assert made or capsys.readouterr().out.strip(), "it neither writes nor prints"
    assert all(path.stat().st_size > 0 for path in made)


def test_the_five_tasks_take_five_lines() -> None:
    tasks = PYTHON[1 : 1 + FIVE_TASKS]
    for wanted, task in zip(("annotated", "cars", "Counter", "def ", "clips"), tasks, strict=True):
        assert wanted in task
        lines = [line for line in task.splitlines() if line.strip() and not line.startswith(("import ", "from "))]
        assert len(lines) <= MOST_LINES, task


@pytest.mark.parametrize(
    "value",
    [streamer.Scene, streamer.Object, streamer.Objects, streamer.Frame, streamer.Tracks, streamer.Detections],
    ids=lambda value: str(value.__name__),
)
def test_the_tables_list_every_field(value: type) -> None:
    text = (DOCS / "python.md").read_text(encoding="utf-8")
    rows = text.partition(f"\n| `{value.__name__}` | type | |\n")[2].partition("\n\n")[0].splitlines()[1:]
    listed = {name for row in rows for name in re.findall(r"`(\w+)(?:\(\))?`", row.split("|")[1])}
    fields = {field.name for field in dataclasses.fields(value)} if dataclasses.is_dataclass(value) else set()
    members = {name for name in vars(value) if not name.startswith("_")} - {"empty", "select"}
    attributes = {"boxes", "scores", "ids", "class_ids"} if value is streamer.Objects else set()
    assert listed == fields | members | attributes


def test_the_tree_of_errors_is_complete() -> None:
    text = (DOCS / "python.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"^    (?:│   )?[├└]── (\w+) ", text, re.MULTILINE))
    errors = {getattr(streamer, name) for name in streamer.__all__ if isinstance(getattr(streamer, name), type)}
    assert listed == {one.__name__ for one in errors if issubclass(one, streamer.StreamerError)} - {"StreamerError"}
