"""docs/engineering/containers.md has the measured values, and nothing is lost without a note."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamer.sinks.muxing.muxer import SUFFIXES
from tests.clips import write_video
from tests.sinks.muxing.containers import LOST, PAGE, page
from tests.sinks.scenes import annotate


def test_the_page_on_containers_has_the_measured_values(tmp_path: Path) -> None:
    measured = page(tmp_path)
    assert LOST not in measured
    # Made by: python -m tests.sinks.muxing.containers
    assert PAGE.read_text(encoding="utf-8") == measured


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_two_runs_write_the_same_bytes(tmp_path: Path, suffix: str) -> None:
    clip = write_video(tmp_path / "clip.mp4", frames=10, audio=True)
    files = [tmp_path / f"{name}{suffix}" for name in ("one", "two")]
    for file in files:
        annotate(clip, file)
    assert files[0].read_bytes() == files[1].read_bytes()
