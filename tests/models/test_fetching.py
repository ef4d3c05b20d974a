"""Downloads of hub modules from a local server: results, refusals, messages."""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import tarfile
from pathlib import Path

import pytest

from streamer.errors import ModelError
from streamer.models import downloads, hub, store
from tests.models import archives
from tests.models.archive_server import MODULE_PATH, ArchiveServer
from tests.models.archives import snapshot


def sha1(text: str) -> str:
    return hashlib.sha1(text.encode()).hexdigest()


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pause between attempts."""
    monkeypatch.setattr(hub, "BACKOFF_S", 0.01)


@pytest.mark.slow
def test_a_handle_is_resolved_as_tensorflow_hub_does_it(server: ArchiveServer, cache: Path, module: Path) -> None:
    handle = server.url + MODULE_PATH
    folder = store.fetch(handle)
    assert folder == cache / "hub" / sha1(handle)
    assert snapshot(folder) == snapshot(module)
    assert [request.path for request in server.script.requests] == [
        f"{MODULE_PATH}?tf-hub-format=compressed",
        "/storage/module.tar.gz?signature=s3cret",
    ]
    assert {path.name for path in folder.parent.iterdir()} == {
        folder.name,
        f"{folder.name}.json",
        f"{folder.name}.descriptor.txt",
    }


def test_hub_load_finds_what_was_fetched(server: ArchiveServer, monkeypatch: pytest.MonkeyPatch) -> None:
    tensorflow_hub = pytest.importorskip("tensorflow_hub")
    handle = server.url + MODULE_PATH
    folder = store.fetch(handle)
    asked = len(server.script.requests)
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(store.hub_dir()))
    assert tensorflow_hub.resolve(handle) == str(folder)
    assert "default" in tensorflow_hub.load(handle).signatures
    assert len(server.script.requests) == asked


def test_the_manifest_has_origin_and_checksums(server: ArchiveServer, archive: bytes, module: Path) -> None:
    handle = server.url + MODULE_PATH
    folder = store.fetch(handle)
    manifest = json.loads((folder.parent / f"{folder.name}.json").read_text())
    assert manifest["handle"] == handle
    assert manifest["origin"] == f"{server.url}/storage/module.tar.gz"
    assert manifest["contents"]["sha256"] == hashlib.sha256(archive).hexdigest()
    files = {name: content for name, content in snapshot(module).items() if content is not None}
    assert {name: file["sha256"] for name, file in manifest["contents"]["files"].items()} == {
        name: hashlib.sha256(content).hexdigest() for name, content in files.items()
    }


def test_the_address_of_an_archive_is_used_unchanged(server: ArchiveServer) -> None:
    store.fetch(server.url + "/m.tar.gz?version=2")
    assert [request.path for request in server.script.requests] == ["/m.tar.gz?version=2"]


def test_the_second_fetch_sends_no_request(server: ArchiveServer) -> None:
    first = store.fetch(server.url + MODULE_PATH)
    asked = len(server.script.requests)
    server.script.fault = "404"
    assert store.fetch(server.url + MODULE_PATH, thorough=True) == first
    assert len(server.script.requests) == asked


@pytest.mark.parametrize("fault", ["", "chunked"])
def test_bodies_with_a_length_and_in_chunks(server: ArchiveServer, module: Path, fault: str) -> None:
    server.script.fault = fault
    assert snapshot(store.fetch(server.url + "/m.tar.gz")) == snapshot(module)


@pytest.mark.parametrize(
    ("fault", "expected", "attempts"),
    [
        ("404", r"HTTP 404 Not Found\): nothing there", 1),
        ("403", r"HTTP 403 Forbidden\): a login or a consent is required; download the \.tar\.gz in a browser", 1),
        ("401", "HTTP 401 Unauthorized", 1),
        ("page", r"is a web page \(a login page\?\) and no archive; download the \.tar\.gz in a browser", 1),
        ("loop", "redirects without end", 1),
        ("503", "HTTP 503 Service Unavailable", 3),
        ("429", "HTTP 429", 3),
        ("silent", r"no answer for 0\.3 s", 3),
        ("stalls", r"no answer for 0\.3 s", 3),
        ("cut", "the connection broke off", 3),
        ("cut chunked", "the connection broke off", 3),
        ("cut without length", "cut short", 3),
    ],
)
def test_servers_that_fail(server: ArchiveServer, cache: Path, fault: str, expected: str, attempts: int) -> None:
    server.script.fault = fault
    url = server.url.replace("//", "//carol:s3cret@") + "/m.tar.gz?token=s3cret"
    with pytest.raises(ModelError, match=expected) as caught:
        store.fetch(url, timeout_s=0.3)
    message = str(caught.value)
    assert f"{server.url}/m.tar.gz" in message
    assert "s3cret" not in message
    assert "carol" not in message
    assert "\n" not in message
    assert caught.value.exit_code == 2
    assert snapshot(cache) == {"hub": None}
    if fault != "loop":
        assert len(server.script.requests) == attempts


def test_no_server_at_all(server: ArchiveServer, cache: Path) -> None:
    server.shutdown()
    server.server_close()
    with pytest.raises(ModelError, match="no connection"):
        store.fetch(server.url + "/m.tar.gz")
    assert snapshot(cache) == {"hub": None}


@pytest.mark.parametrize("fault", ["503", "cut", "cut chunked", "cut without length", "stalls"])
def test_temporary_failures_are_retried(server: ArchiveServer, module: Path, fault: str) -> None:
    server.script.faults = [fault]
    assert snapshot(store.fetch(server.url + "/m.tar.gz", timeout_s=0.3)) == snapshot(module)
    assert len(server.script.requests) == 2


def test_a_pinned_checksum_is_enforced(server: ArchiveServer, cache: Path, archive: bytes) -> None:
    right, wrong = hashlib.sha256(archive).hexdigest(), "0" * 64
    url = server.url + "/m.tar.gz"
    with pytest.raises(ModelError, match=rf"its SHA-256 is {right}, but {wrong} is pinned"):
        store.fetch(url, sha256=wrong)
    assert snapshot(cache) == {"hub": None}
    assert len(server.script.requests) == 1
    folder = store.fetch(url, sha256=right.upper())
    # The cached module is checked too, and is kept if the download fails.
    before = snapshot(cache)
    with pytest.raises(ModelError, match="is pinned"):
        store.fetch(url, sha256=wrong)
    assert snapshot(cache) == before
    # A changed file of the right size is found.
    weights = folder / "variables" / "variables.data-00000-of-00001"
    weights.write_bytes(bytes(len(weights.read_bytes())))
    store.fetch(url, sha256=right)
    assert snapshot(cache).keys() == before.keys()
    assert weights.read_bytes() == before[str(weights.relative_to(cache))]


@pytest.mark.parametrize("root", ["module/", "zoo/ssd/saved_model/"])
def test_a_module_in_a_folder_of_its_archive(server: ArchiveServer, module: Path, root: str) -> None:
    server.script.archive = archives.of_folder(module, root=root, with_folders=False)
    assert snapshot(store.fetch(server.url + "/m.tar.gz")) == snapshot(module)


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([("saved_model.pb", b"\xff\xff\xff nonsense")], "its content is no SavedModel: its saved_model.pb is damaged"),
        ([("saved_model.pb", b"")], r"saved_model\.pb is empty"),
        ([("readme.txt", b"hello")], r"holds no saved_model\.pb"),
        ([("saved_model.pb", b"x"), ("../evil", b"x")], "points outside"),
        ([("saved_model.pb", b"x"), archives.special("l", tarfile.SYMTYPE, "/etc/passwd")], "is a link"),
    ],
)
def test_archives_without_a_usable_module(
    server: ArchiveServer, cache: Path, members: list[tuple[str, bytes] | tarfile.TarInfo], message: str
) -> None:
    server.script.archive = archives.of_members(*members)
    with pytest.raises(ModelError, match=message) as caught:
        store.fetch(server.url + "/m.tar.gz")
    assert ".tmp" not in str(caught.value)
    assert snapshot(cache) == {"hub": None}
    assert len(server.script.requests) == 1


def test_missing_weights_in_the_archive(server: ArchiveServer, cache: Path, module: Path) -> None:
    server.script.archive = archives.of_members(("saved_model.pb", (module / "saved_model.pb").read_bytes()))
    with pytest.raises(ModelError, match="the checkpoint is missing"):
        store.fetch(server.url + "/m.tar.gz")
    assert snapshot(cache) == {"hub": None}


def test_a_login_is_sent_and_never_written(
    server: ArchiveServer, cache: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.INFO)
    url = server.url.replace("//", "//carol:s3cret@") + "/m.tar.gz?token=s3cret"
    folder = store.fetch(url, progress=True)
    (request,) = server.script.requests
    assert request.authorization == "Basic " + base64.b64encode(b"carol:s3cret").decode()
    assert request.path == "/m.tar.gz?token=s3cret"
    for name, content in snapshot(cache).items():
        if Path(name).parts[1:2] != (folder.name,):
            assert b"s3cret" not in name.encode() + (content or b"")
            assert b"carol" not in (content or b"")
    printed = caplog.text + "".join(capfd.readouterr())
    assert "s3cret" not in printed
    assert "carol" not in printed
    # Without the login it is found in the cache.
    assert store.fetch(server.url + "/m.tar.gz") == folder


def test_progress_is_optional(server: ArchiveServer, capfd: pytest.CaptureFixture[str]) -> None:
    store.fetch(server.url + "/a.tar.gz", progress=False)
    assert capfd.readouterr().err == ""
    store.fetch(server.url + "/b.tar.gz", progress=True)
    assert "100%" in capfd.readouterr().err


def test_progress_without_a_terminal_is_lines(
    server: ArchiveServer, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(downloads, "_LINE_EVERY_S", 0.0)
    store.fetch(server.url.replace("//", "//carol:s3cret@") + "/c.tar.gz?token=s3cret")
    lines = capfd.readouterr().err.splitlines()
    total = f"{len(server.script.archive) / 1e6:.1f} MB"
    assert lines
    assert all(line.startswith(f"{server.url}/c.tar.gz: ") and line.endswith(f" of {total}") for line in lines)


class TestFiles:
    def test_an_archive_is_unpacked_once(self, cache: Path, module: Path, archive: bytes, tmp_path: Path) -> None:
        file = tmp_path / "m.tar.gz"
        file.write_bytes(archive)
        folder = store.fetch(str(file), offline=True)
        assert folder == cache / "hub" / hashlib.sha256(archive).hexdigest()
        assert snapshot(folder) == snapshot(module)
        unpacked_ns = (folder / "saved_model.pb").stat().st_mtime_ns
        moved = file.rename(tmp_path / "other.tgz")
        assert store.fetch(str(moved)) == folder
        assert (folder / "saved_model.pb").stat().st_mtime_ns == unpacked_ns
        assert json.loads((cache / "hub" / f"{folder.name}.json").read_text())["origin"] == str(file)

    @pytest.mark.parametrize(
        ("content", "message"),
        [(None, "cut short"), (b"hello", r"no \.tar\.gz"), (b"", r"no \.tar\.gz")],
        ids=["truncated", "text", "empty"],
    )
    def test_files_that_are_no_archive(
        self, cache: Path, archive: bytes, tmp_path: Path, content: bytes | None, message: str
    ) -> None:
        file = tmp_path / "m.tar.gz"
        file.write_bytes(archive[: len(archive) // 2] if content is None else content)
        with pytest.raises(ModelError, match=message) as caught:
            store.fetch(str(file))
        assert str(file) in str(caught.value)
        assert snapshot(cache) == {"hub": None}

    def test_a_pinned_checksum(self, cache: Path, archive: bytes, tmp_path: Path) -> None:
        file = tmp_path / "m.tar.gz"
        file.write_bytes(archive)
        with pytest.raises(ModelError, match="is pinned"):
            store.fetch(str(file), sha256="0" * 64)
        assert snapshot(cache) == {"hub": None}
        store.fetch(str(file), sha256=hashlib.sha256(archive).hexdigest())
        with pytest.raises(ModelError, match="is pinned"):
            store.fetch(str(file), sha256="0" * 64)
