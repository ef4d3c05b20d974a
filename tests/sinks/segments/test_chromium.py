"""A browser plays recordings, also those that were recovered after a kill."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.sinks.segments.chromium import played
from tests.sinks.segments.test_killed_recording import MOST_LOST, finished, only, recorded
from tests.sinks.segments.test_recording import numbers_in, record

pytestmark = [
    pytest.mark.system,
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("chromium") is None, reason="Chromium is not installed"),
]


@pytest.mark.parametrize(("suffix", "codec"), [(".mp4", None), (".mp4", "av1"), (".webm", "vp9"), (".mov", None)])
@pytest.mark.parametrize("kill", [False, True], ids=["ended", "killed"])
def test_a_browser_plays_it(tmp_path: Path, suffix: str, codec: str | None, kill: bool) -> None:
    folder = tmp_path / "rec"
    folder.mkdir()
    if kill:
        recorded(folder / f"cam{suffix}", 130, codec=codec)
        finished(folder / f"cam{suffix}")
    else:
        record(folder / f"cam{suffix}", range(130), codec=codec)
    count = len(numbers_in(only(folder)))
    assert count >= 130 - MOST_LOST
    found = played(only(folder), tmp_path / "profile")
    assert found.error == ""
    assert found.duration_s == pytest.approx(count * 0.04, abs=0.05)
    assert found.end_s == pytest.approx(found.duration_s, abs=0.05)
    assert len(found.shown) >= 3
    for time_s, number in found.shown:
        assert number == round(time_s / 0.04)
