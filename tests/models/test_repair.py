"""Cache entries that are damaged or foreign; Ctrl-C; a full disk."""

from __future__ import annotations

import hashlib
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from streamer.errors import ModelError
from streamer.models import hub, listing, store, tensorflow_import
from streamer.models.listing import State
from tests.models.archive_server import ArchiveServer
from tests.models.archives import snapshot

WEIGHTS = "variables/variables.data-00000-of-00001"
INDEX = "variables/variables.index"
DEADLINE_S = 60.0


def remove(name: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).unlink()


def truncate(name: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes()[:-1])


def wipe_files(folder: Path) -> None:
    """What cleaners of temporary files do."""
    for path in folder.rglob("*"):
        if path.is_file():
            path.unlink()


def wipe(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()


DAMAGES = {
    "no graph": remove("saved_model.pb"),
    "torn graph": truncate("saved_model.pb"),
    "no weights": remove(WEIGHTS),
    "torn weights": truncate(WEIGHTS),
    "no index": remove(INDEX),
    "no variables": lambda folder: shutil.rmtree(folder / "variables"),
    "files wiped": wipe_files,
    "wiped": wipe,
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_damage_is_repaired(
    server: ArchiveServer, url: str, entry: Path, module: Path, damage: Callable[[Path], object]
) -> None:
    store.fetch(url)
    names = {path.name for path in entry.parent.iterdir()}
    damage(entry)
    damaged = snapshot(entry.parent)
    # A repair that fails changes nothing.
    server.script.fault = "404"
    with pytest.raises(ModelError, match="HTTP 404"):
        store.fetch(url)
    if entry.is_dir() and any(entry.iterdir()):
        assert snapshot(entry.parent) == damaged
    server.script.fault = ""
    assert store.fetch(url) == entry
    assert snapshot(entry) == snapshot(module)
    assert {path.name for path in entry.parent.iterdir()} == names


@pytest.mark.parametrize("damage", ["no graph", "torn graph", "no weights", "no index", "no variables"])
def test_damage_without_a_manifest_is_repaired(url: str, entry: Path, module: Path, damage: str) -> None:
    entry.parent.mkdir(parents=True)
    shutil.copytree(module, entry)
    DAMAGES[damage](entry)
    assert store.fetch(url) == entry
    assert snapshot(entry) == snapshot(module)


def test_a_changed_bit_is_found_by_fetch_and_check(url: str, entry: Path, module: Path) -> None:
    store.fetch(url)
    weights = entry / WEIGHTS
    weights.write_bytes(bytes([weights.read_bytes()[0] ^ 1]) + weights.read_bytes()[1:])
    assert store.fetch(url) == entry, "the sizes are right, and a start does not check more"
    found = listing.check(url)
    assert found.state is State.DAMAGED
    assert "has another checksum" in found.detail
    store.fetch(url, thorough=True)
    assert snapshot(entry) == snapshot(module)
    assert listing.check(url).state is State.READY


def test_a_module_without_a_manifest_is_used(server: ArchiveServer, url: str, entry: Path, module: Path) -> None:
    shutil.copytree(module, entry)
    assert store.fetch(url) == entry
    assert server.script.requests == []
    assert listing.check(url).origin == "put there by hand"
    # Its checksum is not known, so it does not satisfy a pinned one.
    archive_sha256 = hashlib.sha256(server.script.archive).hexdigest()
    with pytest.raises(ModelError, match="put there by hand, so that its checksum is not known"):
        store.fetch(url, sha256=archive_sha256, offline=True)
    assert store.fetch(url, sha256=archive_sha256) == entry
    assert listing.check(url).origin.startswith(f"{server.url}/storage/module.tar.gz, fetched 2")


def test_a_damaged_manifest_is_ignored(url: str, entry: Path) -> None:
    store.fetch(url)
    manifest = entry.with_name(f"{entry.name}.json")
    for text in (manifest.read_text()[:100], "[]", '{"contents": 1}', ""):
        manifest.write_text(text)
        assert store.fetch(url) == entry
        assert listing.check(url).state is State.READY


def test_the_cache_of_tensorflow_hub_is_read_and_never_changed(
    server: ArchiveServer, url: str, entry: Path, module: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path / "tfhub"))
    theirs = tmp_path / "tfhub" / entry.name
    shutil.copytree(module, theirs)
    assert store.fetch(url) == theirs
    assert server.script.requests == []
    remove("saved_model.pb")(theirs)
    damaged = snapshot(tmp_path / "tfhub")
    assert store.fetch(url) == entry
    assert snapshot(tmp_path / "tfhub") == damaged


def test_a_cache_that_cannot_be_written(url: str, cache: Path) -> None:
    cache.write_bytes(b"a file")
    with pytest.raises(ModelError, match=r"cannot write .*STREAMER_CACHE"):
        store.fetch(url)


@pytest.mark.slow
def test_ctrl_c_leaves_no_files(server: ArchiveServer, url: str, cache: Path) -> None:
    server.script.faults = ["", "stalls"]
    main = Path(__file__).parents[2] / "main.py"
    process = subprocess.Popen([sys.executable, str(main), "models", "fetch", url], stderr=subprocess.PIPE, text=True)
    assert server.script.half_sent.wait(DEADLINE_S)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    assert snapshot(cache) == {"hub": None}


def test_a_full_disk(url: str, cache: Path, entry: Path, module: Path) -> None:
    resource = pytest.importorskip("resource")
    tensorflow_import.tensorflow_hub()
    assert max(len(content or b"") for content in snapshot(module).values()) > 2000
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    # For one process a limit on the size of files has the effect of a full disk.
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, limits[1]))
    try:
        with pytest.raises(ModelError) as caught:
            store.fetch(url)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert str(caught.value).startswith(f"cannot write {entry}: File too large; free some space")
    assert snapshot(cache) == {"hub": None}


def test_pauses_between_attempts(server: ArchiveServer, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(hub._pause, "wait", pauses.append)
    server.script.fault = "503"
    with pytest.raises(ModelError):
        store.fetch(url)
    assert pauses == [hub.BACKOFF_S, 2 * hub.BACKOFF_S]
