"""The wheel: built, installed into a fresh environment, and run from an empty folder."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from streamer import __version__
from tests import clips

ROOT = Path(__file__).parents[1]
SOURCES = ("pyproject.toml", "README.md", "LICENSE", "streamer", "tracking")
DATA_FILES = {
    "streamer/py.typed",
    "tracking/py.typed",
    "streamer/classes/coco.csv",
    "streamer/classes/open_images_v4.csv",
    "streamer/observe/report.schema.json",
    "streamer/observe/site_report.schema.json",
    "streamer/sinks/mjpeg/mjpeg.html",
    "streamer/sinks/text/json_lines.schema.json",
}
FRAMES = 5

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, because setuptools leaves a build folder beside the sources."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in SOURCES:
        path = ROOT / name
        ignored = shutil.ignore_patterns("__pycache__")
        _ = shutil.copytree(path, folder / name, ignore=ignored) if path.is_dir() else shutil.copy(path, folder)
    command = ["pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index", "-w", "dist", "."]
    subprocess.run([sys.executable, "-m", *command], cwd=folder, check=True)
    (built,) = (folder / "dist").iterdir()
    return built


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the wheel. Its dependencies are those of the environment that runs the tests."""
    folder = tmp_path_factory.mktemp("environment") / "venv"
    venv.create(folder, symlinks=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    # The path file is not read there itself, so that an editable installation of this checkout stays invisible.
    dependencies = [path for path in sys.path if path.endswith("-packages")]
    (packages / "dependencies.pth").write_text("\n".join(dependencies), encoding="utf-8")
    install = ["pip", "--python", str(folder / "bin" / "python"), "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([sys.executable, "-m", *install, str(wheel)], check=True)
    return folder


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    folder = tmp_path / "empty"
    folder.mkdir()
    return folder


def run(environment: Path, folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command of the environment in a folder that is not the checkout."""
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    words = [str(environment / "bin" / command[0]), *command[1:]]
    return subprocess.run(words, cwd=folder, env=variables, capture_output=True, text=True, timeout=100, check=False)


def test_the_wheel_has_the_packages_and_their_data_files(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {name.partition("/")[0] for name in names} == {
        "streamer",
        "tracking",
        f"streamer_video-{__version__}.dist-info",
    }
    assert names >= DATA_FILES
    in_checkout = {str(path.relative_to(ROOT)) for path in (ROOT / "streamer").rglob("*.py")}
    assert {name for name in names if name.startswith("streamer/") and name.endswith(".py")} == in_checkout


def test_the_installed_package_is_the_wheel(environment: Path, empty: Path) -> None:
    code = "import streamer, tracking; print(streamer.__file__); print(streamer.__version__)"
    done = run(environment, empty, "python", "-c", code)
    file, version = done.stdout.split()
    assert Path(file).is_relative_to(environment)
    assert version == __version__


def test_no_top_level_main_is_installed(environment: Path, empty: Path) -> None:
    done = run(environment, empty, "python", "-c", "import main")
    assert "No module named 'main'" in done.stderr


@pytest.mark.parametrize("command", [("streamer",), ("python", "-m", "streamer")], ids=" ".join)
def test_both_commands_answer_help(environment: Path, empty: Path, command: tuple[str, ...]) -> None:
    done = run(environment, empty, *command, "--help")
    assert done.returncode == 0
    assert "probe" in done.stdout
    assert list(empty.iterdir()) == []


def test_a_clip_is_annotated_from_an_empty_folder(environment: Path, empty: Path, tmp_path: Path) -> None:
    clip = clips.write_video(tmp_path / "clip.mp4", frames=FRAMES)
    detections = tmp_path / "detections.txt"
    detections.write_text("1,-1,4,4,20,20,0.9,-1,-1,-1\n", encoding="ascii")
    command = ("run", str(clip), "-o", "out.mp4", "--jsonl", "boxes.jsonl", "--detector", str(detections))
    done = run(environment, empty, "streamer", *command)
    assert done.returncode == 0, done.stderr
    lines = (empty / "boxes.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["index"] for line in lines] == list(range(FRAMES))
    assert (empty / "out.mp4").is_file()
