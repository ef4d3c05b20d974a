"""Which detector a name means."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streamer.config.detector import DetectorSettings
from streamer.detectors import auto, selection
from streamer.detectors.auto import AutoDetector
from streamer.detectors.litert.starter import StarterDetector
from streamer.detectors.selection import build_detector
from streamer.detectors.tfhub.hub import HubDetector
from streamer.detectors.watchdog import WatchedDetector
from streamer.errors import ConfigError, ModelError, StreamerError
from streamer.features import DetectorContext, DetectorFeature
from streamer.models import hub, store, tensorflow_import
from streamer.registry import DETECTORS
from streamer.values.frame import Frame
from streamer.values.labels import LabelTable
from tests.detectors.tfhub import tiny_module
from tests.models import archives
from tracking.types import Detections

GRAPH = b"\x08\x01"  # the smallest that can be taken for a SavedModel
CONTEXT = DetectorContext()
ORIGINALS = store.cache_dir()
NO_GPU = "no GPU found; faster_rcnn_openimages_v4 (601 classes) is slow without one"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, on a machine without a GPU and without a network."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("STREAMER_CACHE", str(folder))
    monkeypatch.delenv("TFHUB_CACHE_DIR", raising=False)
    monkeypatch.delenv("STREAMER_OFFLINE", raising=False)
    monkeypatch.setattr(auto, "has_gpu_device", lambda: False)
    monkeypatch.setattr(tensorflow_import, "sees_gpu", never)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # the discard port: no program listens
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    return folder


@pytest.fixture
def cached_module(cache: Path) -> Path:
    folder = cache / store.HUB_MODULE
    folder.mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(GRAPH)
    return folder


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    return lambda seen: monkeypatch.setattr(tensorflow_import, "sees_gpu", lambda: seen)


def never() -> bool:
    raise AssertionError("TensorFlow was asked, which takes seconds")


def chosen(**settings: Any) -> tuple[str, str]:
    found, why = AutoDetector.choose(DetectorSettings(**settings))
    return found.name, why


def put(name: str, cache: Path) -> None:
    """Put a pinned model into the cache."""
    cache.mkdir(exist_ok=True)
    for path in (store.PINNED[name].path, store.PINNED[name].manifest_path):
        if (ORIGINALS / path.name).is_file():
            shutil.copyfile(ORIGINALS / path.name, cache / path.name)


@pytest.mark.usefixtures("nanodet_weights")
def test_auto_without_module_and_gpu_does_not_ask_tensorflow(cache: Path) -> None:
    put(store.NANODET, cache)
    assert chosen() == ("nanodet", NO_GPU)
    assert chosen(offline=True, sha256="0" * 64) == ("nanodet", NO_GPU)


@pytest.mark.usefixtures("starter_weights")
def test_auto_uses_the_starter_if_nanodet_cannot_be_downloaded(cache: Path) -> None:
    put(store.STARTER, cache)
    name, why = chosen()
    assert name == "starter"
    assert why.startswith(f"{NO_GPU}, and no model nanodet: cannot fetch ")
    assert "\n" not in why
    expected = f"{NO_GPU}, and nanodet is not in the cache; 'streamer models fetch nanodet' downloads it"
    assert chosen(offline=True) == ("starter", expected)
    lines: list[str] = []
    build_detector(DetectorSettings(offline=True), DetectorContext(say=lines.append)).detectors[0].close()
    assert lines == [f"using starter (23 classes): {expected}"]


@pytest.mark.usefixtures("nanodet_weights", "starter_weights")
def test_auto_uses_nanodet_only_if_it_is_undamaged(cache: Path) -> None:
    put(store.NANODET, cache)
    put(store.STARTER, cache)
    with store.PINNED[store.NANODET].path.open("r+b") as file:
        file.write(b"x")
    assert chosen()[0] == chosen(offline=True)[0] == "starter"


def test_auto_refuses_a_wrong_class_before_the_download(cache: Path) -> None:
    for classes in (("Axe",), ("Persn",)):
        with pytest.raises(ConfigError, match=classes[0]):
            selection.check_classes(DetectorSettings(classes=classes))
        with pytest.raises(ConfigError, match=classes[0]):
            AutoDetector.choose(DetectorSettings(classes=classes))
    selection.check_classes(DetectorSettings(classes=("cell phone", "Vehicle", "cup")))
    assert not cache.exists()


def test_auto_with_a_gpu_has_the_classes_of_open_images(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auto, "has_gpu_device", lambda: True)
    selection.check_classes(DetectorSettings(classes=("Axe", "cell phone")))
    assert not cache.exists()


@pytest.mark.usefixtures("cached_module")
def test_auto_with_module_and_gpu(gpu: Callable[[bool], None]) -> None:
    gpu(True)
    assert chosen() == (store.HUB_MODULE, "TensorFlow sees a GPU")


@pytest.mark.usefixtures("cache")
def test_auto_with_gpu_fetches_the_module_or_says_why_not(
    monkeypatch: pytest.MonkeyPatch, gpu: Callable[[bool], None]
) -> None:
    gpu(True)
    monkeypatch.setattr(auto, "has_gpu_device", lambda: True)
    name, why = chosen(sha256="0" * 64)
    assert name == "starter"
    assert f"cannot fetch {store.HUB_HANDLE} (the proxy cannot be used)" in why
    assert "no model nanodet: cannot fetch" in why


@pytest.mark.usefixtures("cache")
def test_auto_offline_neither_fetches_nor_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auto, "has_gpu_device", lambda: True)
    with pytest.raises(ModelError, match="the model nanodet is not in the cache and nothing may be fetched"):
        build_detector(DetectorSettings(offline=True), CONTEXT)


@pytest.mark.usefixtures("cached_module")
def test_auto_with_module_but_no_gpu(gpu: Callable[[bool], None]) -> None:
    gpu(False)
    name, why = chosen()
    assert name == "starter"
    assert why.startswith(NO_GPU)


@pytest.mark.usefixtures("cached_module")
def test_auto_with_a_broken_tensorflow(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> bool:
        raise ModelError("TensorFlow cannot be imported (no AVX)")

    monkeypatch.setattr(tensorflow_import, "sees_gpu", broken)
    name, why = chosen()
    assert name == "starter"
    assert "no AVX" in why


@pytest.mark.usefixtures("nanodet_weights")
def test_auto_answers_without_importing_tensorflow(cache: Path) -> None:
    put(store.NANODET, cache)
    code = """
