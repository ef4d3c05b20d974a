"""The entries of `models list`."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from streamer.models import listing, store
from streamer.models.listing import State
from tests.models.archive_server import MODULE_PATH, ArchiveServer


def test_everything_in_the_cache_is_listed(server: ArchiveServer, cache: Path, module: Path, tmp_path: Path) -> None:
    url = server.url + MODULE_PATH
    fetched = store.fetch(url.replace("//", "//carol:s3cret@"))
    by_hand, theirs = cache / "hub" / "mine", cache / "hub" / hashlib.sha1(b"https://tfhub.dev/x/1").hexdigest()
    for folder in (by_hand, theirs):
        shutil.copytree(module, folder)
    theirs.with_name(f"{theirs.name}.descriptor.txt").write_text("Module: https://a:s3cret@tfhub.dev/x/1\nDownload")
    broken = cache / "hub" / "broken"
    broken.mkdir()
    (broken / "readme.txt").write_text("x")
    (cache / "hub" / "key.uid.tmp").mkdir()
    archive = tmp_path / "m.tar.gz"
    archive.write_bytes(server.script.archive)
    unpacked = store.fetch(str(archive))

    found = {entry.path: entry for entry in listing.listing()[3:]}
    assert found.keys() == {fetched, by_hand, theirs, broken, unpacked}
    assert (found[fetched].name, found[by_hand].name) == (url, str(by_hand))
    assert (found[theirs].name, found[unpacked].name) == ("https://tfhub.dev/x/1", str(archive))
    assert found[by_hand].origin == "put there by hand"
    assert found[theirs].origin == "https://tfhub.dev/x/1, fetched by tensorflow-hub"
    origin, _, when = found[fetched].origin.partition(", fetched ")
    assert origin == f"{server.url}/storage/module.tar.gz"
    assert abs((datetime.now(UTC) - datetime.fromisoformat(when)).total_seconds()) < 3600
    size_bytes = sum(path.stat().st_size for path in module.rglob("*") if path.is_file())
    assert {entry.size_bytes for path, entry in found.items() if path != broken} == {size_bytes}
    assert {path for path, entry in found.items() if entry.state is not State.READY} == {broken}
    assert "s3cret" not in repr(found)
    # `models fetch`, `models check` and `--detector` take the names of the list.
    for path, entry in found.items():
        assert listing.check(entry.name).path == path


def test_an_archive_that_is_not_unpacked_yet(cache: Path, archive: bytes, tmp_path: Path) -> None:
    file = tmp_path / "m.tar.gz"
    file.write_bytes(archive)
    entry = listing.check(str(file))
    assert entry.state is State.MISSING
    assert f"models fetch {file}" in entry.detail
    assert not cache.exists()


def test_folders_outside_the_cache(cache: Path, module: Path, tmp_path: Path) -> None:
    del cache
    assert listing.check(str(module)).state is State.READY
    found = listing.check(str(tmp_path))
    assert found.state is State.DAMAGED
    assert "no saved_model.pb" in found.detail


def test_no_tensorflow_is_imported(server: ArchiveServer) -> None:
    url = server.url + MODULE_PATH
    folder = store.fetch(url)
    code = f"""
import sys
from streamer.detectors import selection
from streamer.models import listing, store
assert {str(folder)!r} in [str(entry.path) for entry in listing.listing()]
assert selection.names()
for name in ({url!r}, {str(folder)!r}):
    assert str(store.fetch(name)) == {str(folder)!r}
assert not {{"tensorflow", "tensorflow_hub", "requests", "filelock"}} & sys.modules.keys(), "slow"
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, env=dict(os.environ))
