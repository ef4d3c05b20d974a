"""The frames of the parts are those of a run over the whole file, whatever the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamer.errors import ConfigError
from streamer.parts.part_source import PartSource
from tests.clips import write_video
from tests.parts.identity import of_parts, planned, restarts, settings, whole


@pytest.mark.parametrize("parts", [1, 2, 7, 64])
def test_parts_have_the_frames_of_the_whole_file(tmp_path: Path, parts: int) -> None:
    path = write_video(tmp_path / "clip.mp4", frames=70, options={"g": "8", "bf": "2"})
    plan = planned(path, parts)
    assert len(plan.parts) == parts
    assert of_parts(plan) == whole(path, settings())
    assert restarts(plan) == 0


def test_another_file_is_refused(tmp_path: Path) -> None:
    plan = planned(write_video(tmp_path / "clip.mp4"), 2)
    other = write_video(tmp_path / "other.mp4", first_number=1)
    with pytest.raises(ConfigError, match="is not the file of the plan"), PartSource(plan, plan.parts[1], other):
        pass
