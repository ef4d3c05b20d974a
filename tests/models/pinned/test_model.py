"""A pinned model in the cache: download, damage, repair, offline, other versions, two processes."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from streamer.errors import ModelError
from streamer.models import listing, store
from streamer.models.listing import State
from streamer.models.pinned.model import Conversion, PinnedModel
from tests.models.pinned.conftest import joined
from tests.models.pinned.package_registry import CONTENT, Registry
from tests.models.test_locks import DEADLINE_S, owner

CONVERTED = b"joined:" + CONTENT + b"+hello"
EXPECTED = {store.NANODET: CONVERTED, store.STARTER: CONTENT}
FILES = {store.NANODET: ["converted.json", "converted.tflite"], store.STARTER: ["weights.data"]}


@pytest.fixture(params=[store.NANODET, store.STARTER])
def name(request: pytest.FixtureRequest, cache: Path) -> str:
    """The name of a model that is not in the cache."""
    del cache
    chosen: str = request.param
    return chosen


def test_fetched_once_then_offline(name: str, cache: Path, registry: Registry) -> None:
    path = store.fetch(name)
    assert path.read_bytes() == EXPECTED[name]
    assert sorted(entry.name for entry in cache.iterdir()) == FILES[name]
    registry.fault = "404"
    assert store.PINNED[name].load() == store.PINNED[name].load(offline=True) == EXPECTED[name]
    assert store.fetch(name, offline=True) == path
    assert len(registry.requests) == 1


@pytest.mark.parametrize(
    "damage",
    [lambda content: content[:-1], lambda _: b"", lambda content: content[:-1] + b"x"],
    ids=["torn", "empty", "another byte"],
)
def test_a_damaged_file_is_downloaded_again(name: str, damage: Callable[[bytes], bytes], registry: Registry) -> None:
    path = store.fetch(name)
    path.write_bytes(damage(EXPECTED[name]))
    assert listing.check(name).state is State.DAMAGED
    with pytest.raises(ModelError, match=rf"{name} is not in the cache and nothing may be fetched"):
        store.fetch(name, offline=True)
    assert store.fetch(name).read_bytes() == EXPECTED[name]
    assert listing.check(name).state is State.READY
    assert len(registry.requests) == 2


@pytest.mark.parametrize("manifest", ["", "{", "[]", "{}", '{"size_bytes": "1", "sha256": 1}'])
def test_a_damaged_manifest_is_replaced(cache: Path, manifest: str, registry: Registry) -> None:
    path = store.fetch(store.NANODET)
    written = json.loads((cache / "converted.json").read_bytes())
    (cache / "converted.json").write_text(manifest)
    assert listing.check(store.NANODET).state is State.DAMAGED
    assert store.fetch(store.NANODET) == path
    assert json.loads((cache / "converted.json").read_bytes()) == written
    assert len(registry.requests) == 2


@pytest.mark.parametrize("revision", [1, 2])
def test_a_file_of_another_conversion_is_not_used(cache: Path, monkeypatch: pytest.MonkeyPatch, revision: int) -> None:
    """An update of the program may convert differently. Other libraries may write other bytes, which is fine."""
    del cache
    path, model = store.fetch(store.NANODET), store.PINNED[store.NANODET]
    other = Conversion(lambda files: joined(files) + b"!", revision, 10_000)
    monkeypatch.setitem(store.PINNED, store.NANODET, replace(model, conversion=other))
    assert store.fetch(store.NANODET) == path
    assert path.read_bytes() == (CONVERTED if revision == 1 else CONVERTED + b"!")


def test_a_copy_of_the_files_works_offline(
    name: str, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.fetch(name)
    (tmp_path / "moved").mkdir()
    monkeypatch.setenv("STREAMER_CACHE", str(tmp_path / "moved"))
    with pytest.raises(ModelError, match="nothing may be fetched") as caught:
        store.fetch(name, offline=True)
    pattern = str(caught.value).partition("and copy ")[2].partition(" from there")[0]
    assert Path(pattern).parent == tmp_path / "moved"
    for file in cache.glob(Path(pattern).name):
        file.rename(tmp_path / "moved" / file.name)
    assert store.fetch(name, offline=True).read_bytes() == EXPECTED[name]


def test_the_error_names_every_remedy(name: str, cache: Path, registry: Registry) -> None:
    registry.fault = "404"
    with pytest.raises(ModelError) as caught:
        store.PINNED[name].load()
    message = str(caught.value)
    for part in (f"no model {name}", registry.url, "models fetch", "npm_config_registry", str(cache)):
        assert part in message
    assert "\n" not in message
    assert list(cache.iterdir()) == []


def test_a_conversion_that_fails_leaves_nothing(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(files: object) -> bytes:
        raise ModelError(f"cannot convert {files}")

    model: PinnedModel = store.PINNED[store.NANODET]
    monkeypatch.setitem(store.PINNED, store.NANODET, replace(model, conversion=Conversion(fails, 1, 1)))
    with pytest.raises(ModelError, match="cannot convert"):
        store.fetch(store.NANODET)
    assert list(cache.iterdir()) == []


def test_states(cache: Path) -> None:
    assert [(entry.name, entry.state) for entry in listing.listing()] == [
        ("nanodet", State.MISSING),
        ("starter", State.MISSING),
        ("faster_rcnn_openimages_v4", State.MISSING),
    ]
    assert all(entry.detail for entry in listing.listing())
    assert [entry.size_bytes for entry in listing.listing()] == [10_000, len(CONTENT), None]
    for name, path in (("nanodet", cache / "converted.tflite"), ("starter", cache / "weights.data")):
        store.fetch(name)
        assert listing.check(name).state is State.READY
        assert {entry.name: entry for entry in listing.listing()}[name].size_bytes == len(EXPECTED[name])
        path.write_bytes(b"short")
        assert {entry.name: entry.state for entry in listing.listing()}[name] is State.DAMAGED


def test_a_second_process_waits_for_the_first_and_downloads_nothing(
    name: str, cache: Path, registry: Registry, caplog: pytest.LogCaptureFixture
) -> None:
    store.fetch(name)
    fetched = {path: path.read_bytes() for path in cache.iterdir()}
    for path in fetched:
        path.unlink()
    with owner(store.PINNED[name].path) as process, ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(store.fetch, name, timeout_s=DEADLINE_S)
        while "waiting for" not in caplog.text:
            assert not waiting.done()
        for path, content in fetched.items():
            path.write_bytes(content)
        process.communicate("\n")
        assert waiting.result(DEADLINE_S).read_bytes() == EXPECTED[name]
    assert len(registry.requests) == 1
    assert f"waiting for process {process.pid} on {platform.node()}, which downloads the same model" in caplog.text
    assert sorted(entry.name for entry in cache.iterdir()) == FILES[name]


def test_two_processes_at_once(cache: Path) -> None:
    sources = store.PINNED[store.NANODET].sources
    code = f"""
from streamer.models import store
from streamer.models.pinned.model import Conversion, PinnedModel
from tests.models.pinned.conftest import joined
from streamer.models.pinned.npm import PackedFile
model = PinnedModel("nanodet", "", {sources!r}, "converted.tflite", Conversion(joined, 1, 1))
for _ in range(10):
    model.path.unlink(missing_ok=True)
    assert model.load(progress=False) is not None
"""
    running = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(2)]
    assert [process.wait(timeout=60) for process in running] == [0, 0]
    assert store.fetch(store.NANODET, offline=True).read_bytes() == CONVERTED
    assert sorted(entry.name for entry in cache.iterdir()) == FILES[store.NANODET]
