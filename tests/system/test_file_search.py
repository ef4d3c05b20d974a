"""Files below a folder, and patterns with `**`."""

from __future__ import annotations

import glob
import os
from pathlib import Path

import pytest

from streamer.system.file_search import files_below, matching_files


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("v/a.mp4", "v/b.mkv", "v/x/c.mp4", "v/x/y/d.mp4", "v/.hidden/e.mp4", "v/.f.mp4", "w/a.mp4"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()
    return tmp_path


@pytest.mark.parametrize(
    "pattern",
    [
        "**/*.mp4",
        "v/**/*.mp4",
        "./v/**/*.mp4",
        "v//**/*.mp4",
        "v/**",
        "**/x/*.mp4",
        "**/x/**/d.mp4",
        "?/**/[ab].*",
        "gone/**/*.mp4",
    ],
)
def test_a_pattern_matches_what_glob_matches(pattern: str) -> None:
    found = {path for name in glob.glob(pattern, recursive=True) if (path := Path(name)).is_file()}  # noqa: PTH207
    assert set(matching_files(pattern)) == found


def test_an_absolute_pattern_gives_absolute_paths(folder: Path) -> None:
    assert set(matching_files(f"{folder}/v/**/*.mp4")) == {
        folder / "v" / name for name in ("a.mp4", "x/c.mp4", "x/y/d.mp4")
    }


def test_loops_of_links_end_and_each_file_is_found_once() -> None:
    for link in ("v/x/up", "v/x/again", "v/x/y/root"):
        Path(link).symlink_to("..")
    Path("v/x/a-link").symlink_to("y")  # sorted before the folder itself
    names = [str(path) for path in files_below(Path("v"))]
    assert sorted(names) == ["v/a.mp4", "v/b.mkv", "v/x/c.mp4", "v/x/y/d.mp4"]


def test_a_folder_that_only_a_link_names_is_searched() -> None:
    Path("v/linked").symlink_to("../w")
    assert Path("v/linked/a.mp4") in matching_files("v/**/*.mp4")


def test_a_folder_that_cannot_be_read_is_named(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan = os.scandir

    def refuse(path: Path) -> object:
        if Path(path).name == "y":
            raise PermissionError(13, "Permission denied")
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert len(matching_files("v/**/*.mp4")) == 2
    assert "v/x/y is left out: Permission denied" in caplog.text
