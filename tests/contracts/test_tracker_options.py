"""docs/trackers.md lists every tracker, and every option with its default."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from examples.bytetrack.streamer_bytetrack import ByteTrack
from streamer.registry import TRACKERS

PAGE = Path(__file__).parents[2] / "docs" / "trackers.md"


def table(heading: str) -> list[list[str]]:
    """The cells of the first table below a heading, with the row of titles."""
    section = PAGE.read_text(encoding="utf-8").partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip().strip("`") for cell in row] for row in rows]


def defaults(factory: type) -> dict[str, str]:
    return {name: str(parameter.default) for name, parameter in inspect.signature(factory).parameters.items()}


@pytest.mark.parametrize("name", sorted(set(TRACKERS) - TRACKERS.extensions))
def test_the_options_of_a_built_in_tracker_are_listed(name: str) -> None:
    titles, *rows = table("Options of `cascade` and `iou`")
    column = titles.index(name)
    assert {row[0]: row[column] for row in rows if row[column]} == defaults(TRACKERS[name])


def test_the_options_of_bytetrack_are_listed() -> None:
    _, *rows = table("ByteTrack")
    assert {row[0]: row[1] for row in rows} == defaults(ByteTrack)


def test_every_tracker_has_its_scores() -> None:
    text = PAGE.read_text(encoding="utf-8")
    scored = re.findall(r"^\| `(\w+)` \| \d+\.\d / \d+\.\d / \d+ \|", text, re.MULTILINE)
    assert sorted(scored) == sorted({*TRACKERS} - TRACKERS.extensions | {"bytetrack"})
