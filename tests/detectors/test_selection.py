"""Which detector a name means."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from streamer.detectors import selection
from streamer.detectors.hub import HubDetector
from streamer.detectors.starter import StarterDetector
from streamer.errors import ConfigError, ModelError, StreamerError
from streamer.models import store
from tests.detectors import tiny_module


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("STREAMER_CACHE", str(folder))
    monkeypatch.delenv("TFHUB_CACHE_DIR", raising=False)
    return folder


@pytest.fixture
def module_at_hand(cache: Path) -> Path:
    folder = cache / store.HUB_MODULE
    folder.mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"")
    return folder


def never() -> bool:
    raise AssertionError("TensorFlow was asked, which takes seconds")


@pytest.mark.usefixtures("cache")
def test_auto_without_the_module_does_not_ask_tensorflow() -> None:
    choice = selection.choose("auto", sees_gpu=never)
    assert choice.module_dir is None
    assert "starter" in choice.reason
    assert "not at hand" in choice.reason


def test_auto_with_module_and_gpu(module_at_hand: Path) -> None:
    choice = selection.choose("auto", sees_gpu=lambda: True)
    assert choice.module_dir == module_at_hand
    assert "GPU" in choice.reason


@pytest.mark.usefixtures("module_at_hand")
def test_auto_with_module_but_no_gpu() -> None:
    choice = selection.choose("auto", sees_gpu=lambda: False)
    assert choice.module_dir is None
    assert "no GPU" in choice.reason


@pytest.mark.usefixtures("module_at_hand")
def test_auto_with_a_broken_tensorflow() -> None:
    def broken() -> bool:
        raise ModelError("TensorFlow cannot be imported (no AVX)")

    choice = selection.choose("auto", sees_gpu=broken)
    assert choice.module_dir is None
    assert "no AVX" in choice.reason


def test_auto_answers_without_importing_tensorflow(cache: Path) -> None:
    code = """
import sys
from streamer.detectors import selection
assert selection.choose("auto").module_dir is None
assert "tensorflow" not in sys.modules
"""
    subprocess.run(
        [sys.executable, "-c", code], check=True, timeout=60, env={**os.environ, "STREAMER_CACHE": str(cache)}
    )


def test_names_and_folders(module_at_hand: Path, tmp_path: Path) -> None:
    assert selection.choose("starter", sees_gpu=never).module_dir is None
    assert selection.choose(store.HUB_MODULE, sees_gpu=never).module_dir == module_at_hand
    assert selection.choose(str(tmp_path), sees_gpu=never).module_dir == tmp_path


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize(
    ("name", "kind", "told"),
    [
        ("startr", ConfigError, "did you mean starter"),
        ("yolo", ConfigError, "there are auto, starter"),
        ("faster_rcnn_openimages_v4", ModelError, "not fetched by this version"),
        ("none/of/this", ModelError, "no folder none/of/this"),
        ("model.tflite", ModelError, r"no folder model\.tflite"),
        ("https://ann:s3cret@example.org/m/1?token=s3cret", ModelError, r"https://example\.org/m/1 is not fetched"),
    ],
)
def test_what_cannot_be(name: str, kind: type[StreamerError], told: str) -> None:
    with pytest.raises(kind, match=told) as caught:
        selection.choose(name, sees_gpu=never)
    assert "s3cret" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    archive = tmp_path / "module.tar.gz"
    archive.write_bytes(b"")
    with pytest.raises(ModelError, match="unpack the module"):
        selection.choose(str(archive))


def test_builds_as_many_starters_as_asked_for() -> None:
    try:
        store.fetch(store.STARTER)
    except ModelError as error:
        pytest.skip(f"the starter's weights cannot be had: {error}")
    built = selection.build(selection.choose("starter"), min_score=0.5, threads=1, workers=2)
    assert len(built) == 2
    assert built[0] is not built[1]
    assert all(isinstance(each, StarterDetector) for each in built)
    assert len(selection.build(selection.choose("starter"), threads=10_000)) == 1
    with pytest.raises(ConfigError, match="threads"):
        selection.build(selection.choose("starter"), threads=0)


def test_builds_one_hub_detector(tmp_path: Path) -> None:
    if not importlib.util.find_spec("tensorflow"):
        pytest.skip("TensorFlow is not installed")
    choice = selection.choose(str(tiny_module.write(tmp_path / "module")))
    (built,) = selection.build(choice, workers=4)
    assert isinstance(built, HubDetector)
    built.close()
