"""Which detector a name means."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from streamer.detectors import selection
from streamer.detectors.selection import Options
from streamer.detectors.starter import StarterDetector
from streamer.detectors.watchdog import WatchedDetector
from streamer.errors import ConfigError, ModelError, StreamerError
from streamer.models import hub, store
from tests.detectors.tfhub import tiny_module
from tests.models import archives

GRAPH = b"\x08\x01"  # the smallest that can be taken for a SavedModel


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, on a machine without a GPU and without a network."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("STREAMER_CACHE", str(folder))
    monkeypatch.delenv("TFHUB_CACHE_DIR", raising=False)
    monkeypatch.delenv("STREAMER_OFFLINE", raising=False)
    monkeypatch.setattr(selection, "has_gpu_device", lambda: False)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # the discard port: nobody listens
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    return folder


@pytest.fixture
def module_at_hand(cache: Path) -> Path:
    folder = cache / store.HUB_MODULE
    folder.mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(GRAPH)
    return folder


def never() -> bool:
    raise AssertionError("TensorFlow was asked, which takes seconds")


@pytest.mark.usefixtures("cache")
def test_auto_without_module_and_gpu_does_not_ask_tensorflow() -> None:
    choice = selection.choose("auto", sees_gpu=never)
    assert choice.module_dir is None
    assert "starter" in choice.reason
    assert "not at hand" in choice.reason


def test_auto_with_module_and_gpu(module_at_hand: Path) -> None:
    choice = selection.choose("auto", sees_gpu=lambda: True)
    assert choice.module_dir == module_at_hand
    assert choice.handle == store.HUB_HANDLE
    assert "GPU" in choice.reason


@pytest.mark.usefixtures("cache")
def test_auto_with_gpu_fetches_the_module_or_says_why_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection, "has_gpu_device", lambda: True)
    choice = selection.choose("auto", sees_gpu=lambda: True)
    assert choice.module_dir is None
    assert f"starter, because cannot fetch {store.HUB_HANDLE} (the proxy cannot be used)" in choice.reason


@pytest.mark.usefixtures("cache")
def test_auto_offline_neither_fetches_nor_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection, "has_gpu_device", lambda: True)
    with pytest.raises(ModelError, match="the starter is not at hand and nothing may be fetched"):
        selection.choose("auto", offline=True, sees_gpu=never)


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
selection.has_gpu_device = lambda: False
assert selection.choose("auto").module_dir is None
assert "tensorflow" not in sys.modules
"""
    subprocess.run(
        [sys.executable, "-c", code], check=True, timeout=60, env={**os.environ, "STREAMER_CACHE": str(cache)}
    )


def test_names_and_folders(module_at_hand: Path) -> None:
    assert selection.choose("starter", sees_gpu=never).module_dir is None
    assert selection.choose(store.HUB_MODULE, sees_gpu=never).module_dir == module_at_hand
    assert selection.choose(store.HUB_HANDLE, offline=True, sees_gpu=never).module_dir == module_at_hand
    choice = selection.choose(str(module_at_hand), sees_gpu=never)
    assert (choice.module_dir, choice.handle) == (module_at_hand, str(module_at_hand))


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize(
    ("name", "kind", "told"),
    [
        ("startr", ConfigError, "did you mean starter"),
        ("yolo", ConfigError, "there are auto, starter"),
        ("", ConfigError, "there are auto, starter"),
        ("faster_rcnn_openimages_v4", ModelError, r"cannot fetch https://tfhub\.dev/.* \(the proxy cannot be used\)"),
        ("none/of/this", ModelError, "there is no none/of/this"),
        ("model.tflite", ModelError, r"there is no model\.tflite"),
        ("gs://bucket/m.tar.gz", ModelError, r"only http\(s\) URLs"),
        ("http://ann:s3cret@host.invalid/m/1?token=s3cret", ModelError, r"cannot fetch http://host\.invalid/m/1 \("),
    ],
)
def test_what_cannot_be(name: str, kind: type[StreamerError], told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "BACKOFF_S", 0.01)
    with pytest.raises(kind, match=told) as caught:
        selection.choose(name, sees_gpu=never)
    assert "s3cret" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


def test_a_checksum_is_never_passed_over(module_at_hand: Path) -> None:
    pinned = "0" * 64
    for name in ("starter", str(module_at_hand)):
        with pytest.raises(ConfigError, match="checksum"):
            selection.choose(name, sha256=pinned, sees_gpu=never)
    with pytest.raises(ModelError, match="nothing may be fetched"):
        selection.choose(store.HUB_MODULE, sha256=pinned, offline=True, sees_gpu=never)


def test_a_folder_without_a_module(cache: Path) -> None:
    cache.mkdir()
    with pytest.raises(ModelError, match=rf"{cache} is no TensorFlow module: it holds no saved_model\.pb"):
        selection.choose(str(cache), sees_gpu=never)


def test_an_archive_is_unpacked_and_used(cache: Path, tmp_path: Path) -> None:
    if not importlib.util.find_spec("tensorflow"):
        pytest.skip("TensorFlow is not installed")
    archive = tmp_path / "module.tar.gz"
    archive.write_bytes(archives.of_folder(tiny_module.write(tmp_path / "module")))
    choice = selection.choose(str(archive), offline=True, sees_gpu=never)
    assert choice.handle == str(archive)
    assert choice.module_dir is not None
    assert choice.module_dir.parent == cache / "hub"
    assert (choice.module_dir / "saved_model.pb").is_file()


@pytest.mark.usefixtures("starter_weights")
def test_builds_as_many_starters_as_asked_for() -> None:
    built = selection.build(selection.choose("starter"), Options(min_score=0.5, threads=1, workers=2))
    assert len(built) == 2
    assert built[0] is not built[1]
    assert all(isinstance(each, StarterDetector) for each in built)
    assert len(selection.build(selection.choose("starter"), Options(threads=10_000))) == 1
    with pytest.raises(ConfigError, match="threads"):
        selection.build(selection.choose("starter"), Options(threads=0))


def test_builds_one_hub_detector(tmp_path: Path) -> None:
    if not importlib.util.find_spec("tensorflow"):
        pytest.skip("TensorFlow is not installed")
    choice = selection.choose(str(tiny_module.write(tmp_path / "module")))
    (built,) = selection.build(choice, Options(workers=4))
    assert isinstance(built, WatchedDetector)
    built.close()
