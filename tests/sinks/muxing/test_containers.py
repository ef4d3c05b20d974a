"""docs/engineering/containers.md has the measured values, and nothing is lost without a note."""

from __future__ import annotations

from pathlib import Path

from tests.sinks.muxing.containers import LOST, PAGE, page


def test_the_page_on_containers_has_the_measured_values(tmp_path: Path) -> None:
    measured = page(tmp_path)
    assert LOST not in measured
    # Made by: python -m tests.sinks.muxing.containers
    assert PAGE.read_text(encoding="utf-8") == measured
