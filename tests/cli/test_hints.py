"""What the program proposes for arguments that other programs, or a hurry, suggest."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamer.cli.run_options import OF_OTHER_PROGRAMS
from streamer.config.loading import load_settings
from streamer.errors import ConfigError
from streamer.run.outputs import Outputs
from streamer.system.suggestions import counted
from tests.cli.program import Program


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("--conf=0.3", "--min-score"), ("--save_txt", "--csv"), ("--device", "--set detector.device=gpu:0")],
)
def test_options_of_other_programs_are_translated(program: Program, typed: str, meant: str) -> None:
    result = program("run", "clip.mp4", typed)
    assert result.code == 2
    assert f"did you mean {meant}?" in result.errors


def test_only_unknown_options_are_translated(program: Program) -> None:
    known = program("run", "--help").output
    assert not [option for option in OF_OTHER_PROGRAMS if f" {option} " in known]
    for meant in OF_OTHER_PROGRAMS.values():
        assert not meant.startswith("--") or meant.split()[0] in known


@pytest.mark.parametrize(
    ("typed", "meant"), [(":18085", "http://127.0.0.1:18085/"), ("0.0.0.0:8080", "http://0.0.0.0:8080/")]
)
def test_a_port_without_a_scheme_is_no_file(typed: str, meant: str) -> None:
    with pytest.raises(ConfigError, match=f"did you mean {meant}"):
        Outputs.of(load_settings(None), "clip.mp4", typed=[typed])
    assert Outputs.of(load_settings(None), "clip.mp4", typed=["a:1.mp4"]).files == [Path("a:1.mp4")]


def test_a_transport_in_any_case() -> None:
    assert load_settings(None, ["source.transport=TCP"]).source.transport == "tcp"


def test_an_empty_value_is_not_repeated() -> None:
    with pytest.raises(ConfigError, match=r"source\.user: ") as caught:
        load_settings(None, ["source.user="])
    assert "None" not in str(caught.value)


def test_a_count_has_its_plural() -> None:
    assert [counted(number, "frame") for number in (0, 1, 2)] == ["0 frames", "1 frame", "2 frames"]