import sys
from streamer.config.detector import DetectorSettings
from streamer.detectors import auto, selection
auto.has_gpu_device = lambda: False
assert auto.AutoDetector.choose(DetectorSettings())[0].name == "nanodet"
selection.check_classes(DetectorSettings(classes=("Person",)))
assert "tensorflow" not in sys.modules
"""
    subprocess.run(
        [sys.executable, "-c", code], check=True, timeout=60, env={**os.environ, "STREAMER_CACHE": str(cache)}
    )


def test_names_and_folders(cached_module: Path) -> None:
    assert HubDetector.title(store.HUB_MODULE) == "faster_rcnn_openimages_v4"
    assert HubDetector.title("http://ann:s3cret@host/m/1?token=s3cret") == "hub module http://host/m/1"
    assert HubDetector.title(str(cached_module)) == f"hub module {cached_module}"
    assert store.fetch(store.HUB_MODULE) == cached_module
    assert store.fetch(store.HUB_HANDLE, offline=True) == cached_module


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("startr", ConfigError, "did you mean starter"),
        ("yolo", ConfigError, "there are auto, nanodet, starter"),
        ("", ConfigError, "there are auto, nanodet, starter"),
        ("faster_rcnn_openimages_v4", ModelError, r"cannot fetch https://tfhub\.dev/.* \(the proxy cannot be used\)"),
        ("none/of/this", ModelError, "there is no none/of/this"),
        ("model.tflite", ModelError, r"there is no model\.tflite"),
        ("gs://bucket/m.tar.gz", ModelError, r"only http\(s\) URLs"),
        ("http://ann:s3cret@host.invalid/m/1?token=s3cret", ModelError, r"cannot fetch http://host\.invalid/m/1 \("),
    ],
)
def test_names_that_are_refused(
    name: str, kind: type[StreamerError], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "BACKOFF_S", 0.01)
    with pytest.raises(kind, match=message) as caught:
        build_detector(DetectorSettings(name=name), CONTEXT)
    assert "s3cret" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


def test_a_checksum_is_never_ignored(cached_module: Path) -> None:
    pinned = "0" * 64
    with pytest.raises(ConfigError, match="checksum"):
        build_detector(DetectorSettings(name=str(cached_module), sha256=pinned), CONTEXT)
    with pytest.raises(ConfigError, match="checksum"):
        StarterDetector.from_settings(DetectorSettings(name="starter", sha256=pinned), CONTEXT)
    with pytest.raises(ModelError, match="nothing may be fetched"):
        build_detector(DetectorSettings(name=store.HUB_MODULE, sha256=pinned, offline=True), CONTEXT)


def test_a_folder_without_a_module(cache: Path) -> None:
    cache.mkdir()
    with pytest.raises(ModelError, match=rf"{cache} is no SavedModel: it holds no saved_model\.pb"):
        build_detector(DetectorSettings(name=str(cache)), CONTEXT)


def test_an_archive_is_unpacked_and_used(cache: Path, tmp_path: Path) -> None:
    if not importlib.util.find_spec("tensorflow"):
        pytest.skip("TensorFlow is not installed")
    archive = tmp_path / "module.tar.gz"
    archive.write_bytes(archives.of_folder(tiny_module.write(tmp_path / "module")))
    lines: list[str] = []
    settings = DetectorSettings(name=str(archive), offline=True, workers=4)
    built = build_detector(settings, DetectorContext(say=lines.append))
    (detector,) = built.detectors
    assert isinstance(detector, WatchedDetector)
    assert built.reason == f"using hub module {archive} (601 classes)"
    assert lines[:2] == [built.reason, f"loading {archive}"]
    assert lines[2].startswith("loaded in ")
    assert [path.name for path in (cache / "hub").glob("*/saved_model.pb")] == ["saved_model.pb"]
    detector.close()


@pytest.mark.usefixtures("starter_weights")
def test_builds_as_many_starters_as_asked_for() -> None:
    settings = DetectorSettings(name="starter", min_score=0.5, threads=1, workers=2)
    built = build_detector(settings, CONTEXT).detectors
    assert len(built) == 2
    assert built[0] is not built[1]
    assert all(isinstance(each, StarterDetector) for each in built)
    assert len(build_detector(DetectorSettings(name="starter", threads=256), CONTEXT).detectors) == 1


@pytest.mark.usefixtures("starter_weights")
def test_a_class_that_the_starter_does_not_have_is_refused_before_it_loads() -> None:
    with pytest.raises(ConfigError, match="this detector knows no 'Axe'"):
        selection.check_classes(DetectorSettings(name="starter", classes=("Axe",)))


class OwnDetector(DetectorFeature):
    """A detector of another package."""

    default_min_score = 0.25
    labels = LabelTable(("thing", "other"))
    built: list[float | None] = []  # noqa: RUF012

    @classmethod
    def accepts(cls, name: str) -> bool:
        return name == "my_detector"

    @classmethod
    def from_settings(cls, settings: DetectorSettings, context: DetectorContext) -> Sequence[OwnDetector]:
        assert settings.min_score == context.min_score
        cls.built.append(context.min_score)
        return [cls()]

    def detect(self, frame: Frame) -> Detections:
        del frame
        return Detections(np.array([[0, 0, 8, 8]], np.float32), np.array([0.3], np.float32), np.array([1]))

    def close(self) -> None:
        self.built.append(-1)


@pytest.fixture
def own_detector(monkeypatch: pytest.MonkeyPatch) -> type[OwnDetector]:
    monkeypatch.setattr(DETECTORS, "_registered", {"my_detector": OwnDetector})
    monkeypatch.setattr(OwnDetector, "built", [])
    return OwnDetector


def test_a_detector_of_another_package_is_built_by_name(own_detector: type[OwnDetector]) -> None:
    built = build_detector(DetectorSettings(name="my_detector"), CONTEXT)
    assert built.reason == "using my_detector"
    assert built.keep.lowest_score is None
    build_detector(DetectorSettings(name="my_detector", min_scores={"thing": 0.1}), CONTEXT)
    build_detector(DetectorSettings(name="my_detector", min_scores={"thing": 0.7}), CONTEXT)
    assert own_detector.built == [None, 0.1, 0.25]


def test_a_wrong_class_closes_a_detector_that_is_built(own_detector: type[OwnDetector]) -> None:
    with pytest.raises(ConfigError, match="no class 'Car' in this detector; it knows other, thing"):
        build_detector(DetectorSettings(name="my_detector", classes=("Car",)), CONTEXT)
    assert own_detector.built == [None, -1]


@pytest.mark.usefixtures("own_detector")
def test_a_misspelled_name_gets_the_name_of_another_package() -> None:
    with pytest.raises(ConfigError, match=r"no detector 'my_detectr'; did you mean my_detector\?"):
        build_detector(DetectorSettings(name="my_detectr"), CONTEXT)
