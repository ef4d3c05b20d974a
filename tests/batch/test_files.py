"""The files of a batch, and the name of each below their common folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamer.batch.files import find_files
from streamer.errors import ConfigError, SourceUnavailable


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def touch(*names: str) -> None:
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()


def found(*given: str, out: str = "out") -> list[tuple[str, str]]:
    return list(find_files(given, Path(out)).names.items())


@pytest.mark.parametrize("given", ["videos/**/*.mp4", "videos", "./videos/", "videos/**"])
def test_a_pattern_and_a_folder_keep_the_folders_below_them(given: str) -> None:
    touch("videos/2.mp4", "videos/10.mp4", "videos/day/a.mp4", "videos/day/.cut.mp4", "videos/notes.txt")
    assert found(given) == [
        ("videos/2.mp4", "2.mp4"),
        ("videos/10.mp4", "10.mp4"),
        ("videos/day/a.mp4", "day/a.mp4"),
    ]


def test_a_pattern_that_the_shell_expanded_keeps_the_folders_too() -> None:
    touch("videos/a/x.mp4", "videos/b/x.mp4", "videos/b/y.mp4")
    quoted = found("videos/*/*.mp4")
    assert [name for _, name in quoted] == ["a/x.mp4", "b/x.mp4", "b/y.mp4"]
    assert found("videos/a/x.mp4", "videos/b/x.mp4", "videos/b/y.mp4") == quoted


def test_names_are_below_the_folder_that_all_patterns_have_in_common(folder: Path) -> None:
    touch("a/x.mp4", "b/deep/x.mp4")
    assert [name for _, name in found("a", str(folder / "b"))] == ["a/x.mp4", "b/deep/x.mp4"]


def test_a_file_that_is_named_twice_is_one_file(folder: Path) -> None:
    touch("v/a.mp4", "v/b.mp4")
    assert [name for _, name in found("v/b.mp4", "v", "./v/b.mp4", str(folder / "v/*.mp4"))] == ["a.mp4", "b.mp4"]


def test_the_output_folder_inside_the_searched_folder_is_no_input() -> None:
    touch("v/a.mp4", "v/out/a.mp4", "v/out/deep/b.mkv")
    Path("v/results").symlink_to("out")
    for given in ("v", "v/**/*.mp4", "v/*/*", "v/out/../*.mp4"):
        if given == "v/*/*":
            with pytest.raises(SourceUnavailable, match="earlier run"):
                found(given, out="v/out")
        else:
            assert [name for _, name in found(given, out="v/out")] == ["a.mp4"]


def test_outputs_beside_the_inputs_are_no_inputs() -> None:
    touch("v/a.mp4", "v/a.annotated.mp4")
    assert found("v", out="v") == [("v/a.mp4", "a.mp4")]
    assert "left out" in find_files(["v"], Path("v")).notes[0]


def test_a_pattern_without_videos_is_all_that_it_matches() -> None:
    touch("v/a.dav", "v/b.dav")
    assert [name for _, name in found("v/*.dav")] == ["a.dav", "b.dav"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("v/*.avi", "v/\\*.avi: matches no file; put a pattern into quotes"),
        ("gone/**/*.mp4", "gone/\\*\\*/\\*.mp4: matches no file"),
        ("empty", "empty: has no video"),
        ("gone.mp4", "gone.mp4: no such file or folder"),
        ("v/%03d.mp4", "no such file or folder"),
    ],
)
def test_what_matches_nothing_is_refused(given: str, message: str) -> None:
    touch("v/a.mp4")
    Path("empty").mkdir()
    with pytest.raises(SourceUnavailable, match=message) as refused:
        find_files(["v", given], Path("out"))
    assert refused.value.exit_code == 2


def test_an_address_is_refused_without_its_password() -> None:
    with pytest.raises(ConfigError, match=r"rtsp://camera/1 is an address") as refused:
        find_files(["rtsp://me:swordfish@camera/1"], Path("out"))
    assert "swordfish" not in str(refused.value)


def test_brackets_in_a_name_are_no_pattern() -> None:
    touch("v/clip [1].mp4")
    assert found("v/clip [1].mp4") == [("v/clip [1].mp4", "clip [1].mp4")]
