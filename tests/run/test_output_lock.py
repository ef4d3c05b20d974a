"""Two runs do not write the same file at the same time."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamer.errors import SinkUnavailable
from streamer.run.output_lock import locked_outputs


def test_a_second_run_is_refused_until_the_first_has_ended(tmp_path: Path) -> None:
    first, second = tmp_path / "out.mp4", tmp_path / "out.jsonl"
    with locked_outputs([first, second]):
        refused = pytest.raises(
            SinkUnavailable, match=r"another run writes .*out\.jsonl at this moment; choose another"
        )
        with refused, locked_outputs([tmp_path / "other.mp4", second]):
            pass
        assert {path.name for path in tmp_path.iterdir()} == {".out.mp4.lock", ".out.jsonl.lock"}
    assert not list(tmp_path.iterdir())
    with locked_outputs([second]):
        pass


def test_a_lock_of_a_killed_run_is_taken(tmp_path: Path) -> None:
    (tmp_path / ".out.mp4.lock").write_text("")
    with locked_outputs([tmp_path / "out.mp4"]):
        pass
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_locked_is_left_to_the_outputs(tmp_path: Path) -> None:
    with locked_outputs([tmp_path / "absent" / "out.mp4", Path("/dev/null")]), locked_outputs([Path("/dev/null")]):
        pass
    assert not list(tmp_path.iterdir())


def test_a_long_name_is_locked(tmp_path: Path) -> None:
    file = tmp_path / f"{'n' * 250}.mp4"
    with locked_outputs([file]), pytest.raises(SinkUnavailable), locked_outputs([file]):
        pass
